//! What a server may send and this one does not want is left out, and the rest is taken.

use chitchat::{ChitchatMessage, Deserializable as _};
use herd_gossip::guard::{BLOCK_BYTES_MAX, DELTA_BYTES_MAX, Guard, LeftOut, OPERATIONS_MAX};

use super::engines::meaning;
use super::forge::*;

/// What chitchat reads of what was let through.
fn taken(guard: &Guard, bytes: &[u8]) -> String {
    let checked = check(guard, bytes).unwrap();
    let message = ChitchatMessage::deserialize(&mut checked.bytes.as_slice());
    format!("{:?}", message.unwrap())
}

#[test]
fn what_is_let_through_means_the_same() {
    let guard = guard();
    let entries = [
        entry("Hill", 7, [5, 0, 9]),
        entry("Smith", 1, [5, 0, 8]),
        entry("Smith", 3, [5, 2, 8]),
    ];
    let operations = [
        node("Smith", 3, 0, 5),
        set("slot/00000001", b"~abc", 6),
        set("links", "up 1 Hill\n".as_bytes(), 9),
        node("Smith", 1, 4, 0),
        max_version(4),
    ];
    let blocks = packed(&operations.concat(), BLOCK_BYTES_MAX);
    let bytes = message(SYN_ACK, &[&digest(&entries), &blocks]);
    let before = ChitchatMessage::deserialize(&mut bytes.as_slice()).unwrap();
    let checked = check(&guard, &bytes).unwrap();
    let after = ChitchatMessage::deserialize(&mut checked.bytes.as_slice()).unwrap();
    assert_eq!(meaning(&after), meaning(&before));
    assert_eq!(checked.delta_bytes, Some(blocks.len()));
}

#[test]
fn others_have_nothing_to_say_of_what_this_server_publishes() {
    let guard = guard();
    let own = node("Hill", me().generation, 0, 0);
    let operations = [
        own,
        set("slot/00000000", b"stolen", 1_000),
        node("Smith", 1, 0, 0),
        set("links", b"up", 3),
    ];
    let message = taken(&guard, &ack(&operations));
    assert!(!message.contains("stolen"), "{message}");
    assert!(message.contains("links"), "{message}");
    assert_eq!(guard.counts().left_out(LeftOut::Own), 1);
}

#[test]
fn a_delta_beyond_the_bounds_is_taken_up_to_them() {
    let guard = guard();
    // Regular as slots that were emptied are.
    let mut operations = vec![node("Smith", 1, 0, 0)];
    let values = vec![b'a'; 1_000];
    operations
        .extend((1..=1_000).map(|number| set(&format!("slot/{number:08x}"), &values, number)));
    let blocks = packed(&operations.concat(), BLOCK_BYTES_MAX);
    let checked = check(&guard, &message(ACK, &[&blocks])).unwrap();
    assert!(checked.bytes.len() <= DELTA_BYTES_MAX + 100);
    assert!(checked.bytes.len() + BLOCK_BYTES_MAX > DELTA_BYTES_MAX);
    assert!(ChitchatMessage::deserialize(&mut checked.bytes.as_slice()).is_ok());
    assert_eq!(guard.counts().left_out(LeftOut::Size), 1);

    let mut operations = vec![node("Smith", 1, 0, 0)];
    let many = OPERATIONS_MAX as u64 + 10;
    operations.extend((1..=many).map(|number| set(&format!("k{number}"), b"", number)));
    let blocks = packed(&operations.concat(), BLOCK_BYTES_MAX);
    let message = taken(&guard, &message(ACK, &[&blocks]));
    let last = OPERATIONS_MAX - 1;
    assert!(message.contains(&format!("\"k{last}\"")));
    assert!(!message.contains(&format!("\"k{}\"", last + 1)));
    assert_eq!(guard.counts().left_out(LeftOut::Size), 2);
}
