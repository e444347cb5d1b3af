//! What a reply is to a connection: bytes.

use herd_protocol::Reply;

/// A reply that can be written.
pub(in crate::frontend) trait Written {
    /// Appends its bytes.
    fn write(&self, out: &mut Vec<u8>);
}

impl Written for Reply<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        Reply::write(self, out);
    }
}

impl Written for [u8] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}
