//! Digests of chitchat's messages, which it lets nobody look into or make: read and made through their encoding.
//!
//! A digest is a number of entries (two bytes), and for each an id, its heartbeat, the version up to which
//! deletions were forgotten, and its newest version.

use chitchat::{ChitchatId, ChitchatMessage, Deserializable, Serializable};

use super::incarnation::Incarnation;
use herd_topology::{NAME_BYTES_MAX, gossip_address};

/// What an entry takes besides the name: its length, the generation, an IPv6 address and its port, and three
/// numbers.
const ENTRY_REST_BYTES: usize = 2 + 8 + (1 + 16 + 2) + 3 * 8;

/// The most bytes of a digest of this many entries.
pub const fn digest_bytes_max(entries: usize) -> usize {
    2 + entries * (NAME_BYTES_MAX + ENTRY_REST_BYTES)
}

/// What a digest says of an incarnation.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Which one.
    pub incarnation: &'a Incarnation,
    /// Its last heartbeat.
    pub heartbeat: u64,
    /// Up to which deletions were forgotten; only a SYN of our own has to say it.
    pub last_gc_version: u64,
    /// The newest version of its state.
    pub version: u64,
}

/// A SYN with this digest: it begins a round. `None` if there are more incarnations than a digest can name.
pub fn syn_of<'a>(
    cluster: &str,
    entries: impl ExactSizeIterator<Item = Entry<'a>>,
) -> Option<ChitchatMessage> {
    let bytes = digest_bytes(entries)?;
    Some(ChitchatMessage::Syn {
        cluster_id: cluster.to_owned(),
        digest: Deserializable::deserialize(&mut bytes.as_slice()).ok()?,
    })
}

/// A SYN-ACK with this digest and nothing else. `None` if there are more incarnations than a digest can name.
pub fn syn_ack_of<'a>(
    entries: impl ExactSizeIterator<Item = Entry<'a>>,
) -> Option<ChitchatMessage> {
    let bytes = digest_bytes(entries)?;
    Some(ChitchatMessage::SynAck {
        digest: Deserializable::deserialize(&mut bytes.as_slice()).ok()?,
        delta: Default::default(),
    })
}

/// An encoded digest. Others have no way to make one but to decode it, from what chitchat's own encoders write.
fn digest_bytes<'a>(entries: impl ExactSizeIterator<Item = Entry<'a>>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    u16::try_from(entries.len()).ok()?.serialize(&mut bytes);
    for entry in entries {
        chitchat_id(entry.incarnation).serialize(&mut bytes);
        entry.heartbeat.serialize(&mut bytes);
        entry.last_gc_version.serialize(&mut bytes);
        entry.version.serialize(&mut bytes);
    }
    Some(bytes)
}

/// The message without those entries of its digest that are not to be `kept`, and how many these were. Of a server's
/// incarnations the newest are asked about first, since there may not be room for all. Deltas need no
/// such care: chitchat leaves out what they say of ids that no digest told it.
pub fn retain(
    mut message: ChitchatMessage,
    kept: impl FnMut(&ChitchatId) -> bool,
) -> (ChitchatMessage, usize) {
    let left_out = match &mut message {
        ChitchatMessage::Syn { digest, .. } | ChitchatMessage::SynAck { digest, .. } => {
            retain_in(digest, kept)
        }
        _ => 0,
    };
    (message, left_out)
}

fn retain_in<D>(digest: &mut D, mut kept: impl FnMut(&ChitchatId) -> bool) -> usize
where
    D: Serializable + Deserializable + Default,
{
    let bytes = digest.serialize_to_vec();
    let Some(entries) = entries_of(&bytes) else {
        // chitchat does not read what it writes: let it see none of it.
        *digest = D::default();
        return 0;
    };
    let count = entries.len();
    let mut kept: Vec<&[u8]> = entries
        .into_iter()
        .rev()
        .filter_map(|(id, bytes)| kept(&id).then_some(bytes))
        .collect();
    kept.reverse();
    let left_out = count - kept.len();
    if left_out > 0 {
        let mut bytes = Vec::new();
        // No more than there were, and their number was one of two bytes.
        u16::try_from(kept.len())
            .unwrap_or(u16::MAX)
            .serialize(&mut bytes);
        bytes.extend(kept.concat());
        *digest = Deserializable::deserialize(&mut bytes.as_slice()).unwrap_or_default();
    }
    left_out
}

/// The ids of an encoded digest, each with the bytes of its entry.
fn entries_of(bytes: &[u8]) -> Option<Vec<(ChitchatId, &[u8])>> {
    let mut rest = bytes;
    let count = u16::deserialize(&mut rest).ok()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let entry = rest;
        let id = ChitchatId::deserialize(&mut rest).ok()?;
        let [_heartbeat, _last_gc_version, _version]: [u64; 3] = [
            u64::deserialize(&mut rest).ok()?,
            u64::deserialize(&mut rest).ok()?,
            u64::deserialize(&mut rest).ok()?,
        ];
        entries.push((id, entry.get(..entry.len() - rest.len())?));
    }
    Some(entries)
}

/// The id of an incarnation as chitchat knows it.
pub fn chitchat_id(incarnation: &Incarnation) -> ChitchatId {
    let address = gossip_address(&incarnation.server);
    ChitchatId::new(incarnation.server.clone(), incarnation.generation, address)
}

/// The incarnation that an id of chitchat stands for.
pub fn incarnation_of(id: &ChitchatId) -> Incarnation {
    Incarnation {
        server: id.node_id.clone(),
        generation: id.generation_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incarnation(server: &str, generation: u64) -> Incarnation {
        Incarnation {
            server: server.into(),
            generation,
        }
    }

    fn message(incarnations: &[Incarnation]) -> ChitchatMessage {
        let entries = incarnations.iter().map(|incarnation| Entry {
            incarnation,
            heartbeat: 7,
            last_gc_version: 0,
            version: 9,
        });
        syn_ack_of(entries).expect("they fit")
    }

    #[test]
    fn a_digest_loses_only_the_ids_that_are_not_retained() {
        let known = [incarnation("Hill", 1), incarnation("Smith", 2)];
        let all = message(&known);
        let ChitchatMessage::SynAck { digest, .. } = all else {
            panic!("it is a SYN-ACK");
        };
        let cluster_id = "herd".to_owned();
        let syn = |digest| ChitchatMessage::Syn {
            cluster_id: cluster_id.clone(),
            digest,
        };
        let (same, left_out) = retain(syn(digest), |_| true);
        assert_eq!(left_out, 0);
        let (without, left_out) = retain(same, |id| &*id.node_id != "Hill");
        assert_eq!(left_out, 1);
        let ChitchatMessage::SynAck { digest, .. } = message(&known[1..]) else {
            panic!("it is a SYN-ACK");
        };
        assert_eq!(without, syn(digest));
        let ack = || ChitchatMessage::Ack {
            delta: Default::default(),
        };
        assert_eq!(retain(ack(), |_| false), (ack(), 0));
    }

    #[test]
    fn no_digest_is_longer_than_its_bound() {
        let name = "n".repeat(NAME_BYTES_MAX);
        let known: Vec<Incarnation> = (0..20).map(|number| incarnation(&name, number)).collect();
        let ChitchatMessage::SynAck { digest, .. } = message(&known) else {
            panic!("it is a SYN-ACK");
        };
        assert_eq!(digest.serialized_len(), digest_bytes_max(20));
    }
}
