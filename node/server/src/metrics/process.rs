//! Figures of the process, from Linux. A figure that Linux does not give is left out.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessFigures {
    /// Memory that is in RAM.
    pub(crate) resident_bytes: Option<u64>,
    /// Time on a processor, of the program and of the system for it.
    pub(crate) cpu: Option<Duration>,
    /// File descriptors that are open.
    pub(crate) open_fds: Option<u64>,
    /// The most that may be.
    pub(crate) max_fds: Option<u64>,
    /// Threads.
    pub(crate) threads: Option<u64>,
}

/// The figures of now.
pub(crate) fn look() -> ProcessFigures {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ProcessFigures {
        resident_bytes: field(&status, "VmRSS:").map(|kib| kib * 1_024),
        cpu: getrusage(UsageWho::RUSAGE_SELF).ok().and_then(|usage| {
            let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
            u64::try_from(us).ok().map(Duration::from_micros)
        }),
        // The one that reads the folder is in there.
        open_fds: fs::read_dir("/proc/self/fd")
            .ok()
            .map(|entries| (entries.count() as u64).saturating_sub(1)),
        max_fds: getrlimit(Resource::RLIMIT_NOFILE)
            .ok()
            .map(|(soft, _)| soft),
        threads: field(&status, "Threads:"),
    }
}

/// The number behind a name in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_descriptors_and_threads() {
        let figures = look();
        assert!(figures.resident_bytes > Some(1 << 20), "{figures:?}");
        assert!(figures.open_fds >= Some(3) && figures.open_fds <= figures.max_fds);
        assert!(figures.threads >= Some(1));
        assert!(figures.cpu > Some(Duration::ZERO));
        assert_eq!(field("VmRSS:\t  12 kB\nThreads:\t3\n", "Threads:"), Some(3));
        assert_eq!(field("", "Threads:"), None);
    }
}
