//! Protects the memory of the process from other users of the machine.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Makes every file and folder that the process creates from now on its own user's alone, and keeps its memory
/// from being written to disk when it crashes and from being read by other processes of its user. To be called
/// before there are threads.
///
/// # Errors
/// The system refuses one of it; all else is done.
pub fn keep_private() -> nix::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    let no_cores = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let not_dumpable = prctl::set_dumpable(false);
    no_cores.and(not_dumpable)
}
