//! The faults of a history, as data.

use std::fmt;
use std::time::Duration;

use super::ServerIndex;

/// One thing that goes wrong, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL.
    Kill(ServerIndex),
    /// SIGTERM, and it is waited for.
    Stop(ServerIndex),
    /// A server that is down begins a process.
    Start(ServerIndex),
    /// The same, without a wait until it listens, because its disk is frozen.
    StartFrozen(ServerIndex),
    /// SIGSTOP.
    Pause(ServerIndex),
    /// SIGCONT.
    Resume(ServerIndex),
    /// The folder of a server that is down is removed.
    Wipe(ServerIndex),
    /// The machine of a server loses power: unsynced data is gone. Then it is as after [`Fault::Kill`].
    LosePower(ServerIndex),
    /// Writes to a server's disk block from now on.
    FreezeDisk(ServerIndex),
    /// The end of [`Fault::FreezeDisk`].
    ThawDisk(ServerIndex),
    /// A file takes all the room on a server's disk.
    FillDisk(ServerIndex),
    /// It is removed.
    EmptyDisk(ServerIndex),
    /// Something between two neighbours fails; the number is that of the link.
    Cut(usize, Cut),
    /// All is well again between two neighbours.
    Join(usize),
    /// A server's wall clock is set so far from the true time, in seconds.
    SetClock(ServerIndex, i64),
}

/// How a link fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Connections end, and none are made.
    Off,
    /// Nothing arrives in either direction, without an error.
    Silent,
    /// The same from the server that connects to the other only.
    SilentForth,
    /// The same in the other direction only.
    SilentBack,
}

/// A fault and when it happens, from the beginning of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedFault {
    /// When.
    pub at: Duration,
    /// The fault.
    pub fault: Fault,
}

impl Fault {
    /// Whether it needs a disk of the server's own.
    pub fn needs_own_disk(self) -> bool {
        matches!(
            self,
            Fault::LosePower(_)
                | Fault::FreezeDisk(_)
                | Fault::ThawDisk(_)
                | Fault::FillDisk(_)
                | Fault::EmptyDisk(_)
        )
    }
}

impl fmt::Display for TimedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {}", self.at.as_secs_f64(), self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill(server) => write!(f, "kill {server}"),
            Fault::Stop(server) => write!(f, "stop {server}"),
            Fault::Start(server) => write!(f, "start {server}"),
            Fault::StartFrozen(server) => write!(f, "start {server} on its frozen disk"),
            Fault::Pause(server) => write!(f, "pause {server}"),
            Fault::Resume(server) => write!(f, "resume {server}"),
            Fault::Wipe(server) => write!(f, "wipe {server}"),
            Fault::LosePower(server) => write!(f, "cut the power of {server}"),
            Fault::FreezeDisk(server) => write!(f, "freeze the disk of {server}"),
            Fault::ThawDisk(server) => write!(f, "thaw the disk of {server}"),
            Fault::FillDisk(server) => write!(f, "fill the disk of {server}"),
            Fault::EmptyDisk(server) => write!(f, "make room on the disk of {server}"),
            Fault::Cut(link, cut) => write!(f, "cut link {link}: {cut:?}"),
            Fault::Join(link) => write!(f, "join link {link}"),
            Fault::SetClock(server, ahead_s) => {
                write!(f, "set the clock of {server} {ahead_s:+} s off")
            }
        }
    }
}
