//! Messages as chitchat writes them, and as it never would.

use std::net::{IpAddr, SocketAddr};

use herd_gossip::guard::{Checked, Fault, Guard, Standpoint};
use herd_topology::Incarnation;
use herd_topology::gossip_address;

pub(crate) const SYN: u8 = 0;
pub(crate) const SYN_ACK: u8 = 1;
pub(crate) const ACK: u8 = 2;
pub(crate) const CLUSTER: &str = "herd";
/// What [`me`] has published.
pub(crate) const OWN_VERSION: u64 = 9;
pub(crate) const GENERATION_MAX: u64 = 1_000_000;

pub(crate) fn incarnation(server: &str, generation: u64) -> Incarnation {
    let server = server.into();
    Incarnation { server, generation }
}

/// Whose guard it is.
pub(crate) fn me() -> Incarnation {
    incarnation("Hill", 7)
}

pub(crate) fn guard() -> Guard {
    Guard::new(&["Hill".into(), "Smith".into(), "Jaquez".into()])
}

pub(crate) fn check(guard: &Guard, bytes: &[u8]) -> Result<Checked, Fault> {
    let own = me();
    let standpoint = Standpoint {
        cluster: CLUSTER,
        own: &own,
        own_version: OWN_VERSION,
        generation_max: GENERATION_MAX,
    };
    guard.check(bytes, &standpoint)
}

pub(crate) fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text);
}

pub(crate) fn id(out: &mut Vec<u8>, name: &str, generation: u64, address: SocketAddr) {
    text(out, name.as_bytes());
    out.extend(generation.to_le_bytes());
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend(ip.octets());
        }
    }
    out.extend(address.port().to_le_bytes());
}

/// A line of a digest.
pub(crate) fn entry(name: &str, generation: u64, numbers: [u64; 3]) -> Vec<u8> {
    let mut out = Vec::new();
    id(&mut out, name, generation, gossip_address(name));
    for number in numbers {
        out.extend(number.to_le_bytes());
    }
    out
}

pub(crate) fn digest(entries: &[Vec<u8>]) -> Vec<u8> {
    let count = (entries.len() as u16).to_le_bytes();
    [&count[..], &entries.concat()].concat()
}

/// The operation that names an incarnation.
pub(crate) fn node(name: &str, generation: u64, last_gc: u64, from: u64) -> Vec<u8> {
    let mut out = vec![0];
    id(&mut out, name, generation, gossip_address(name));
    out.extend(last_gc.to_le_bytes());
    out.extend(from.to_le_bytes());
    out
}

pub(crate) fn set(key: &str, value: &[u8], version: u64) -> Vec<u8> {
    set_as(key, value, version, 0)
}

pub(crate) fn set_as(key: &str, value: &[u8], version: u64, status: u8) -> Vec<u8> {
    let mut out = vec![1];
    text(&mut out, key.as_bytes());
    text(&mut out, value);
    out.extend(version.to_le_bytes());
    out.push(status);
    out
}

pub(crate) fn max_version(version: u64) -> Vec<u8> {
    [&[2], &version.to_le_bytes()[..]].concat()
}

pub(crate) fn block(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_le_bytes();
    [&[kind], &length[..], bytes].concat()
}

/// Operations in blocks of this many bytes, compressed.
pub(crate) fn packed(operations: &[u8], block_bytes: usize) -> Vec<u8> {
    let blocks = operations
        .chunks(block_bytes)
        .map(|part| block(1, &zstd::bulk::compress(part, 0).unwrap()));
    let mut out = blocks.collect::<Vec<_>>().concat();
    out.push(0);
    out
}

/// Operations in blocks as chitchat makes them, not compressed.
pub(crate) fn delta(operations: &[Vec<u8>]) -> Vec<u8> {
    let operations = operations.concat();
    let blocks = operations.chunks(16_384).map(|part| block(2, part));
    let mut out = blocks.collect::<Vec<_>>().concat();
    out.push(0);
    out
}

pub(crate) fn message(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let magic = 45_139_u16.to_le_bytes();
    [&magic[..], &[0, kind], &parts.concat()].concat()
}

pub(crate) fn syn(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut cluster = Vec::new();
    text(&mut cluster, CLUSTER.as_bytes());
    message(SYN, &[&digest(entries), &cluster])
}

pub(crate) fn ack(operations: &[Vec<u8>]) -> Vec<u8> {
    message(ACK, &[&delta(operations)])
}
