//! What is watched.

use std::sync::Arc;

use herd_crdt::Coordinates;
use herd_grid::{Area, Circle};

/// What is watched.
#[derive(Clone, Debug)]
pub enum Subject {
    /// One client.
    Client(Arc<[u8]>),
    /// All clients whose IDs begin so.
    Prefix(Arc<[u8]>),
    /// All clients.
    All,
    /// The clients of an area that stays where it is.
    Area(WatchedArea),
    /// The clients around another client.
    Around(Around),
}

/// An area that clients enter and leave.
#[derive(Clone, Debug)]
pub struct WatchedArea {
    /// A client that was outside comes in here.
    pub inner: Area,
    /// A client that was inside goes out when it leaves this.
    pub outer: Area,
}

/// The area around a client, which moves with it.
#[derive(Clone, Debug)]
pub struct Around {
    /// The client in the middle, which is not inside itself.
    pub client: Arc<[u8]>,
    /// How far, in metres; `None` for no bound.
    pub radius_m: Option<f64>,
    /// How much farther a client has to be to leave, in metres.
    pub margin_m: f64,
}

impl Subject {
    /// The ID in it, or the beginning of one; empty if there is none.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        match self {
            Subject::Client(id) | Subject::Prefix(id) => id,
            Subject::Around(around) => &around.client,
            Subject::All | Subject::Area(_) => &[],
        }
    }
}

impl WatchedArea {
    /// A circle with a margin.
    #[must_use]
    pub fn circle(center: Coordinates, radius_m: Option<f64>, margin_m: f64) -> Self {
        let with_margin = radius_m.map(|radius_m| radius_m + margin_m);
        WatchedArea {
            inner: Area::Circle(Circle::new(center, radius_m)),
            outer: Area::Circle(Circle::new(center, with_margin)),
        }
    }

    /// An area without a margin.
    #[must_use]
    pub fn sharp(area: Area) -> Self {
        WatchedArea {
            inner: area.clone(),
            outer: area,
        }
    }
}
