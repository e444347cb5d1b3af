//! The receiver's task: brings to [`Receiving`] what gossip has, and does what it says.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use herd_crdt::group::GroupFormat;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::{Instant, sleep_until};

use super::now;
use crate::incarnation::Incarnation;
use crate::lasting::Lasting;
use crate::parts::Parts;
use herd_gossip::engine::Engine;
use herd_locations::{Locations, TombstonesRead};
use herd_replica::changes::Change;
use herd_replica::clocks::ClockWatch;
use herd_replica::receiving::merging::GROUPS_PER_YIELD;
use herd_replica::receiving::{Effect, Ground, Receiving, Surroundings};
use herd_replica::store::{Store as _, WriteNumber};
use herd_replica::timing::RECEIVER_TICK;
use herd_storage::{StorageWriter, SyncState};
use herd_telemetry::watchdog::Watched;

/// What the receiver of an incarnation is told at its start.
pub(crate) struct ReceiverStart {
    pub(crate) lasting: OwnedMutexGuard<Lasting>,
    /// How far a neighbour's clock may differ from ours; `None` for no limit.
    pub(crate) allowed_skew: Option<Duration>,
    pub(crate) format: GroupFormat,
}

/// Merges what other servers publish, for as long as the engine runs. Returns when another server
/// has buried this incarnation: then it takes a new one.
pub(crate) async fn receive(
    parts: Parts,
    engine: Arc<Engine>,
    start: ReceiverStart,
) -> Incarnation {
    let watchdogs = parts.figures.watchdogs().clone();
    let mut synced = start.lasting.store.writer().map(StorageWriter::synced);
    let mut task = ReceiverTask {
        receiving: Receiving::new(
            engine.incarnation().clone(),
            parts.links.view.servers.clone(),
            start.format,
            now(),
            parts.links.entropy.now_ns(),
        ),
        parts,
        engine,
        lasting: start.lasting,
        clock_watch: ClockWatch::default(),
        allowed_skew: start.allowed_skew,
        watched: watchdogs.receiver.begin(),
        gossip_watched: watchdogs.gossip.begin(),
        heartbeat: 0,
    };
    let mut next_look = Instant::now();
    loop {
        // Whichever comes first.
        let look_at_gossip = tokio::select! {
            biased;
            () = task.engine.changed() => true,
            () = sleep_until(next_look) => true,
            () = until_synced(&mut synced, task.lasting.known.feed.first_unsynced()) => false,
        };
        task.watched.heartbeat();
        if look_at_gossip && let Some(buried_by) = task.merge_changes().await {
            return buried_by;
        }
        task.report();
        if Instant::now() >= next_look {
            task.look().await;
            next_look = Instant::now() + RECEIVER_TICK;
        }
    }
}

/// Resolves when this write is on disk; never without one, or when that cannot be any more.
async fn until_synced(synced: &mut Option<watch::Receiver<SyncState>>, write: Option<WriteNumber>) {
    if let Some(synced) = synced
        && let Some(write) = write
        && synced
            .wait_for(|state| state.synced.0 >= write.0)
            .await
            .is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

struct ReceiverTask {
    receiving: Receiving,
    parts: Parts,
    engine: Arc<Engine>,
    lasting: OwnedMutexGuard<Lasting>,
    clock_watch: ClockWatch,
    allowed_skew: Option<Duration>,
    watched: Watched,
    /// Of the engine's loop, which this task sees by its heartbeat.
    gossip_watched: Watched,
    heartbeat: u64,
}

impl Drop for ReceiverTask {
    fn drop(&mut self) {
        let mut map = &*self.parts.locations;
        self.receiving.end(&self.lasting.known.feed, &mut map);
    }
}

impl ReceiverTask {
    /// Lets the receiver decide; returns what it says, and what it wants to be done.
    fn decide<T>(
        &mut self,
        decide: impl FnOnce(&mut Receiving, &mut Ground<'_, &Locations>) -> T,
    ) -> (T, Vec<Effect>) {
        let mut effects = Vec::new();
        let Lasting { known, store } = &mut *self.lasting;
        let mut ground = Ground {
            map: &mut &*self.parts.locations,
            known,
            store,
            settlements: &mut self.parts.settlements.lock(),
            effects: &mut effects,
        };
        let said = decide(&mut self.receiving, &mut ground);
        (said, effects)
    }

    /// Merges all that came in, after what was noted again. Returns who has buried us, if anyone has.
    async fn merge_changes(&mut self) -> Option<Incarnation> {
        let mut news_again = false;
        while let Some(again) = self.engine.take_again().await {
            // The store has it: how far it has come changes nothing.
            self.store(&again, None);
            match self.merge(&again).await {
                ControlFlow::Continue(news) => news_again |= news,
                ControlFlow::Break(buried_by) => return Some(buried_by),
            }
        }
        if news_again {
            self.parts.links.kick_others(&[]);
        }
        let taken = self.engine.take_changes().await;
        self.store(&taken.changes, Some(&taken.versions));
        match self.merge(&taken.changes).await {
            ControlFlow::Continue(true) => self.parts.links.kick_others(&taken.senders),
            ControlFlow::Continue(false) => {}
            ControlFlow::Break(buried_by) => return Some(buried_by),
        }
        self.receiving.note_merged(taken.versions);
        None
    }

    fn store(
        &mut self,
        changes: &[(Incarnation, Change)],
        versions: Option<&[(Incarnation, u64)]>,
    ) {
        let now = now();
        self.decide(|receiving, ground| receiving.store(changes, versions, now, ground));
    }

    /// Merges these changes, and lets other tasks run in between.
    async fn merge(&mut self, all: &[(Incarnation, Change)]) -> ControlFlow<Incarnation, bool> {
        let mut news = false;
        for changes in all.chunks(GROUPS_PER_YIELD) {
            let now = now();
            let (merged, effects) =
                self.decide(|receiving, ground| receiving.merge(changes, now, ground));
            self.apply(effects).await;
            match merged {
                ControlFlow::Continue(is_news) => news |= is_news,
                ControlFlow::Break(buried_by) => return ControlFlow::Break(buried_by),
            }
            if changes.len() == GROUPS_PER_YIELD {
                self.watched.heartbeat();
                tokio::task::yield_now().await;
            }
        }
        ControlFlow::Continue(news)
    }

    /// Tells the neighbours how far we have got.
    fn report(&mut self) {
        let Lasting { known, store } = &mut *self.lasting;
        let report = self.receiving.report(store.synced(), &mut known.feed);
        self.parts.links.publish_report(report);
    }

    /// Looks around: who is live, whose records need a new publisher, and whose copy is a burden.
    async fn look(&mut self) {
        let links = self.parts.links.clone();
        let clocks = self
            .clock_watch
            .look(links.clock_offsets().into_iter(), self.allowed_skew);
        self.parts.figures.set_clocks(clocks);
        let sightings = self.engine.sightings().await;
        let (has_turned, heartbeat) = self.engine.heartbeat(self.heartbeat).await;
        self.heartbeat = heartbeat;
        if has_turned {
            self.gossip_watched.heartbeat();
        }
        for sighting in &sightings {
            links.note_known(&sighting.incarnation);
        }
        let live = sightings.iter().filter(|sighting| sighting.live);
        links.set_live(live.map(|sighting| &sighting.incarnation));
        let around = Surroundings {
            now: now(),
            sightings: &sightings,
            live_generation: &|server| links.live_generation(server),
            known_generation: &|server| links.known_generation(server),
            links: links.words(),
            rounds: self.parts.figures.slots().rounds,
            rejoin: self.parts.rejoin.take(),
            ids_were_full: links.ids.lock().take_was_full(),
        };
        let ((), effects) = self.decide(|receiving, ground| receiving.look(around, ground));
        self.apply(effects).await;
    }

    async fn apply(&mut self, effects: Vec<Effect>) {
        let (engine, links) = (&self.engine, &self.parts.links);
        for effect in effects {
            match effect {
                Effect::KickOthers(senders) => links.kick_others(&senders),
                Effect::NoteAgain(incarnation) => engine.note_again(&incarnation).await,
                Effect::Bury(incarnation) => engine.bury(&incarnation).await,
                Effect::NameBuried(buried) => engine.name_buried(&buried).await,
                Effect::TellLinks(text) => engine.tell_links(&text).await,
                Effect::TellSettlement(settlement) => engine.tell_settlement(settlement).await,
                Effect::Recount => engine.recount().await,
                Effect::Forget(incarnations) => engine.forget(&incarnations).await,
                Effect::Travelled { origin, heard_ns } => {
                    let travelled_ns = links.entropy.now_ns().saturating_sub(heard_ns);
                    let travelled = Duration::from_nanos(u64::try_from(travelled_ns).unwrap_or(0));
                    if let Some(propagation) = self.parts.figures.propagation().get(&origin) {
                        propagation.observe(travelled, 1);
                    }
                }
                Effect::TombstonesUnreadBy(server) => {
                    let read = server.map_or(TombstonesRead::ByAll, TombstonesRead::NotBy);
                    self.parts.locations.set_tombstones_read(read);
                }
                Effect::End(verdict) => links.note_verdict(verdict),
                Effect::Show(status) => self.parts.figures.set_status(status),
            }
        }
    }
}
