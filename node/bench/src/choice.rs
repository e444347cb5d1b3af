//! Which client is next: every one as likely, or a few far more often than the rest.

/// Random numbers from a seed: SplitMix64 of Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators" (2014). Good enough for a load, and a few instructions each.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers that follow from `seed`.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next number, from all of `u64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number from 0 to `end`, without `end`; 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// The next number from 0 to 1, without 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A way to choose one of a number of clients.
#[derive(Clone, Debug)]
pub(crate) enum Choice {
    /// Every client is as likely.
    Uniform {
        /// How many clients there are.
        count: u64,
    },
    /// The client of rank k is chosen in proportion to 1 / k^skew.
    Zipf(Zipf),
}

/// Zipf's distribution by the method of Gray and others, "Quickly generating billion-record
/// synthetic databases" (SIGMOD 1994), as YCSB uses it: one power for each number.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    count: u64,
    alpha: f64,
    eta: f64,
    zeta: f64,
    second: f64,
}

impl Choice {
    /// A choice among `count` clients; `skew` is from 0, every client as likely, to below 1.
    #[must_use]
    pub(crate) fn new(count: u64, skew: f64) -> Self {
        // The method needs at least three ranks, and few clients are not skewed in earnest.
        if skew <= 0.0 || count < 3 {
            return Choice::Uniform { count };
        }
        let zeta: f64 = (1..=count).map(|rank| (rank as f64).powf(-skew)).sum();
        let second = 0.5_f64.powf(skew);
        let eta = (1.0 - (2.0 / count as f64).powf(1.0 - skew)) / (1.0 - (1.0 + second) / zeta);
        Choice::Zipf(Zipf {
            count,
            alpha: 1.0 / (1.0 - skew),
            eta,
            zeta,
            second,
        })
    }

    /// The next client, from 0.
    pub(crate) fn choose(&self, random: &mut Random) -> u64 {
        match self {
            Choice::Uniform { count } => random.below(*count),
            Choice::Zipf(zipf) => zipf.rank(random.unit()),
        }
    }
}

impl Zipf {
    fn rank(&self, unit: f64) -> u64 {
        let scaled = unit * self.zeta;
        if scaled < 1.0 {
            return 0;
        }
        if scaled < 1.0 + self.second {
            return 1;
        }
        let rank = self.count as f64 * (self.eta * unit - self.eta + 1.0).powf(self.alpha);
        (rank as u64).min(self.count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of `count` clients is chosen in `tries`.
    fn counts(choice: &Choice, count: usize, tries: usize) -> Vec<usize> {
        let mut random = Random::new(7);
        let mut counts = vec![0; count];
        for _ in 0..tries {
            counts[choice.choose(&mut random) as usize] += 1;
        }
        counts
    }

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // The first three for seed 1234567, as in many public test vectors.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        assert_eq!(random.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn uniform_reaches_every_client_about_as_often() {
        let counts = counts(&Choice::new(10, 0.0), 10, 100_000);
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)));
    }

    #[test]
    fn skewed_is_near_the_law() {
        let (count, tries, skew) = (1_000_usize, 1_000_000_usize, 0.8);
        let counts = counts(&Choice::new(count as u64, skew), count, tries);
        let zeta: f64 = (1..=count).map(|rank| (rank as f64).powf(-skew)).sum();
        for rank in [1_usize, 2, 10, 100] {
            // The method is an approximation behind the second rank, so sums of ranks are compared.
            let chosen: usize = counts[..rank].iter().sum();
            let law: f64 = (1..=rank)
                .map(|rank| (rank as f64).powf(-skew) / zeta)
                .sum();
            let share = chosen as f64 / tries as f64;
            assert!((share / law - 1.0).abs() < 0.1, "{rank}: {share} for {law}");
        }
        assert!(counts[count - 1] > 0);
    }

    #[test]
    fn few_clients_are_all_reached() {
        for count in 1..4 {
            let counts = counts(&Choice::new(count, 0.9), count as usize, 10_000);
            assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
        }
    }
}
