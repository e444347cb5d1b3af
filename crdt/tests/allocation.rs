//! The bytes of a group bound the allocations of decoding it, whatever its content.

use herd_crdt::codec::encode_into;
use herd_crdt::group::{GROUP_BYTES_MAX, GROUP_FORMAT_VERSION, GroupBuilder, decode_group};
use herd_crdt::{NANOSECONDS_PER_SECOND, Record};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Bytes allocated, all in all, for each byte of the input.
const FACTOR: u64 = 24;
/// Bytes allocated for an error's text.
const ERROR_BYTES_MAX: u64 = 1_024;

/// The bytes that decoding `bytes` allocated in all, freed or not.
fn allocated(bytes: &[u8]) -> u64 {
    let measured = allocation_counter::measure(|| {
        let decoded = decode_group(bytes);
        drop(std::hint::black_box(decoded));
    });
    measured.bytes_total
}

fn allowed(bytes: &[u8]) -> u64 {
    FACTOR * bytes.len() as u64 + ERROR_BYTES_MAX
}

fn group(records: usize, server: impl Fn(usize) -> String) -> Vec<u8> {
    let mut builder = GroupBuilder::default();
    for i in 0..records {
        let record = Record::new(
            i.to_string().as_bytes(),
            b"+0+0",
            b"1",
            server(i).as_str().into(),
            NANOSECONDS_PER_SECOND,
        );
        if !record.is_ok_and(|record| builder.try_push(&record)) {
            break;
        }
    }
    builder.finish()
}

#[test]
fn the_counter_counts() {
    let bytes = group(usize::MAX, |_| "Hill".to_owned());
    assert!(bytes.len() > GROUP_BYTES_MAX - 100);
    let records = decode_group(&bytes).unwrap();
    let kept: usize = records
        .iter()
        .map(|r| size_of_val(r) + r.text_len() - 4)
        .sum();
    assert!(
        allocated(&bytes) >= kept as u64,
        "the counter sees what is kept"
    );
}

#[test]
fn groups_of_the_smallest_parts() {
    for bytes in [
        group(usize::MAX, |_| "h".to_owned()),
        group(usize::MAX, |i| format!("{i}")),
    ] {
        assert!(decode_group(&bytes).is_ok());
        assert!(
            allocated(&bytes) <= allowed(&bytes),
            "{} bytes",
            allocated(&bytes)
        );
    }
    // Nothing but names of one letter.
    let mut bytes = vec![GROUP_FORMAT_VERSION];
    encode_into(&vec!["h"; GROUP_BYTES_MAX / 2 - 10], &mut bytes).unwrap();
    encode_into(&0_u64, &mut bytes).unwrap();
    assert_eq!(decode_group(&bytes).unwrap(), []);
    assert!(
        allocated(&bytes) <= allowed(&bytes),
        "{} bytes",
        allocated(&bytes)
    );
}

/// Found by review: a count of 8,191 server names alone made the decoder reserve 128 KiB.
#[test]
fn counts_that_lie_reserve_nothing() {
    for count in [1_000_u64, 8_191, 8_192, 1 << 60, u64::MAX] {
        for zeros in 0..3 {
            let mut bytes = vec![GROUP_FORMAT_VERSION];
            bytes.extend(std::iter::repeat_n(0, zeros));
            encode_into(&count, &mut bytes).unwrap();
            assert!(decode_group(&bytes).is_err());
            assert!(
                allocated(&bytes) <= allowed(&bytes),
                "{} bytes",
                allocated(&bytes)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 3_000 }))]

    #[test]
    fn any_bytes(body in vec(any::<u8>(), 0..200)) {
        let bytes = [vec![GROUP_FORMAT_VERSION], body].concat();
        prop_assert!(allocated(&bytes) <= allowed(&bytes));
    }

    #[test]
    fn mutated_groups(
        records in 0..20_usize,
        servers in 1..4_usize,
        mutations in vec((any::<Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = group(records, |i| format!("server{}", i % servers));
        for (at, byte) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        prop_assert!(allocated(&bytes) <= allowed(&bytes));
    }
}
