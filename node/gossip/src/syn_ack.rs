//! A SYN-ACK in the name of a neighbour, which makes chitchat send what that lacks: see [`herd_replica::push`].

use chitchat::ChitchatMessage;

use super::digests::{Entry, syn_ack_of};
use herd_replica::push::Comparison;

/// The SYN-ACK of a neighbour that has what the comparison says, and nothing for us. Heartbeats in it are 0, which
/// are no sign of life. `None` if there are more incarnations than a digest can name.
pub(crate) fn syn_ack(comparison: &Comparison) -> Option<ChitchatMessage> {
    let entries = comparison.0.iter().map(|node| Entry {
        incarnation: &node.incarnation,
        heartbeat: 0,
        last_gc_version: 0,
        version: node.neighbours_version,
    });
    syn_ack_of(entries)
}

#[cfg(test)]
#[path = "syn_ack_tests.rs"]
mod pushes;

#[cfg(test)]
mod tests {
    use chitchat::{Deserializable as _, Serializable as _};

    use super::super::incarnation::Incarnation;
    use super::*;
    use herd_replica::push::NodeVersions;

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
