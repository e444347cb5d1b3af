//! The lines of a stream.

use herd_crdt::Record;

/// A line of a stream, about one client or about all. Each record was the current one when it was told.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// The newest record of a client.
    At(&'a Record),
    /// A client that is inside now.
    Enter(&'a Record),
    /// A client that is not inside any more.
    Leave(&'a Record),
    /// The client in the middle of the area.
    Centre(&'a Record),
    /// A client that is not known any more.
    Gone(&'a [u8]),
    /// All that is so now was told: so many clients.
    Live(usize),
}

impl<'a> Said<'a> {
    /// The first words of all lines.
    pub const WORDS: [&'static str; 6] = ["AT", "ENTER", "LEAVE", "CENTRE", "GONE", "LIVE"];

    /// The record that is told, if one is.
    #[must_use]
    pub fn record(self) -> Option<&'a Record> {
        match self {
            Said::At(record) | Said::Enter(record) | Said::Leave(record) | Said::Centre(record) => {
                Some(record)
            }
            Said::Gone(_) | Said::Live(_) => None,
        }
    }

    /// The first word of the line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Said::At(_) => "AT",
            Said::Enter(_) => "ENTER",
            Said::Leave(_) => "LEAVE",
            Said::Centre(_) => "CENTRE",
            Said::Gone(_) => "GONE",
            Said::Live(_) => "LIVE",
        }
    }
}
