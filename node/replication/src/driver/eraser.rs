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
//! When it does which is up to [`Cycle`].

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::group::GroupFormat;
use tokio::time::{Instant, sleep, timeout};
use tracing::info;

use crate::parts::Parts;
use crate::storing::StorageState;
use herd_gossip::engine::Engine;
use herd_locations::Noted;
use herd_replica::erasure::{Cycle, Look, Question, STEPS};
use herd_storage::{FILLERS, StorageWriter, Write, purging};

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

impl Eraser {
    async fn cycle(&self, noted: Noted) {
        let began = Instant::now();
        let mut attended = Attended::begin(&self.parts, noted);
        let mut cycle = Cycle::default();
        loop {
            let has_more = attended.take_in_more();
            let question = match cycle.begin_look(has_more) {
                Look::ForAll => self.begin(attended.noted()),
                Look::ForTheRest => Question::Left,
            };
            let own = self.parts.erasure.ask(question).await;
            let others = self.look_at_others(&attended.noted()).await;
            sleep(self.step).await;
            if cycle.end_look(own + others) && cycle.note_purged(self.purge().await) {
                break;
            }
        }
        info!(
            forgotten_clients = attended.end(),
            took_ms = began.elapsed().as_millis() as u64,
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

    /// The number of groups of other servers that hold a location of a client in `noted`.
    async fn look_at_others(&self, noted: &Noted) -> usize {
        let holds_any = |group: &[u8]| noted.is_shown_by(group, self.format, &self.parts.locations);
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
