//! How much a connection sends at a time.

/// A connection is deep when its reads bring so many commands on average.
const DEEP: usize = 32;

/// It stays so until they bring fewer than this.
const SHALLOW: usize = 8;

/// The average is over about so many reads.
const READS: usize = 8;

/// Whether a connection sends many commands at a time, as who fills a server in bulk does, by a moving average of
/// what its reads bring.
#[derive(Debug, Default)]
pub(super) struct Depth {
    /// [`READS`] times the average.
    commands: usize,
    is_deep: bool,
}

impl Depth {
    /// Notes how many commands one read brought.
    pub(super) fn read(&mut self, commands: usize) {
        self.commands = self.commands - self.commands / READS + commands;
        let average = self.commands / READS;
        self.is_deep = average >= if self.is_deep { SHALLOW } else { DEEP };
    }

    pub(super) fn is_deep(&self) -> bool {
        self.is_deep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_at_a_time_is_never_deep_however_often() {
        let mut depth = Depth::default();
        for _ in 0..10_000 {
            depth.read(1);
            assert!(!depth.is_deep());
        }
    }

    #[test]
    fn many_at_a_time_are_deep_soon_and_until_they_have_been_few_for_a_while() {
        let mut depth = Depth::default();
        let reads = (1..).find(|_| {
            depth.read(128);
            depth.is_deep()
        });
        assert!(reads <= Some(4), "{reads:?}");
        depth.read(1);
        assert!(depth.is_deep(), "not with the first small read");
        let reads = (1..).find(|_| {
            depth.read(1);
            !depth.is_deep()
        });
        assert!(reads.is_some_and(|reads| reads > READS), "{reads:?}");
    }

    #[test]
    fn between_the_bounds_it_stays_what_it_is() {
        let mut depth = Depth::default();
        for _ in 0..100 {
            depth.read(16);
        }
        assert!(!depth.is_deep());
        depth.read(10_000);
        assert!(depth.is_deep());
        for _ in 0..100 {
            depth.read(16);
        }
        assert!(depth.is_deep());
    }
}
