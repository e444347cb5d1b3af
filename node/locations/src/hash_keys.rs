//! How clients are hashed: SipHash-1-3 under secret keys, so that nobody can choose clients whose hashes meet.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use siphasher::sip::SipHasher13;

/// The keys of a map's hashes (Aumasson and Bernstein, 2012).
#[derive(Clone, Copy)]
pub struct HashKeys {
    keys: (u64, u64),
}

impl HashKeys {
    /// Keys that nobody knows: what every server takes.
    #[must_use]
    pub fn random() -> Self {
        let entropy = RandomState::new();
        HashKeys {
            keys: (entropy.hash_one(0), entropy.hash_one(1)),
        }
    }

    /// Keys that follow from a seed, for a simulation that is to be repeated.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        HashKeys {
            keys: (seed, !seed),
        }
    }
}

impl BuildHasher for HashKeys {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.keys.0, self.keys.1)
    }
}

/// Hashes hashes of clients, which nobody can choose, to themselves.
pub(super) type KeyedAlready = BuildHasherDefault<Unhashed>;

/// See [`KeyedAlready`].
#[derive(Debug, Default)]
pub(super) struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_hashes_and_no_two_servers_do() {
        let hash = |keys: HashKeys| keys.hash_one(b"kiwi");
        assert_eq!(hash(HashKeys::from_seed(7)), hash(HashKeys::from_seed(7)));
        assert_ne!(hash(HashKeys::from_seed(7)), hash(HashKeys::from_seed(8)));
        assert_ne!(hash(HashKeys::random()), hash(HashKeys::random()));
    }
}
