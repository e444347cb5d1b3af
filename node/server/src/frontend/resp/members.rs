//! Members of keys as clients.

use herd_crdt::CLIENT_ID_BYTES_MAX;
use herd_protocol::resp::{Arguments, Geoadd, InvalidRequest, Member, RespCommand, write_degrees};

/// A buffer that has grown beyond this is not kept, in bytes.
const KEPT_BYTES_MAX: usize = 4 * 1_024;

/// The IDs of a request's members have together at most this number of bytes, and at most
/// [`IDS_BYTES_PER_LINE_BYTE`] times those of the longest request: the key is in each of them, so that a request of 64 KiB
/// could grow to 100 MB.
const IDS_BYTES_MAX: usize = 1_024 * 1_024;

const IDS_BYTES_PER_LINE_BYTE: usize = 16;

/// What waits for one member while the store is read takes about this number of bytes besides the ID.
const WAITING_MEMBER_BYTES: usize = 300;

/// Stands between key and member in the ID of a client.
const SEPARATOR: u8 = b'/';

/// Looks at how long the IDs of a request's members are together, before one is built. A request has at most
/// `command_bytes_max` bytes.
///
/// # Errors
/// With the most that they may have.
pub(super) fn check_ids(command: &RespCommand<'_>, command_bytes_max: usize) -> Result<(), usize> {
    let bytes = match command {
        RespCommand::Geoadd(geoadd) => geoadd_ids_bytes(geoadd),
        RespCommand::Geopos { key, members } | RespCommand::Zrem { key, members } => {
            ids_bytes(key, *members)
        }
        RespCommand::Geodist { key, members, .. } => {
            members.iter().map(|member| id_bytes(key, member)).sum()
        }
        // They have as many bytes as the request.
        _ => return Ok(()),
    };
    let most = IDS_BYTES_MAX.min(command_bytes_max.saturating_mul(IDS_BYTES_PER_LINE_BYTE));
    if bytes > most { Err(most) } else { Ok(()) }
}

fn id_bytes(key: &[u8], member: &[u8]) -> usize {
    key.len() + 1 + member.len()
}

fn ids_bytes(key: &[u8], members: Arguments<'_>) -> usize {
    members.iter().map(|member| id_bytes(key, member)).sum()
}

fn geoadd_ids_bytes(geoadd: &Geoadd<'_>) -> usize {
    let members = geoadd.members();
    members
        .map(|member| id_bytes(geoadd.key, member.name))
        .sum()
}

/// The memory of what waits for these members while the store is read, in bytes.
pub(super) fn waiting_bytes(key: &[u8], members: Arguments<'_>) -> usize {
    ids_bytes(key, members) + members.len() * WAITING_MEMBER_BYTES
}

/// The memory of what waits for these clients while the store is read, in bytes.
pub(super) fn waiting_clients_bytes(clients: &[Vec<u8>]) -> usize {
    let ids: usize = clients.iter().map(Vec::len).sum();
    ids + clients.len() * WAITING_MEMBER_BYTES
}

/// The client of a member to be asked about. An ID that is too long to be one is not kept: the empty one, of which
/// nothing is known either, is in its place.
pub(super) fn asked_client_of(key: &[u8], member: &[u8]) -> Vec<u8> {
    if id_bytes(key, member) > CLIENT_ID_BYTES_MAX {
        return Vec::new();
    }
    client_of(key, member)
}

/// The client of a member.
pub(super) fn client_of(key: &[u8], member: &[u8]) -> Vec<u8> {
    let mut client = Vec::with_capacity(key.len() + 1 + member.len());
    write_client(key, member, &mut client);
    client
}

/// The beginning of the IDs of a key's members.
pub(super) fn prefix_of(key: &[u8]) -> Vec<u8> {
    client_of(key, b"")
}

/// Appends the client of a member.
pub(super) fn write_client(key: &[u8], member: &[u8], client: &mut Vec<u8>) {
    client.extend_from_slice(key);
    client.push(SEPARATOR);
    client.extend_from_slice(member);
}

/// A client and its location, in buffers that are used again and again.
#[derive(Debug, Default)]
pub(super) struct PlacedClient {
    pub(super) client: Vec<u8>,
    pub(super) location: Vec<u8>,
}

impl PlacedClient {
    /// Writes a member of a key.
    ///
    /// # Errors
    /// If a coordinate is no number. Whether both are in range is not looked at.
    pub(super) fn set(&mut self, key: &[u8], member: &Member<'_>) -> Result<(), InvalidRequest> {
        self.client.clear();
        self.location.clear();
        write_client(key, member.name, &mut self.client);
        write_degrees(member.latitude, &mut self.location)?;
        write_degrees(member.longitude, &mut self.location)
    }

    /// Gives memory back that one long member took.
    pub(super) fn shrink(&mut self) {
        self.client.truncate(KEPT_BYTES_MAX);
        self.client.shrink_to(KEPT_BYTES_MAX);
        self.location.truncate(KEPT_BYTES_MAX);
        self.location.shrink_to(KEPT_BYTES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use herd_protocol::resp::CommandReader;

    use super::*;

    /// Whether a request of `count` members is let through.
    fn may_be(word: &str, key_bytes: usize, operands: &[&str], count: usize) -> bool {
        let key = "k".repeat(key_bytes);
        let mut words = vec![word, &key];
        words.extend(
            operands
                .iter()
                .copied()
                .cycle()
                .take(operands.len() * count),
        );
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        let limit = 64 * 1_024;
        let mut reader = CommandReader::new(limit);
        reader.push(text.as_bytes());
        let request = reader.next_request().unwrap().unwrap();
        let command = RespCommand::parse(request.arguments).unwrap();
        check_ids(&command, limit).is_ok()
    }

    #[test]
    fn the_ids_of_a_request_are_bounded_together() {
        // With key and slash, an ID of 1,024 bytes: 1,024 of them are as many as may be.
        for (word, operands) in [
            ("GEOPOS", &["m"][..]),
            ("ZREM", &["m"]),
            ("GEOADD", &["1", "1", "m"]),
        ] {
            assert!(may_be(word, 1_022, operands, 1_024), "{word}");
            assert!(!may_be(word, 1_022, operands, 1_025), "{word}");
            assert!(!may_be(word, 1_023, operands, 1_024), "{word}");
        }
        assert!(may_be("GEODIST", 30_000, &["m"], 2));
    }

    #[test]
    fn an_id_that_is_too_long_is_not_kept() {
        let longest = asked_client_of(&[b'k'; 8_190], b"m");
        assert_eq!(longest.len(), CLIENT_ID_BYTES_MAX);
        assert!(asked_client_of(&[b'k'; 8_191], b"m").is_empty());
    }
}
