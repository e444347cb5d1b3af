//! What the guard of gossip costs: a full message from bytes to chitchat's value, with the guard and without.
//!
//! `cargo bench -p herd-gossip --bench guard`.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../tests/guard/forge.rs"]
#[expect(dead_code, reason = "a bench needs some of it")]
mod forge;

use chitchat::{ChitchatMessage, Deserializable as _};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use herd_gossip::guard::BLOCK_BYTES_MAX;

use self::forge::{SYN_ACK, check, digest, entry, guard, message, node, packed, set};

/// Groups of the usual largest size, as text; as many as a message of chitchat's has room for.
const GROUPS: u64 = 5;
const TEXT_BYTES: usize = 16_000;

fn main() {
    divan::main();
}

/// A SYN-ACK of a busy herd of five: all that fits, in groups that were compressed before.
fn full() -> Vec<u8> {
    let mut state = 1_u64;
    let mut letter = || {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        b'0' + (state >> 58) as u8
    };
    let mut operations = node("Smith", 1, 0, 0);
    for number in 1..=GROUPS {
        let text: Vec<u8> = (0..TEXT_BYTES).map(|_| letter()).collect();
        operations.extend(set(&format!("slot/{number:08x}"), &text, number));
    }
    let names = ["Campbell", "Hill", "Jaquez", "Singleton", "Smith"];
    let entries = names.map(|name| entry(name, 1, [9, 0, 9]));
    let delta = packed(&operations, BLOCK_BYTES_MAX);
    message(SYN_ACK, &[&digest(&entries), &delta])
}

#[divan::bench]
fn chitchat_alone(bencher: Bencher<'_, '_>) {
    let bytes = full();
    assert!((60_000..=65_507).contains(&bytes.len()), "{}", bytes.len());
    let counter = BytesCount::new(bytes.len());
    bencher
        .counter(counter)
        .bench_local(|| ChitchatMessage::deserialize(&mut black_box(bytes.as_slice())).unwrap());
}

#[divan::bench]
fn guard_and_chitchat(bencher: Bencher<'_, '_>) {
    let (bytes, guard) = (full(), guard());
    let counter = BytesCount::new(bytes.len());
    bencher.counter(counter).bench_local(|| {
        let checked = check(&guard, black_box(&bytes)).unwrap();
        ChitchatMessage::deserialize(&mut checked.bytes.as_slice()).unwrap()
    });
}
