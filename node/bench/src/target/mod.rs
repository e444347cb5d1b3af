//! The target of a load: it writes requests and reads replies.

pub(crate) mod herd;
pub(crate) mod redis;
mod resp;

use super::spread::Spot;
use super::workload::{ClientNumber, Report};

/// A request that was sent and not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Awaited {
    /// The kind of request.
    pub(crate) kind: Kind,
    /// The client that it was about; of a search none.
    pub(crate) client: ClientNumber,
    /// When it should have gone out, in nanoseconds since the run began.
    pub(crate) due_ns: u64,
    /// Whether it counts, or belongs to the warm-up.
    pub(crate) is_measured: bool,
}

/// The kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client says where it is.
    Report,
    /// Someone asks where one is.
    LookUp,
    /// Someone asks which clients are around a place.
    Search,
}

/// A whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// How many bytes it takes.
    pub(crate) len_bytes: usize,
    /// Its content.
    pub(crate) verdict: Verdict,
}

/// The verdict on a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A reply that fits the request.
    Good,
    /// That the request was refused, or could not be done.
    Refused,
    /// A reply that does not fit the request.
    Wrong,
}

/// Bytes that are not a reply. The bytes after them cannot be understood either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAReply;

/// A protocol that a load can be put on.
pub(crate) trait Target {
    /// Appends the request that reports a position.
    fn write_report(&self, out: &mut Vec<u8>, report: &Report);

    /// Appends the request that asks for a client.
    fn write_look_up(&self, out: &mut Vec<u8>, client: ClientNumber);

    /// Appends the request that asks which clients are around a place.
    fn write_search(&self, out: &mut Vec<u8>, around: Spot);

    /// Reads the reply to `awaited` at the start of `input`; `None` if it is not whole yet.
    ///
    /// # Errors
    /// [`NotAReply`], if it never will be.
    fn read_reply(&self, input: &[u8], awaited: &Awaited) -> Result<Option<Reply>, NotAReply>;
}

/// How many bytes a client's ID has.
pub(crate) const CLIENT_ID_BYTES: usize = 16;

/// Appends the ID of a client: 16 bytes, about as long as `kiwi.cs.ucla.edu`.
pub(crate) fn push_client_id(out: &mut Vec<u8>, client: ClientNumber) {
    out.extend_from_slice(b"client-");
    super::digits::push_digits::<9>(out, client);
}

/// Whether `text` is the ID of a client.
fn is_client_id(text: &[u8], client: ClientNumber) -> bool {
    let Some(digits) = text.strip_prefix(b"client-") else {
        return false;
    };
    let number = digits.iter().fold(0_u64, |number, digit| {
        number
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit.wrapping_sub(b'0')))
    });
    text.len() == CLIENT_ID_BYTES && number == client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_have_their_length_and_are_recognised() {
        for client in [0, 7, 123_456_789, 999_999_999] {
            let mut id = Vec::new();
            push_client_id(&mut id, client);
            assert_eq!(id.len(), CLIENT_ID_BYTES);
            assert!(is_client_id(&id, client));
            assert!(!is_client_id(&id, client + 1));
            assert!(!is_client_id(&id[..15], client));
        }
    }
}
