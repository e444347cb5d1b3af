//! From one input to another that is a little different.

use crate::chance::Chance;

/// The longest input that a mutation makes, in bytes.
const INPUT_BYTES_MAX: usize = 8 * 1024;

/// The most changes to one input.
const CHANGES_MAX: usize = 6;

/// Bytes that mean something to one boundary or another.
const TELLING: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\xfb\xff\xff",
    b"\xfc\xff\xff\xff\xff",
    b"\xfd\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x00\x02\x00\x01",
    b"-",
    b"+",
    b".",
    b"0000000000",
    b"99999999999999999999",
    b"-9223372036854775808",
    b"9223372036.854775807",
    b"1e309",
    b"NaN",
    b"null",
    b"[[[[[[[[",
    b"{\"\":",
    b"\"",
    b"\\",
    b"=",
    b"#",
    b"*",
    b"\xc3\xa4",
    b"\xe2\x80\x83",
    b"IAMAT",
    b"WHATSAT",
    b"AUTH",
    b"FORGET",
    b"GONE",
];

/// A changed copy of an input; pieces of others may come into it.
pub(crate) fn mutated(start: &[u8], inputs: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = start.to_vec();
    for _ in 0..=chance.below(CHANGES_MAX) {
        change(&mut bytes, inputs, chance);
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, inputs: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let len = chance.below(16);
    let end = (at + len).min(bytes.len());
    match chance.below(9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = chance.next() as u8;
            }
        }
        2 => {
            bytes.drain(at..end);
        }
        3 => {
            let copy = bytes[at..end].to_vec();
            let to = chance.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        4 => {
            let telling = TELLING[chance.below(TELLING.len())];
            bytes.splice(at..at, telling.iter().copied());
        }
        5 => {
            let telling = TELLING[chance.below(TELLING.len())];
            let end = (at + telling.len()).min(bytes.len());
            bytes.splice(at..end, telling.iter().copied());
        }
        6 => bytes.truncate(at),
        7 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = byte.wrapping_add((chance.below(35) as u8).wrapping_sub(17));
            }
        }
        _ => {
            if let Some(other) = inputs.get(chance.below(inputs.len())) {
                let from = chance.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
}
