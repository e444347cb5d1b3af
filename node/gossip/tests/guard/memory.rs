//! What a check allocates is bounded by a constant and the bytes of the message, whatever they say.

use chitchat::{ChitchatMessage, Deserializable as _};
use herd_gossip::guard::{BLOCK_BYTES_MAX, DELTA_BYTES_MAX};
use herd_gossip::link::frame::FRAME_BYTES_MAX;
use proptest::collection::vec;
use proptest::prelude::*;

use super::forge::*;

/// The most bytes in use at once for each byte of the message.
const FACTOR: u64 = 8;
/// The most bytes in use at once beside that: a delta, its copy and what is noted of its operations, and the tables of
/// zstd.
const CONSTANT: u64 = 8 * DELTA_BYTES_MAX as u64;

fn peak(bytes: &[u8]) -> u64 {
    let guard = guard();
    let measured = allocation_counter::measure(|| {
        let checked = check(&guard, bytes);
        drop(std::hint::black_box(checked));
    });
    measured.bytes_max
}

fn assert_bounded(bytes: &[u8]) {
    let peak = peak(bytes);
    let allowed = FACTOR * bytes.len() as u64 + CONSTANT;
    assert!(peak <= allowed, "{peak} bytes for {} bytes", bytes.len());
}

#[test]
fn the_counter_counts() {
    let operations = [node("Smith", 1, 0, 0), set("links", &[b'a'; 10_000], 1)];
    assert!(peak(&ack(&operations)) >= 10_000);
}

#[test]
fn frames_that_unpack_to_gigabytes_take_no_more() {
    for (block_bytes, fill) in [(65_535, 0), (BLOCK_BYTES_MAX, 0), (BLOCK_BYTES_MAX, 1)] {
        let bytes = vec![fill; block_bytes];
        let bomb = block(1, &zstd::bulk::compress(&bytes, 0).unwrap());
        let bombs = bomb.repeat(128 * 1024 / bomb.len());
        assert_bounded(&message(ACK, &[&bombs, &[0]]));
        assert_bounded(&message(SYN_ACK, &[&digest(&[]), &bombs, &[0]]));
    }
}

#[test]
fn the_smallest_operations_and_the_most_ids_take_no_more() {
    let mut operations = vec![node("Smith", 1, 0, 0)];
    operations.extend((1..=30_000).map(|number| set(&format!("k{number}"), b"", number)));
    let blocks = packed(&operations.concat(), BLOCK_BYTES_MAX);
    assert_bounded(&message(ACK, &[&blocks]));
    let entries: Vec<_> = (0..2_400)
        .map(|generation| entry("A", generation, [0; 3]))
        .collect();
    assert_bounded(&syn(&entries));
    let nodes: Vec<_> = (0..5_000)
        .map(|generation| node("A", generation, 0, 0))
        .collect();
    assert_bounded(&message(ACK, &[&packed(&nodes.concat(), BLOCK_BYTES_MAX)]));
    // Counts that lie.
    assert_bounded(&message(SYN, &[&[0xff, 0xff]]));
}

/// The messages that take most, by what they have most of.
fn largest() -> Vec<(&'static str, Vec<u8>)> {
    let mut many = vec![node("Smith", 1, 0, 0)];
    many.extend((1..=30_000).map(|number| set(&format!("k{number}"), b"", number)));
    let mut long = vec![node("Smith", 1, 0, 0)];
    long.extend((1..=30).map(|number| set(&format!("k{number}"), &[b'a'; 16_000], number)));
    let nodes: Vec<_> = (0..8_000)
        .map(|generation| node("A", generation, 0, 0))
        .collect();
    let delta = |operations: &[Vec<u8>]| packed(&operations.concat(), BLOCK_BYTES_MAX);
    let entries: Vec<_> = (0..2_100)
        .map(|generation| entry("A", generation, [0; 3]))
        .collect();
    let all_ids = digest(&entries);
    vec![
        ("operations", message(ACK, &[&delta(&many)])),
        ("bytes", message(ACK, &[&delta(&long)])),
        ("ids in operations", message(ACK, &[&delta(&nodes)])),
        ("ids in a digest", syn(&entries)),
        ("all of it", message(SYN_ACK, &[&all_ids, &delta(&nodes)])),
    ]
}

/// The most that a message takes while it is read, by docs/security.md.
const MESSAGE_PEAK_BYTES_MAX: u64 = 4 << 20;

/// What is no part of a message, such as the first blocks of a growing table.
const UNCOUNTED_BYTES_MAX: u64 = 16 << 10;

#[test]
fn a_message_takes_the_documented_and_counted_memory() {
    for (name, bytes) in largest() {
        assert!(bytes.len() <= FRAME_BYTES_MAX, "{name}: {}", bytes.len());
        let guard = guard();
        // Tables and room that are made once.
        drop(check(&guard, &bytes));
        let mut counted = 0;
        let taken = allocation_counter::measure(|| {
            let checked = check(&guard, &bytes).unwrap();
            counted = checked.cost_bytes as u64;
            let message = ChitchatMessage::deserialize(&mut checked.bytes.as_slice()).unwrap();
            // As it waits for chitchat.
            drop(checked);
            std::mem::forget(std::hint::black_box(message));
        });
        let (peak, held) = (taken.bytes_max, taken.bytes_current.unsigned_abs());
        println!(
            "{name}: {} KiB at most, {} while it waits, {} counted",
            peak / 1024,
            held / 1024,
            counted / 1024
        );
        assert!(peak <= MESSAGE_PEAK_BYTES_MAX, "{name}: {peak}");
        assert!(held <= counted + UNCOUNTED_BYTES_MAX, "{name}: {held}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_take_no_more(kind in 0..3_u8, bytes in vec(any::<u8>(), 0..2_000)) {
        assert_bounded(&message(kind, &[&bytes]));
    }
}
