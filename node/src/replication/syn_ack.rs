//! A SYN-ACK in the name of a neighbour, which makes chitchat send what that lacks: see `push`.

use chitchat::{ChitchatMessage, Deserializable, Serializable};

use super::engine::chitchat_id;
use super::push::Comparison;

/// The SYN-ACK of a neighbour that has what the comparison says, and nothing for us. Heartbeats in it are 0, which
/// are no sign of life. `None` if there are more incarnations than a digest can name.
pub(super) fn syn_ack(comparison: &Comparison) -> Option<ChitchatMessage> {
    let mut bytes = Vec::new();
    u16::try_from(comparison.0.len())
        .ok()?
        .serialize(&mut bytes);
    for node in &comparison.0 {
        let (heartbeat, last_gc_version) = (0_u64, 0_u64);
        chitchat_id(&node.incarnation).serialize(&mut bytes);
        heartbeat.serialize(&mut bytes);
        last_gc_version.serialize(&mut bytes);
        node.neighbours_version.serialize(&mut bytes);
    }
    // Others have no way to make a digest but to decode one, from what chitchat's own encoders write.
    let digest = Deserializable::deserialize(&mut bytes.as_slice()).ok()?;
    Some(ChitchatMessage::SynAck {
        digest,
        delta: Default::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::incarnation::Incarnation;
    use super::super::push::NodeVersions;
    use super::*;

    #[test]
    fn it_says_what_the_neighbour_has_as_chitchat_would() {
        let node = |server: &str, own_version, neighbours_version| NodeVersions {
            incarnation: Incarnation {
                server: server.into(),
                generation: 7,
            },
            own_version,
            neighbours_version,
        };
        let comparison = Comparison(vec![node("Hill", 9, 4), node("Smith", 2, 3)]);
        let message = syn_ack(&comparison).expect("two nodes fit");
        let bytes = message.serialize_to_vec();
        let read = ChitchatMessage::deserialize(&mut bytes.as_slice()).expect("it is a message");
        assert_eq!(read, message);
        let ChitchatMessage::SynAck { digest, delta } = read else {
            panic!("not a SYN-ACK");
        };
        assert_eq!(delta, Default::default(), "nothing for us");
        let digest = format!("{digest:?}");
        for said in ["max_version: 4", "max_version: 3"] {
            assert!(digest.contains(said), "{digest}");
        }
        assert!(!digest.contains("max_version: 9"), "{digest}");
    }
}
