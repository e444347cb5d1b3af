//! Errors and panics of fjall while it reads.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::super::StoreError;
use super::super::error::{has_descriptors, is_full, no_descriptors};

/// The kinds of faults.
#[derive(Debug)]
pub(super) enum Fault {
    /// Files are missing or garbled.
    Damaged(String),
    /// The disk or the system refused.
    Io(io::Error),
}

impl Fault {
    pub(super) fn into_error(self, data_dir: &Path, doing: &'static str) -> StoreError {
        match self {
            Fault::Damaged(what) => StoreError::Damaged {
                path: data_dir.to_owned(),
                what,
            },
            Fault::Io(source) => StoreError::from_io(data_dir, doing, source),
        }
    }
}

impl From<fjall::Error> for Fault {
    fn from(error: fjall::Error) -> Self {
        let text = error.to_string();
        match error {
            fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source))
                if !tells_damage(&source) =>
            {
                Fault::Io(source)
            }
            fjall::Error::Locked => Fault::Io(io::Error::new(io::ErrorKind::WouldBlock, text)),
            _ => Fault::Damaged(text),
        }
    }
}

/// Whether a file that must be there is missing, or is garbled. Any other error is the disk's or the system's doing,
/// and may pass.
fn tells_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{
        AlreadyExists, InvalidData, InvalidInput, IsADirectory, NotADirectory, NotFound, Other,
        UnexpectedEof,
    };
    !is_full(error)
        && (error.raw_os_error().is_none()
            || matches!(
                error.kind(),
                AlreadyExists
                    | InvalidData
                    | InvalidInput
                    | IsADirectory
                    | NotADirectory
                    | NotFound
                    | Other
                    | UnexpectedEof
            ))
}

/// Does `work`; a panic in it is damage, since fjall panics on files that it did not write.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        if !has_descriptors() {
            return Err(Fault::Io(no_descriptors()));
        }
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("no reason was given");
        Err(Fault::Damaged(format!(
            "the database could not make sense of its files ({text})"
        )))
    })
}
