//! The harm to a server.

use std::time::Duration;

use super::ServerIndex;

/// Something that happened to a server at some time between two, or all the time between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Harm {
    /// Which server.
    pub server: ServerIndex,
    /// Not before this.
    pub from: Duration,
    /// Not after this; [`Duration::MAX`] while it lasts.
    pub to: Duration,
    /// The kind of harm.
    pub kind: HarmKind,
}

/// See [`Harm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HarmKind {
    /// Its process of this number began. No harm, but it writes nothing at first.
    ProcessBegan(u32),
    /// Its process ended at once; data that the system has survives.
    ProcessEnded,
    /// It was told to stop, and had stopped in good order at the end.
    Stopped,
    /// Power was lost; synced data survives.
    PowerLost,
    /// The disk was replaced by an empty one.
    DiskLost,
    /// The disk had no room, until a process began that found some.
    DiskFull,
    /// It or its disk stood still.
    Stalled,
    /// Its wall clock was set so far from the true time, in seconds.
    ClockSet(i64),
}

impl HarmKind {
    /// Whether the memory of the process is gone.
    pub fn ends_at_once(self) -> bool {
        matches!(self, HarmKind::ProcessEnded | HarmKind::PowerLost)
    }
}

impl Harm {
    /// For people.
    pub fn show(&self, names: &[String]) -> String {
        let to = match self.to {
            Duration::MAX => "still".to_owned(),
            to => format!("{:.3} s", to.as_secs_f64()),
        };
        format!(
            "{:>9.3}..{to}  {}: {:?}",
            self.from.as_secs_f64(),
            names.get(self.server).map_or("?", String::as_str),
            self.kind
        )
    }
}
