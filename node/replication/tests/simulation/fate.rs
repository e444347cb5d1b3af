//! What becomes of a frame on its way. Pure: the weather, and a seed for each direction of each
//! connection, decide.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// A frame that is late is late by up to this many times the usual delay.
const LATE_FACTOR: u32 = 40;

/// How bad the network is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Weather {
    /// Part of gossip frames that never arrive.
    pub(super) lost: f64,
    /// Part of gossip frames that arrive twice.
    pub(super) doubled: f64,
    /// Part of frames that are very late.
    pub(super) late: f64,
    /// A frame takes up to this long.
    pub(super) delay_max: Duration,
}

impl Weather {
    /// Every frame arrives, once, and soon.
    pub(super) const FINE: Weather = Weather {
        lost: 0.0,
        doubled: 0.0,
        late: 0.0,
        delay_max: Duration::from_millis(2),
    };
}

/// Decides over the frames of one direction of one connection.
pub(super) struct Fates {
    rng: SmallRng,
}

impl Fates {
    pub(super) fn new(seed: u64) -> Self {
        Fates {
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// After how long each copy of a gossip frame arrives: none, one or two. Each time is drawn by
    /// itself, so copies overtake others.
    pub(super) fn of_gossip(&mut self, weather: &Weather) -> Vec<Duration> {
        // The same number of draws each time: the weather changes nothing for later frames.
        let (lost, doubled) = (self.rng.random::<f64>(), self.rng.random::<f64>());
        let delays = [self.delay(weather), self.delay(weather)];
        let copies = match () {
            () if lost < weather.lost => 0,
            () if doubled < weather.doubled => 2,
            () => 1,
        };
        delays[..copies].to_vec()
    }

    /// After how long a frame arrives.
    pub(super) fn delay(&mut self, weather: &Weather) -> Duration {
        let (part, late) = (self.rng.random::<f64>(), self.rng.random::<f64>());
        let usual = weather.delay_max.mul_f64(part);
        if late < weather.late {
            usual * LATE_FACTOR
        } else {
            usual
        }
    }
}
