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
//! that is forgotten right behind the beginning of a cycle is erased in time too.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::group::GroupFormat;
use tokio::time::{Instant, sleep};
use tracing::info;

use crate::parts::Parts;
use herd_gossip::engine::Engine;
use herd_locations::Noted;
use herd_replica::erasure::Question;
use herd_storage::{StorageWriter, Write};

/// Steps of a cycle: [`Eraser::cycle`] waits at the begin, between looks, before the store is told, and while that
/// works. With another cycle before it, a client waits for twice as many.
const STEPS: u32 = 8;

/// Writes that make a journal of the store long enough to be replaced, and so to be deleted.
const FILLERS: u32 = 136;

/// Looks in one cycle after which the store is told, though other servers still publish locations: a server that is
/// gone does so until it is buried.
const LOOKS_BEFORE_STORE: u32 = 2;

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

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        self.parts.erasure.set_attended(0);
        if let Some(noted) = self.noted.take() {
            let noted = Arc::unwrap_or_clone(noted);
            self.parts.locations.put_back_forgettings(noted);
        }
    }
}

impl Eraser {
    async fn cycle(&self, noted: Noted) {
        let began = Instant::now();
        let clients = noted.len();
        self.parts.erasure.set_attended(clients);
        let noted = Arc::new(noted);
        let mut attended = Attended {
            parts: &self.parts,
            noted: Some(noted.clone()),
        };
        for look in 1_u32.. {
            let question = match look {
                1 => self.begin(noted.clone()),
                _ => Question::Left,
            };
            let own = self.parts.erasure.ask(question).await;
            let others = self.look_at_others(&noted).await;
            sleep(self.step).await;
            let is_over = own + others == 0;
            if is_over || look == LOOKS_BEFORE_STORE {
                self.purge().await;
            }
            if is_over {
                break;
            }
        }
        attended.noted = None;
        info!(
            clients,
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

    /// Has the store take off the disk all that was overwritten until now. The fillers are spread over a part of a step:
    /// they share the disk with reports.
    async fn purge(&self) {
        let Some(writer) = &self.writer else {
            return;
        };
        for _ in 0..FILLERS {
            // Refused only by a store that has failed.
            if writer.write(vec![Write::Filler]).is_err() {
                return;
            }
            sleep(self.step / (2 * FILLERS)).await;
        }
        let _ = writer.write(vec![Write::Purge]);
    }
}
