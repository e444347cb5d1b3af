//! The eraser: sees to it that the locations of forgotten clients leave gossip and disk.
//!
//! The map has none of them from the moment at which a tombstone takes a record's place. Groups have them longer: dead
//! records stand in slots, and data that was overwritten stays in files. So the eraser works in cycles, each for the
//! clients that were forgotten before it:
//!
//! 1. It lets the publisher write each slot anew that holds a location of one of them.
//! 2. It looks through the groups of other servers, which do the same, until none has any.
//! 3. It has the store take off the disk all that was overwritten.
//!
//! Each step takes an eighth of [`Replication::with_erasing`](crate::run::Replication::with_erasing), so that a client
//! that is forgotten right behind the beginning of a cycle is erased in time too. Another server may publish a location for
//! longer: one that is gone does so until it is buried. So each further look takes in the clients that were forgotten
//! meanwhile, and a cycle ends when no location of any of its clients is left, and the store has said that the disk is
//! free of what was overwritten. Until then it is tried again.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::group::GroupFormat;
use tokio::time::{Instant, sleep, timeout};
use tracing::info;

use crate::parts::Parts;
use crate::storing::StorageState;
use herd_gossip::engine::Engine;
use herd_locations::Noted;
use herd_replica::erasure::Question;
use herd_storage::{FILLERS, StorageWriter, Write, purging};

/// Steps of a cycle: [`Eraser::cycle`] waits at the begin, between looks, before the store is told, and while that
/// works. With another cycle before it, a client waits for twice as many.
const STEPS: u32 = 8;

/// Looks after which the store is told, though other servers still publish locations.
const LOOKS_BEFORE_STORE: u32 = 2;

/// Looks between two purges of a store that could not do the first, at most.
const LOOKS_BETWEEN_PURGES_MAX: u32 = 8;

/// How long a purge is waited for at least. Compactions of large stores take a while.
const PURGE_WAITED_MIN: Duration = Duration::from_secs(60);

/// What the eraser of an incarnation is told at its start.
pub(crate) struct EraserStart {
    pub(crate) within: Duration,
    pub(crate) format: GroupFormat,
    pub(crate) writer: Option<StorageWriter>,
}

/// Erases, for as long as the engine runs.
pub(crate) async fn erase(parts: Parts, engine: Arc<Engine>, start: EraserStart) {
    let eraser = Eraser {
        parts,
        engine,
        step: start.within / STEPS,
        format: start.format,
        writer: start.writer,
    };
    loop {
        sleep(eraser.step).await;
        let noted = eraser.parts.locations.take_forgettings();
        if !noted.is_empty() {
            eraser.cycle(noted).await;
        }
    }
}

struct Eraser {
    parts: Parts,
    engine: Arc<Engine>,
    /// How long a step takes.
    step: Duration,
    format: GroupFormat,
    writer: Option<StorageWriter>,
}

/// The clients of a cycle. The next incarnation attends to those of a cycle that does not come to its end.
struct Attended<'a> {
    parts: &'a Parts,
    noted: Option<Arc<Noted>>,
}

impl<'a> Attended<'a> {
    fn begin(parts: &'a Parts, noted: Noted) -> Self {
        parts.erasure.set_attended(noted.len());
        let noted = Some(Arc::new(noted));
        Attended { parts, noted }
    }

    /// The clients so far.
    fn noted(&self) -> Arc<Noted> {
        self.noted.clone().unwrap_or_default()
    }

    /// Takes in the clients that were forgotten meanwhile; says whether there are any.
    fn take_in_more(&mut self) -> bool {
        let more = self.parts.locations.take_forgettings();
        if more.is_empty() {
            return false;
        }
        let mut noted = Arc::unwrap_or_clone(self.noted.take().unwrap_or_default());
        noted.add(more);
        self.parts.erasure.set_attended(noted.len());
        self.noted = Some(Arc::new(noted));
        true
    }

    /// All are erased; returns how many.
    fn end(mut self) -> usize {
        self.noted.take().map_or(0, |noted| noted.len())
    }
}

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        if let Some(noted) = self.noted.take() {
            let noted = Arc::unwrap_or_clone(noted);
            self.parts.locations.put_back_forgettings(noted);
        }
        self.parts.erasure.set_attended(0);
    }
}

/// When the store is to be told.
#[derive(Debug, Default)]
struct Purges {
    /// The look that the oldest clients came before whose locations may be on the disk.
    oldest: Option<u32>,
    /// The same of the latest.
    latest: u32,
    /// Purges that failed one after the other, and the look before which there is no other.
    failed: u32,
    not_before: u32,
}

impl Purges {
    /// More clients are attended to from this look on.
    fn note_more(&mut self, look: u32) {
        self.oldest.get_or_insert(look);
        self.latest = look;
    }

    /// Whether the store is to be told behind this look. Behind the last of a cycle it is in any case: others have written
    /// their slots anew since it was told last.
    fn is_due(&self, look: u32, is_last: bool) -> bool {
        let is_awaited = self.oldest.is_some_and(|oldest| {
            // Slots are written anew in the time behind a look.
            look + 1 >= oldest + LOOKS_BEFORE_STORE
        });
        (is_awaited || is_last) && look >= self.not_before
    }

    /// How the purge behind this look ended.
    fn note_purged(&mut self, look: u32, is_success: bool) {
        if is_success {
            // Those of this look have been given one look less than the others.
            self.oldest = (self.latest == look).then_some(look + 1);
            self.failed = 0;
        } else {
            self.failed += 1;
            let looks = 2_u32.saturating_pow(self.failed);
            self.not_before = look + looks.min(LOOKS_BETWEEN_PURGES_MAX);
        }
    }
}

impl Eraser {
    async fn cycle(&self, noted: Noted) {
        let began = Instant::now();
        let mut attended = Attended::begin(&self.parts, noted);
        let mut purges = Purges::default();
        for look in 1_u32.. {
            let has_more = attended.take_in_more() || look == 1;
            let question = if has_more {
                purges.note_more(look);
                self.begin(attended.noted())
            } else {
                Question::Left
            };
            let own = self.parts.erasure.ask(question).await;
            let others = self.look_at_others(&attended.noted()).await;
            sleep(self.step).await;
            // Slots that were found are written anew in this time, or counted by the next look.
            let is_last = own + others == 0;
            if purges.is_due(look, is_last) {
                let is_success = self.purge().await;
                purges.note_purged(look, is_success);
                if is_success && is_last {
                    break;
                }
            }
        }
        info!(
            clients = attended.end(),
            took_ms = began.elapsed().as_millis(),
            "the locations of forgotten clients are erased"
        );
    }

    /// The question for slots with dead locations of these clients.
    fn begin(&self, noted: Arc<Noted>) -> Question {
        let locations = self.parts.locations.clone();
        Question::Begin(Arc::new(move |slot, hash| {
            noted.means_hash(&locations, hash) && !locations.lives_in(hash, slot)
        }))
    }

    /// The number of groups of other servers that hold a location of a client in `noted`. A group that cannot be read
    /// holds none that was ever in the map.
    async fn look_at_others(&self, noted: &Noted) -> usize {
        let locations = &self.parts.locations;
        let holds_any = |group: &[u8]| {
            let has_client = self
                .format
                .has_client(group, |client| noted.means(locations, client, i64::MIN));
            // Only then the rest is read.
            if !has_client.unwrap_or(false) {
                return false;
            }
            self.format.read(group).is_ok_and(|group| {
                group.records().any(|record| {
                    !record.is_tombstone()
                        && noted.means(locations, record.client(), record.time().ns())
                })
            })
        };
        let mut found = 0;
        let mut sweep = self.engine.begin_sweep().await;
        while let Some(groups) = self.engine.sweep_on(&mut sweep).await {
            found += groups.iter().filter(|group| holds_any(group)).count();
            tokio::task::yield_now().await;
        }
        found
    }

    /// Has the store take off the disk all that was overwritten until now, and waits for it; says whether it has. The
    /// fillers are spread over a part of a step: they share the disk with reports.
    async fn purge(&self) -> bool {
        let Some(writer) = &self.writer else {
            // One that is being read, or comes back, begins another incarnation.
            return matches!(*self.parts.store.state().borrow(), StorageState::Ephemeral);
        };
        for _ in 0..FILLERS {
            // Refused only by a store that has failed.
            if writer.write(vec![Write::Filler]).is_err() {
                return false;
            }
            sleep(self.step / (2 * FILLERS as u32)).await;
        }
        let (reply, end) = purging();
        if writer.write(vec![Write::Purge(reply)]).is_err() {
            return false;
        }
        // Beyond this time the disk may hang: the slots are looked at again, and the store is told again.
        let ended = timeout(self.step.max(PURGE_WAITED_MIN), end.is_success());
        ended.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_told_behind_the_second_look_and_for_later_clients() {
        let mut purges = Purges::default();
        purges.note_more(1);
        assert!(!purges.is_due(1, false) && purges.is_due(2, false));
        assert!(purges.is_due(1, true), "all slots are written anew");
        // Others came right before the purge.
        purges.note_more(2);
        purges.note_purged(2, true);
        assert!(!purges.is_due(3, false) && purges.is_due(4, false));
        purges.note_purged(4, true);
        assert!(!purges.is_due(9, false), "nothing is left for the store");
        assert!(purges.is_due(9, true), "slots of others are written anew");
        purges.note_more(10);
        assert!(!purges.is_due(10, false) && purges.is_due(11, false));
    }

    #[test]
    fn a_purge_that_failed_is_tried_again_ever_more_rarely() {
        let mut purges = Purges::default();
        purges.note_more(1);
        let mut tried = Vec::new();
        for look in 1..40 {
            if purges.is_due(look, true) {
                tried.push(look);
                purges.note_purged(look, false);
            }
        }
        assert_eq!(tried, [1, 3, 7, 15, 23, 31, 39]);
        purges.note_purged(47, true);
        purges.note_purged(48, false);
        assert!(!purges.is_due(49, true) && purges.is_due(50, true));
    }
}
