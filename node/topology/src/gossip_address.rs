//! The address under which the gossip engine knows a server: a name in the form of an address.

use std::net::{Ipv6Addr, SocketAddr};

/// FNV-1a, 128 bits: offset basis.
const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
/// FNV-1a, 128 bits: prime.
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
/// First byte of a unique local address that its site chose itself (RFC 4193).
const UNIQUE_LOCAL: u8 = 0xfd;
/// Port 0 might be taken for "none".
const PORT: u16 = 1;

/// The address that stands for the server `name` in gossip. Nothing ever connects to it.
///
/// The engine takes a server that changes its address for another server, and pods change theirs at each start; so the
/// address comes from the name alone: `fd`, then the low 15 bytes of the name's 128-bit FNV-1a hash, port 1. It is a
/// part of the protocol between servers of different versions and never changes.
#[must_use]
pub fn gossip_address(name: &str) -> SocketAddr {
    let mut octets = fnv1a_128(name.as_bytes()).to_be_bytes();
    octets[0] = UNIQUE_LOCAL;
    SocketAddr::from((Ipv6Addr::from(octets), PORT))
}

fn fnv1a_128(bytes: &[u8]) -> u128 {
    bytes.iter().fold(OFFSET_BASIS, |hash, &byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_the_published_one() {
        assert_eq!(fnv1a_128(b""), OFFSET_BASIS);
        assert_eq!(fnv1a_128(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(
            fnv1a_128(b"foobar"),
            0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18
        );
    }

    #[test]
    fn address_is_unique_local_and_fixed() {
        assert_eq!(
            gossip_address("a").to_string(),
            "[fd28:cb69:6f1a:8caf:7891:2b70:4e4a:8964]:1"
        );
    }
}
