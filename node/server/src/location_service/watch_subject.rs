//! From the operands of a `WATCH` to what is watched.

use herd_grid::{Area, Rectangle};
use herd_protocol::{Radius, Watch};
use herd_watch::{Around, Subject, WatchedArea};

/// What is to be watched; `None` if the corners make no rectangle.
pub(super) fn subject(watch: &Watch<'_>) -> Option<Subject> {
    Some(match *watch {
        Watch::Client(client) => Subject::Client(client.into()),
        Watch::Prefix(prefix) => Subject::Prefix(prefix.into()),
        Watch::All => Subject::All,
        Watch::Point {
            center,
            radius,
            margin,
        } => Subject::Area(WatchedArea::circle(
            center.coordinates(),
            radius.map(|radius| radius.metres()),
            metres(margin),
        )),
        Watch::Within {
            southwest,
            northeast,
        } => {
            let rectangle = Rectangle::new(southwest, northeast).ok()?;
            Subject::Area(WatchedArea::sharp(Area::Rectangle(rectangle)))
        }
        Watch::Nearby {
            client,
            radius,
            margin,
        } => Subject::Around(Around {
            client: client.into(),
            radius_m: radius.map(|radius| radius.metres()),
            margin_m: metres(margin),
        }),
    })
}

fn metres(margin: Option<Radius>) -> f64 {
    margin.map_or(0.0, |margin| margin.metres())
}
