//! Where the time of a command goes in the protocol: lines, parse, reply.
//!
//! `cargo bench -p herd-server`.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use herd_crdt::Record;
use herd_protocol::{AtLine, Command, LINE_BYTES_MAX, LineReader};

const IAMAT: &[u8] = b"IAMAT client-000000042 +34.068930-118.445127 1520023934.918963997";
const WHATSAT: &[u8] = b"WHATSAT client-000000042 10 20";

/// How many lines come in one piece.
const LINES: usize = 128;

fn main() {
    divan::main();
}

#[divan::bench]
fn parse_iamat() -> bool {
    Command::parse(black_box(IAMAT)).is_ok()
}

#[divan::bench]
fn parse_whatsat() -> bool {
    Command::parse(black_box(WHATSAT)).is_ok()
}

#[divan::bench]
fn lines_of_a_piece(bencher: Bencher<'_, '_>) {
    let piece = [IAMAT, b"\n"].concat().repeat(LINES);
    let mut reader = LineReader::new(LINE_BYTES_MAX);
    bencher.counter(ItemsCount::new(LINES)).bench_local(|| {
        reader.push(black_box(&piece));
        let mut count = 0;
        while reader.next_line().is_some() {
            count += 1;
        }
        assert_eq!(count, LINES);
    });
}

#[divan::bench]
fn write_at_line(bencher: Bencher<'_, '_>) {
    let record = Record::new(
        b"client-000000042",
        b"+34.068930-118.445127",
        b"1520023934.918963997",
        "Hill".into(),
        1_520_023_935_182_837_383,
    );
    let record = record.unwrap();
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        AtLine::of(black_box(&record)).write(&mut out);
    });
}
