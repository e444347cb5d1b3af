//! Members of keys as clients.

use herd_protocol::resp::{InvalidRequest, Member, write_degrees};

/// A buffer that has grown beyond this is not kept, in bytes.
pub(super) const KEPT_BYTES_MAX: usize = 4 * 1_024;

/// Stands between key and member in the ID of a client.
const SEPARATOR: u8 = b'/';

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
