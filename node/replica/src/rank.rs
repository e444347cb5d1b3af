//! Ranks: in which order servers step in as publishers of an orphan.

use std::hash::Hasher;

use herd_crdt::{Record, ServerName};
use siphasher::sip::SipHasher13;

/// Keys of the hash: part of the protocol between servers, so they never change.
const HASH_KEYS: (u64, u64) = (0x6865_7264_2072_616e, 0x6b20_6f66_2061_2072);

/// The rank of `server` among `servers` for this record: 0 for the record's own server, and then
/// the rendezvous order of the client ID over the others (highest random weight: Thaler and
/// Ravishankar, 1998). `None` for a server that is not of the topology and did not hear the record.
///
/// Ranks depend on nothing but the record and the set of servers, so all servers agree on them.
#[must_use]
pub fn rank(server: &str, record: &Record, servers: &[ServerName]) -> Option<usize> {
    if **record.server() == *server {
        return Some(0);
    }
    if !servers.iter().any(|name| **name == *server) {
        return None;
    }
    let own_weight = (weight(server, record), server);
    let before = servers
        .iter()
        .filter(|name| *name != record.server())
        .filter(|name| (weight(name, record), &***name) > own_weight)
        .count();
    Some(before + 1)
}

/// Whether `server` has a lower rank for this record than `other`, both of the topology. As [`rank`] says it, without a
/// look at all the others.
#[must_use]
pub fn outranks(server: &str, other: &str, record: &Record) -> bool {
    let key = |name: &str| {
        let is_own = **record.server() == *name;
        (is_own, weight(name, record))
    };
    (key(server), server) > (key(other), other)
}

fn weight(server: &str, record: &Record) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(HASH_KEYS.0, HASH_KEYS.1);
    hasher.write(record.client());
    // White space is in no client ID, so no two pairs run together.
    hasher.write(b" ");
    hasher.write(server.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(client: &str, server: &str) -> Record {
        Record::new(client.as_bytes(), b"+1+1", b"1", server.into(), 0).unwrap()
    }

    fn servers() -> Vec<ServerName> {
        ["Hill", "Jaquez", "Smith", "Campbell", "Singleton"]
            .map(ServerName::from)
            .to_vec()
    }

    #[test]
    fn ranks_are_a_permutation_with_the_records_own_server_first() {
        let servers = servers();
        for client in 0..100 {
            let record = record(&format!("client{client}"), "Smith");
            let mut ranks: Vec<usize> = servers
                .iter()
                .filter_map(|s| rank(s, &record, &servers))
                .collect();
            assert_eq!(rank("Smith", &record, &servers), Some(0));
            ranks.sort_unstable();
            assert_eq!(ranks, [0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn of_two_servers_the_one_of_lower_rank_outranks_the_other() {
        let servers = servers();
        for client in 0..100 {
            let record = record(&format!("client{client}"), "Smith");
            for one in &servers {
                for other in &servers {
                    let ranks = [one, other].map(|name| rank(name, &record, &servers).unwrap());
                    assert_eq!(outranks(one, other, &record), ranks[0] < ranks[1]);
                }
            }
        }
    }

    #[test]
    fn a_server_that_left_ranks_first_for_its_own_records_only() {
        let servers = servers();
        let record = record("kiwi", "Gone");
        assert_eq!(rank("Gone", &record, &servers), Some(0));
        assert_eq!(rank("Other", &record, &servers), None);
        let mut ranks: Vec<usize> = servers
            .iter()
            .filter_map(|s| rank(s, &record, &servers))
            .collect();
        ranks.sort_unstable();
        assert_eq!(ranks, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn second_ranks_are_spread_over_the_servers() {
        let servers = servers();
        for server in &servers[1..] {
            let firsts = (0..1_000)
                .filter(|client| {
                    rank(server, &record(&format!("c{client}"), "Hill"), &servers) == Some(1)
                })
                .count();
            assert!((150..350).contains(&firsts), "{server}: {firsts} of 1,000");
        }
    }

    #[test]
    fn golden_order() {
        // The hash is part of the protocol between servers.
        let servers = servers();
        let record = record("kiwi.cs.ucla.edu", "Hill");
        let ranks: Vec<_> = servers
            .iter()
            .map(|s| rank(s, &record, &servers).unwrap())
            .collect();
        assert_eq!(ranks, GOLDEN);
    }

    const GOLDEN: [usize; 5] = [0, 1, 4, 3, 2];
}
