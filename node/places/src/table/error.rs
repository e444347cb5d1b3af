//! Why a table cannot be used.

use super::layout::FORMAT_VERSION;

/// Why bytes are not a table that this program can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The file is of another kind.
    #[error("not a table of places; make one with `herd places import`")]
    NotATable,
    /// A later program wrote it.
    #[error(
        "written in format {found}, and this program reads up to format {FORMAT_VERSION}; \
         use a newer herd, or make the table again with `herd places import`"
    )]
    NewerFormat {
        /// The format that the file names.
        found: u32,
    },
    /// The file was cut off, or something follows it.
    #[error("{found} bytes long where its header says {expected}; copy or make it again")]
    Length {
        /// The value in the header.
        expected: u64,
        /// How long it is.
        found: u64,
    },
    /// Its contents changed after it was written.
    #[error("damaged: checksum {found:08x} where its header says {expected:08x}; make it again")]
    Checksum {
        /// The value in the header.
        expected: u32,
        /// The value of the contents.
        found: u32,
    },
    /// Something in it contradicts the format.
    #[error("damaged: {what}; copy or make it again")]
    Damaged {
        /// The mistake.
        what: &'static str,
    },
    /// The sources in it cannot be read.
    #[error("damaged: its sources cannot be read ({reason}); copy or make it again")]
    Sources {
        /// The error of the reader of the sources.
        reason: String,
    },
    /// Raised when a table is made, not when one is read.
    #[error("it would hold more than 4 GiB of texts; split the input into several tables")]
    TooLarge,
    /// Raised when a table is made, not when one is read.
    #[error("the list of sources is too long; give fewer or shorter ones")]
    TooManySources,
}

pub(super) fn damaged(what: &'static str) -> TableError {
    TableError::Damaged { what }
}
