//! Frames of a link, and messages of gossip in them, as servers write them and as they never would.

use std::net::Ipv6Addr;

/// Kinds of frames.
pub(crate) const HELLO: u8 = 1;
pub(crate) const REFUSAL: u8 = 2;
pub(crate) const GOSSIP: u8 = 3;
pub(crate) const REPORT: u8 = 4;

/// Unknown kinds of frames from this one on are skipped.
pub(crate) const SKIPPABLE_FROM: u8 = 128;

/// Kinds of messages of gossip.
pub(crate) const SYN: u8 = 0;
pub(crate) const SYN_ACK: u8 = 1;
pub(crate) const ACK: u8 = 2;

/// The longest frame that is read, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 128 * 1024;

/// The maximal size of a block in gossip, in bytes.
pub(crate) const BLOCK_BYTES: usize = 16_384;

/// A frame behind its length.
pub(crate) fn framed(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() + 1) as u32;
    [&length.to_be_bytes()[..], &[kind], content].concat()
}

/// A number as bincode writes it.
pub(crate) fn number(value: u64) -> Vec<u8> {
    match value {
        0..=250 => vec![value as u8],
        251..=0xffff => [&[251][..], &(value as u16).to_le_bytes()].concat(),
        0x1_0000..=0xffff_ffff => [&[252][..], &(value as u32).to_le_bytes()].concat(),
        _ => [&[253][..], &value.to_le_bytes()].concat(),
    }
}

/// A text as bincode writes it.
pub(crate) fn text(value: &str) -> Vec<u8> {
    [number(value.len() as u64), value.as_bytes().to_vec()].concat()
}

/// The frame with which `from`, of the herd of these tests, greets `to`.
pub(crate) fn hello(from: &str, to: &str, generation: u64) -> Vec<u8> {
    let names = ["test", from, to].map(text).concat();
    let content = [vec![1], names, number(generation), number(0)].concat();
    framed(HELLO, &content)
}

/// An applied report: server, generation, version merged, version durable.
pub(crate) fn report(clock_ns: i64, entries: &[(&str, u64, u64, u64)]) -> Vec<u8> {
    // Signs are at the end, as in all of bincode's numbers.
    let clock = ((clock_ns << 1) ^ (clock_ns >> 63)) as u64;
    let mut content = [number(clock), number(entries.len() as u64)].concat();
    for &(server, generation, merged, durable) in entries {
        content.extend(text(server));
        for value in [generation, merged, durable] {
            content.extend(number(value));
        }
    }
    framed(REPORT, &content)
}

/// The address that gossip knows a server under, which is made from its name.
fn address(name: &str) -> Vec<u8> {
    let hash = name.bytes().fold(
        0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128,
        |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b),
    );
    let mut octets = hash.to_be_bytes();
    octets[0] = 0xfd;
    let ip = Ipv6Addr::from(octets).octets();
    [&[6][..], &ip, &1_u16.to_le_bytes()].concat()
}

fn short_text(value: &[u8]) -> Vec<u8> {
    [&(value.len() as u16).to_le_bytes()[..], value].concat()
}

/// The id of an incarnation.
fn id(name: &str, generation: u64) -> Vec<u8> {
    let name_bytes = short_text(name.as_bytes());
    [name_bytes, generation.to_le_bytes().to_vec(), address(name)].concat()
}

/// A line of a digest: heartbeat, last version collected, version.
pub(crate) fn entry(name: &str, generation: u64, numbers: [u64; 3]) -> Vec<u8> {
    let numbers = numbers.map(u64::to_le_bytes).concat();
    [id(name, generation), numbers].concat()
}

/// A digest that claims to have `claimed` lines.
pub(crate) fn digest(claimed: usize, entries: &[Vec<u8>]) -> Vec<u8> {
    [(claimed as u16).to_le_bytes().to_vec(), entries.concat()].concat()
}

/// The operation that says of which incarnation those that follow are, and from which version on.
pub(crate) fn node(name: &str, generation: u64, from: u64) -> Vec<u8> {
    let numbers = [0, from].map(u64::to_le_bytes).concat();
    [vec![0], id(name, generation), numbers].concat()
}

/// The operation that sets a key.
pub(crate) fn set(key: &str, value: &[u8], version: u64) -> Vec<u8> {
    [
        vec![1],
        short_text(key.as_bytes()),
        short_text(value),
        version.to_le_bytes().to_vec(),
        vec![0],
    ]
    .concat()
}

/// A block of a delta, compressed.
pub(crate) fn block(bytes: &[u8]) -> Vec<u8> {
    let packed = zstd::bulk::compress(bytes, 0).unwrap();
    let length = u16::try_from(packed.len()).unwrap().to_le_bytes();
    [&[1][..], &length, &packed].concat()
}

/// Operations in blocks, compressed.
pub(crate) fn delta(operations: &[Vec<u8>]) -> Vec<u8> {
    let operations = operations.concat();
    let blocks: Vec<Vec<u8>> = operations.chunks(BLOCK_BYTES).map(block).collect();
    [blocks.concat(), vec![0]].concat()
}

/// A message of gossip in its frame.
pub(crate) fn gossip(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let magic = 45_139_u16.to_le_bytes();
    framed(GOSSIP, &[&magic[..], &[0, kind], &parts.concat()].concat())
}

/// The message that begins a round.
pub(crate) fn syn(entries: &[Vec<u8>]) -> Vec<u8> {
    let digest = digest(entries.len(), entries);
    gossip(SYN, &[&digest, &short_text(b"test")])
}

/// The message that ends one.
pub(crate) fn ack(operations: &[Vec<u8>]) -> Vec<u8> {
    gossip(ACK, &[&delta(operations)])
}
