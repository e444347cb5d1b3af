//! Incarnations: one run of gossip under a server's name.

use std::fmt;

use herd_crdt::ServerName;
use uuid::Uuid;

/// One incarnation of a server. Of two incarnations of one server the one with the greater
/// generation is the newer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// The server.
    pub server: ServerName,
    /// Rises with each incarnation of the server. A reused one would lose data without a word:
    /// neighbours would take the new slots for old ones.
    pub generation: u64,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:016x}", self.server, self.generation)
    }
}

/// How far above the known ones a generation may be when the clock has gone back: a quarter of a second,
/// as a clock would count it.
const STEP_MAX: u64 = 1 << 24;

/// A generation for a new incarnation: the first 8 bytes of a UUIDv7 (RFC 9562), which are
/// milliseconds since the epoch and some randomness; but more than `known`, the greatest one that
/// is remembered, should the clock have gone back.
///
/// By how much more is left to chance. A process that ended before its generation was on disk is
/// remembered by nobody here, and the next one would else take that very generation.
#[must_use]
pub fn next_generation(id: Uuid, known: u64) -> u64 {
    let (from_clock, chance) = id.as_u64_pair();
    from_clock.max(known.saturating_add(1 + chance % STEP_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_rise_with_the_clock_and_above_known_ones() {
        let earlier = Uuid::parse_str("018e0000-0000-7abc-8000-000000000000").unwrap();
        let later = Uuid::parse_str("018e0000-0001-7000-8000-000000000000").unwrap();
        let first = next_generation(earlier, 0);
        assert_eq!(first, 0x018e_0000_0000_7abc);
        assert!(next_generation(later, first) > first);
        assert_eq!(next_generation(earlier, first + 41), first + 42);
    }

    #[test]
    fn two_processes_that_know_the_same_take_different_generations() {
        let known = 0x018f_0000_0000_7000;
        let one = Uuid::parse_str("018e0000-0000-7abc-8000-00000000002a").unwrap();
        let other = Uuid::parse_str("018e0000-0000-7abc-8000-00000012d687").unwrap();
        assert_eq!(next_generation(one, known), known + 1 + 0x2a);
        assert_eq!(next_generation(other, known), known + 1 + 0x12_d687);
        assert_eq!(next_generation(other, u64::MAX), u64::MAX);
    }
}
