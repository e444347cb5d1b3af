//! Who this server is to the others: its incarnation, and the generations of all servers that it knows of.

use std::collections::BTreeMap;

use herd_crdt::ServerName;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::entropy::Entropy;
use super::fifo_watch::{FifoReceiver, FifoWatch};
use super::incarnation::{Incarnation, next_generation};
use herd_replica::verdict::IncarnationVerdict;

/// A century: the upper 48 bits of a generation are milliseconds.
const GENERATION_AHEAD_MAX: u64 = (100 * 366 * 24 * 3_600 * 1_000) << 16;

/// See the module.
pub(crate) struct Identity {
    me: ServerName,
    /// Our generation; a change ends all connections, so that they are made anew under it.
    generation: FifoWatch<u64>,
    /// The last generation under which something was published, and the version of that.
    published: Mutex<(u64, u64)>,
    /// The last generation whose heartbeat a neighbour knew, and the highest such heartbeat.
    claimed: Mutex<(u64, u64)>,
    /// The greatest generation of each server that we know of.
    known: Mutex<BTreeMap<ServerName, u64>>,
    /// The greatest generation of each server that gossip holds for live.
    live: Mutex<BTreeMap<ServerName, u64>>,
    verdict: watch::Sender<Option<IncarnationVerdict>>,
}

impl Identity {
    /// A server of this name under a first generation.
    pub(crate) fn new(me: ServerName, entropy: &Entropy) -> Self {
        Identity {
            me,
            generation: FifoWatch::new(next_generation(entropy.id(), 0)),
            published: Mutex::default(),
            claimed: Mutex::default(),
            known: Mutex::default(),
            live: Mutex::default(),
            verdict: watch::Sender::new(None),
        }
    }

    /// This server's incarnation.
    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation {
            server: self.me.clone(),
            generation: *self.generation.borrow(),
        }
    }

    pub(crate) fn generation(&self) -> FifoReceiver<u64> {
        self.generation.subscribe()
    }

    /// Takes on a later generation than this, unless ours is later already; all connections end and are made anew under
    /// it. It never falls: another process may know the one that we had.
    pub(crate) fn exceed_generation(&self, known: u64, entropy: &Entropy) {
        self.generation.send_if_modified(|generation| {
            let is_short = *generation <= known;
            if is_short {
                *generation = next_generation(entropy.id(), known);
            }
            is_short
        });
    }

    /// The state of an incarnation of ours has this version. To be called before anybody can hear of it.
    pub(crate) fn note_published(&self, generation: u64, version: u64) {
        let mut published = self.published.lock();
        *published = (*published).max((generation, version));
    }

    /// The version of what this incarnation has published.
    pub(crate) fn published(&self, generation: u64) -> u64 {
        let (last, version) = *self.published.lock();
        if last == generation { version } else { 0 }
    }

    /// A neighbour knows this heartbeat of an incarnation of ours.
    pub(super) fn note_claimed(&self, generation: u64, heartbeat: u64) {
        let mut claimed = self.claimed.lock();
        *claimed = (*claimed).max((generation, heartbeat));
    }

    /// The highest heartbeat of this incarnation that a neighbour knew.
    pub(super) fn claimed(&self, generation: u64) -> u64 {
        let (last, heartbeat) = *self.claimed.lock();
        if last == generation { heartbeat } else { 0 }
    }

    /// The greatest generation of `server` that we know of, 0 if none.
    pub(crate) fn known_generation(&self, server: &str) -> u64 {
        self.known.lock().get(server).copied().unwrap_or(0)
    }

    pub(crate) fn note_known(&self, incarnation: &Incarnation) {
        raise(&mut self.known.lock(), incarnation);
    }

    /// Replaces the incarnations that gossip holds for live.
    pub(crate) fn set_live<'a>(&self, live: impl Iterator<Item = &'a Incarnation>) {
        let mut newest = BTreeMap::new();
        for incarnation in live {
            raise(&mut newest, incarnation);
        }
        *self.live.lock() = newest;
    }

    /// The greatest generation of `server` that gossip holds for live, 0 if none.
    pub(crate) fn live_generation(&self, server: &str) -> u64 {
        self.live.lock().get(server).copied().unwrap_or(0)
    }

    pub(crate) fn note_verdict(&self, verdict: IncarnationVerdict) {
        self.verdict.send_replace(Some(verdict));
    }

    /// The last verdict, and later ones.
    pub(crate) fn verdict(&self) -> watch::Receiver<Option<IncarnationVerdict>> {
        self.verdict.subscribe()
    }
}

/// The last generation that is less than a century ahead of the clock. Beyond that it is a lie, or damage: to exceed
/// it would leave no later generation.
pub(crate) fn generation_max(entropy: &Entropy) -> u64 {
    next_generation(entropy.id(), 0).saturating_add(GENERATION_AHEAD_MAX)
}

fn raise(generations: &mut BTreeMap<ServerName, u64>, incarnation: &Incarnation) {
    let newest = generations.entry(incarnation.server.clone()).or_insert(0);
    *newest = incarnation.generation.max(*newest);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use herd_clock::clock::SystemClock;

    use super::*;

    /// The store may know less than a handshake that came before it was read.
    #[test]
    fn a_generation_never_falls() {
        let entropy = Entropy::new(Arc::new(SystemClock), 1);
        let identity = Identity::new("Hill".into(), &entropy);
        let ahead = identity.incarnation().generation + (1 << 40);
        identity.exceed_generation(ahead, &entropy);
        let exceeded = identity.incarnation().generation;
        assert!(exceeded > ahead);
        let mut changes = identity.generation();
        for known in [0, 1, ahead, exceeded - 1] {
            identity.exceed_generation(known, &entropy);
            assert_eq!(identity.incarnation().generation, exceeded);
        }
        assert_eq!(changes.changed().now_or_never(), None, "connections stay");
        identity.exceed_generation(exceeded, &entropy);
        assert!(*changes.borrow_and_update() > exceeded);
    }

    #[test]
    fn what_an_incarnation_published_is_known_of_it_alone() {
        let entropy = Entropy::new(Arc::new(SystemClock), 1);
        let identity = Identity::new("Hill".into(), &entropy);
        identity.note_published(7, 3);
        identity.note_published(7, 2);
        assert_eq!(identity.published(7), 3);
        assert_eq!(identity.published(8), 0);
        identity.note_published(8, 1);
        identity.note_published(7, 9);
        assert_eq!((identity.published(7), identity.published(8)), (0, 1));
    }
}
