//! The publisher's task: waits for something to publish, and sets the groups that [`Publishing`] hands out.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use herd_crdt::{Publisher, SlotGroup};
use tokio::time::{sleep_until, timeout};
use tracing::{info, trace};

use super::now;
use crate::parts::Parts;
use crate::unneeded::Unneeded;
use herd_acknowledgement::Written;
use herd_gossip::engine::Engine;
use herd_locations::Locations;
use herd_replica::publishing::lagging::NeighbourProgress;
use herd_replica::publishing::{Effect, Publishing, RoundStart, Surroundings};
use herd_replica::store::{Request, WriteNumber};
use herd_replica::timing::REPORT_INTERVAL;
use herd_storage::{StorageWriter, Write};

/// Where the publisher puts what it publishes, besides gossip.
pub(crate) struct PublisherStore {
    pub(crate) writer: StorageWriter,
    pub(crate) unneeded: Unneeded,
}

/// What the publisher of an incarnation is told at its start.
pub(crate) struct PublisherStart {
    /// Without slots.
    pub(crate) publisher: Publisher,
    /// Records of the backlog that one round publishes: [`herd_replica::timing::BACKLOG_RECORDS_MAX`] but in tests.
    pub(crate) backlog_records_max: usize,
    pub(crate) store: Option<PublisherStore>,
}

/// Publishes what the map has pending, for as long as the engine runs. Idle, a record goes out at
/// once; under load records gather for a while, see `publish_gap`.
pub(crate) async fn publish(parts: Parts, engine: Arc<Engine>, start: PublisherStart) {
    let replies_wait = parts.acknowledgements.holds_replies();
    let mut task = PublisherTask {
        publishing: Publishing::new(
            start.publisher,
            start.backlog_records_max,
            replies_wait,
            now(),
        ),
        parts,
        engine,
        store: start.store,
    };
    let watched = task.parts.figures.watchdogs().publisher.begin();
    loop {
        watched.heartbeat();
        let is_overloaded = task.parts.locations.admission().is_overloaded();
        let _ = timeout(task.publishing.tick(is_overloaded), task.something_to_do()).await;
        tokio::select! {
            biased;
            () = sleep_until(task.publishing.due().into()) => {}
            () = task.disk_is_free() => {}
        }
        let began = now();
        task.round().await;
        task.publishing.note_round(began);
    }
}

struct PublisherTask {
    publishing: Publishing,
    parts: Parts,
    engine: Arc<Engine>,
    store: Option<PublisherStore>,
}

impl PublisherTask {
    /// Resolves when there is something to publish, or somebody waits for a round.
    async fn something_to_do(&self) {
        tokio::select! {
            biased;
            () = self.parts.locations.news() => {}
            () = self.parts.acknowledgements.round_asked() => {}
        }
    }

    /// Resolves when the store has nothing more to sync, where replies wait for that; never, where they do not.
    async fn disk_is_free(&self) {
        let needs_disk = self.parts.acknowledgements.level().needs_disk();
        let waited_for = self.store.as_ref();
        let waited_for = waited_for.filter(|_| needs_disk && self.publishing.may_hurry());
        let Some(store) = waited_for else {
            return std::future::pending().await;
        };
        let last = store.writer.last_ticket();
        let mut synced = store.writer.synced();
        let free = synced.wait_for(|state| state.failure.is_some() || state.synced >= last);
        if free.await.is_err() {
            // The store is gone, and the next round notices.
            std::future::pending::<()>().await;
        }
    }

    async fn round(&mut self) {
        let acknowledgements = &self.parts.acknowledgements;
        let round = acknowledgements.begin_round();
        let start = RoundStart {
            round,
            generation: self.engine.incarnation().generation,
            question: self.parts.links.question(),
            // A report that changed nothing is confirmed by who has its record and is there now.
            asks: self.parts.locations.take_repeated() && acknowledgements.level().needs_peer(),
            unneeded: match &self.store {
                Some(store) => store.unneeded.all(),
                None => BTreeSet::new(),
            },
            forgotten: self.parts.erasure.take_asked(),
        };
        let mut groups = self.step(|publishing, around, map, effects| {
            Some(publishing.begin(start, around, map, effects))
        });
        while let Some(set) = groups {
            self.set(set).await;
            groups =
                self.step(|publishing, around, map, effects| publishing.next(around, map, effects));
        }
    }

    /// Lets the publisher decide one step, and does what it wants.
    fn step<T>(
        &mut self,
        decide: impl FnOnce(&mut Publishing, &Surroundings<'_>, &mut &Locations, &mut Vec<Effect>) -> T,
    ) -> T {
        let mut effects = Vec::new();
        let links = &self.parts.links;
        let me = self.engine.incarnation();
        let neighbours = || {
            let progress = links
                .neighbours()
                .iter()
                .map(|neighbour| NeighbourProgress {
                    name: neighbour.config.name.clone(),
                    up: neighbour.status().borrow().up.clone(),
                    merged_lately: neighbour.merged_lately(me, 2 * REPORT_INTERVAL),
                });
            progress.collect()
        };
        let around = Surroundings {
            now: now(),
            synced: self.synced(),
            last_write: self.last_write(),
            neighbours: &neighbours,
        };
        let mut map = &*self.parts.locations;
        let said = decide(&mut self.publishing, &around, &mut map, &mut effects);
        for effect in effects {
            self.apply(effect);
        }
        said
    }

    fn apply(&self, effect: Effect) {
        let Parts {
            locations,
            links,
            acknowledgements,
            figures,
            ..
        } = &self.parts;
        match effect {
            Effect::Written(written) => acknowledgements.note_written(Written {
                round: written.round,
                storage_ticket: written.last_write.0,
                generation: written.generation,
                version: written.version,
                question: written.question,
                behind: written.behind,
            }),
            Effect::Ask(question) => links.ask(question),
            Effect::KickAll => links.kick_all(),
            Effect::Forget(request) => self.forget(&request),
            Effect::LookedThrough(found) => self.parts.erasure.answer(found),
            Effect::BacklogOut(out) => info!(
                records = out.records,
                took_ms = out.took.as_millis() as u64,
                "what was taken over is published"
            ),
            Effect::Show(slots) => {
                links.set_round_version(slots.version);
                figures.set_slots(slots);
            }
            Effect::SlowClients(is_overloaded) => {
                locations.admission().set_overloaded(is_overloaded);
            }
        }
    }

    /// Lets the store forget an incarnation, unless that was stored again since.
    fn forget(&self, request: &Request) {
        let Some(store) = &self.store else {
            return;
        };
        store.unneeded.close(request, || {
            let incarnation = request.0.clone();
            // Refused only by a store that has failed.
            let _ = store.writer.write(vec![Write::Forget { incarnation }]);
        });
    }

    /// Writes groups to the store's queue, then sets them in gossip: what others can see is never
    /// ahead of what we would find after a crash by more than what the queue holds.
    async fn set(&mut self, groups: Vec<SlotGroup>) {
        if groups.is_empty() {
            return;
        }
        if let Some(store) = &self.store {
            let puts = groups.iter().map(|group| Write::Put {
                incarnation: self.engine.incarnation().clone(),
                slot: group.slot,
                version: 0,
                group: Bytes::copy_from_slice(&group.group),
            });
            if store.writer.write(puts.collect()).is_err() {
                // It has failed, and its watcher says so. From memory and through the neighbours
                // the server goes on.
                self.store = None;
            }
        }
        let version = if self.parts.links.neighbours().is_empty() {
            // It is for the store alone: neighbours come with a topology, and that with a restart.
            self.publishing.version() + groups.len() as u64
        } else {
            self.engine.set_groups(&groups).await
        };
        self.publishing.note_set(version);
        trace!(groups = groups.len(), version, "published");
    }

    /// The last write so far; without a store one that is never synced.
    fn last_write(&self) -> WriteNumber {
        let writer = self.store.as_ref().map(|store| &store.writer);
        writer.map_or(WriteNumber::LAST, |writer| {
            WriteNumber(writer.last_ticket().0)
        })
    }

    /// Everything up to this write is on disk; all, without a store that works.
    fn synced(&self) -> WriteNumber {
        let Some(store) = &self.store else {
            return WriteNumber::LAST;
        };
        let state = store.writer.synced();
        let state = state.borrow();
        match state.failure {
            None => WriteNumber(state.synced.0),
            Some(_) => WriteNumber::LAST,
        }
    }
}
