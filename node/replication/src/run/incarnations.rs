//! One incarnation of the gossip engine after the other, each with its tasks.

use std::sync::Arc;
use std::time::Duration;

use herd_crdt::Publisher;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::starting::gathered;
use super::{Replication, ReplicationEnd};
use crate::driver::eraser::{EraserStart, erase};
use crate::driver::now;
use crate::driver::pacer::pace;
use crate::driver::publisher::{PublisherStart, PublisherStore, publish};
use crate::driver::receiver::{ReceiverStart, receive};
use crate::incarnation::Incarnation;
use crate::storing::{StorageState, StoreLoad};
use herd_gossip::engine::Engine;
use herd_gossip::neighbour::Neighbour;
use herd_replica::engine_error::EngineError;
use herd_replica::life::{Ended, Facts, Life, Then};
use herd_replica::status::SlotsStatus;
use herd_replica::verdict::IncarnationVerdict;
use herd_storage::Write;

/// The tasks of an incarnation.
struct Running {
    engine: Arc<Engine>,
    pacers: JoinSet<()>,
    /// Empty where nobody reads what this server publishes.
    publisher: JoinSet<()>,
    /// The same.
    eraser: JoinSet<()>,
    receiver: JoinSet<Incarnation>,
}

impl Running {
    /// Resolves when the engine or one of the tasks has ended.
    async fn ended(&mut self) -> Ended {
        let failed = |name: &str, ended: Result<(), JoinError>| {
            Ended::Failed(match ended {
                Ok(()) => EngineError::ended(name),
                Err(panic) => EngineError::panicked(name, panic),
            })
        };
        tokio::select! {
            biased;
            error = self.engine.terminated() => Ended::Engine(error),
            Some(ended) = self.receiver.join_next() => match ended {
                Ok(by) => Ended::BuriedBy(by),
                Err(error) => Ended::Failed(EngineError::panicked("receiver", error)),
            },
            Some(ended) = self.publisher.join_next() => failed("publisher", ended),
            Some(ended) = self.eraser.join_next() => failed("eraser", ended),
            Some(ended) = self.pacers.join_next() => failed("pacer", ended),
        }
    }

    async fn stop(mut self) {
        self.pacers.shutdown().await;
        self.eraser.shutdown().await;
        self.publisher.shutdown().await;
        self.receiver.shutdown().await;
        self.engine.stop();
    }
}

impl Replication {
    /// `late` is a store that is not read yet.
    pub(super) async fn incarnations(
        &self,
        mut late: Option<StoreLoad>,
        stop: &CancellationToken,
    ) -> ReplicationEnd {
        tokio::select! {
            biased;
            () = self.any_generation_known(&mut late) => {}
            () = stop.cancelled() => return ReplicationEnd::Stopped,
        }
        let mut life = Life::begin(now());
        loop {
            if let Some(load) = late.take_if(|load| load.is_read()) {
                tokio::select! {
                    biased;
                    () = self.finish_store(load) => {}
                    () = stop.cancelled() => return ReplicationEnd::Stopped,
                }
            }
            life.next(now());
            let end = match self.incarnation(&mut late, stop).await {
                Ok(end) => end,
                Err(error) => Ended::Failed(error),
            };
            match life.after(&end, self.facts()) {
                Then::Stop => return ReplicationEnd::Stopped,
                Then::GiveWay => return ReplicationEnd::Superseded,
                Then::Begin {
                    exceed,
                    pause,
                    cut_suspect,
                } => {
                    if let Some(time) = cut_suspect {
                        self.cut_suspect(time);
                    }
                    wait(pause, stop).await;
                    self.parts.links.exceed_generation(exceed);
                }
            }
        }
    }

    /// What is known when an incarnation has ended.
    fn facts(&self) -> Facts {
        let links = &self.parts.links;
        Facts {
            now: now(),
            own_generation: links.incarnation().generation,
            known_generation: links.known_generation(&links.view.me),
            has_suspect: self.suspect().is_some(),
            jitter: links.entropy.jitter(),
        }
    }

    /// The neighbour that brought the last message to the engine.
    fn suspect(&self) -> Option<&Arc<Neighbour>> {
        let address = self.parts.links.processing()?;
        let mut neighbours = self.parts.links.neighbours().iter();
        neighbours.find(|neighbour| neighbour.gossip_address == address)
    }

    /// A message may have been what ended the engine: the link that brought the last one is cut for a while.
    fn cut_suspect(&self, time: Duration) {
        if let Some(neighbour) = self.suspect() {
            warn!(neighbour = %neighbour.config.name, "gossip failed at a message of this neighbour: its link is cut for a while");
            neighbour.cut_for(time);
        }
    }

    /// Runs one incarnation to its end. `late` is a store that is not read yet, and when it is, the incarnation ends; or one
    /// that is read again after it had failed.
    async fn incarnation(
        &self,
        late: &mut Option<StoreLoad>,
        stop: &CancellationToken,
    ) -> Result<Ended, EngineError> {
        let mut verdicts = self.parts.links.verdict();
        let incarnation = self.parts.links.incarnation();
        // Said while there was no incarnation to hear it, and no handshake says it again.
        let said = *verdicts.borrow();
        if said.is_some_and(|said| said.known() > incarnation.generation) {
            verdicts.mark_changed();
        }
        let generation = incarnation.generation;
        let mut running = self.begin(incarnation).await?;
        let mut back = None;
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => Ended::Stopped,
            () = gathered(late) => Ended::StoreRead,
            load = self.store_again() => {
                back = Some(load);
                Ended::StoreBack
            }
            end = running.ended() => end,
            said = next_verdict(&mut verdicts, generation) => match said {
                IncarnationVerdict::MustExceed(known) => Ended::MustExceed(known),
                IncarnationVerdict::Superseded(known) => Ended::Superseded(known),
                IncarnationVerdict::Overstated(_) => Ended::Overstated,
            },
        };
        running.stop().await;
        if back.is_some() {
            self.begin_store_again().await;
            *late = back;
        }
        Ok(end)
    }

    /// Starts the engine of an incarnation, and its tasks.
    async fn begin(&self, incarnation: Incarnation) -> Result<Running, EngineError> {
        let links = &self.parts.links;
        links.forget_processing();
        let engine = Arc::new(Engine::start(incarnation.clone(), links, self.group_format).await?);
        info!(%incarnation, "gossip started");
        let mut lasting = self.lasting.clone().lock_owned().await;
        lasting.known.feed.note_own(&incarnation);
        let store = lasting.store.writer().map(|writer| PublisherStore {
            writer: writer.clone(),
            unneeded: lasting.store.unneeded().clone(),
        });
        if let Some(store) = &store {
            let generation = incarnation.generation;
            // Ahead of all that is published under it; refused only by a store that has failed.
            let _ = store.writer.write(vec![Write::Generation { generation }]);
        }
        let mut pacers = JoinSet::new();
        for neighbour in links.neighbours() {
            pacers.spawn(pace(neighbour.clone(), engine.clone(), links.clone()));
        }
        let mut publisher = JoinSet::new();
        let mut eraser = JoinSet::new();
        if self.has_readers(store.as_ref()) {
            self.republish();
            let start_of_eraser = EraserStart {
                within: self.erased_within,
                format: self.group_format,
                writer: store.as_ref().map(|store| store.writer.clone()),
            };
            eraser.spawn(erase(self.parts.clone(), engine.clone(), start_of_eraser));
            let start = PublisherStart {
                publisher: Publisher::with_spare_slots(self.group_format, self.spare_slots),
                backlog_records_max: self.backlog_records_max,
                store,
            };
            publisher.spawn(publish(self.parts.clone(), engine.clone(), start));
        } else {
            self.parts.locations.publish_nothing();
            // A store that is read or failed has an eraser when it is there.
            if matches!(*self.parts.store.state().borrow(), StorageState::Ephemeral) {
                self.parts.locations.ignore_forgettings();
            }
        }
        let start = ReceiverStart {
            lasting,
            allowed_skew: self.allowed_skew,
            format: self.group_format,
        };
        let mut receiver = JoinSet::new();
        receiver.spawn(receive(self.parts.clone(), engine.clone(), start));
        Ok(Running {
            engine,
            pacers,
            publisher,
            eraser,
            receiver,
        })
    }

    /// The slots of a new incarnation are empty, and its publisher counts its rounds from zero.
    fn republish(&self) {
        self.parts.figures.set_slots(SlotsStatus::default());
        self.parts.links.set_round_version(0);
        if self.parts.locations.republish_all() > 0 {
            self.parts.acknowledgements.note_republishing();
        }
    }

    /// Whether anybody reads what this server publishes, or waits until somebody has. A server in memory alone has nobody:
    /// neighbours come with a topology, and a store with the configuration, and both with a restart.
    fn has_readers(&self, store: Option<&PublisherStore>) -> bool {
        store.is_some()
            || !self.parts.links.neighbours().is_empty()
            || self.parts.acknowledgements.holds_replies()
    }
}

async fn wait(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = sleep(pause) => {}
    }
}

/// The next verdict on an incarnation of this generation: not one that was meant for an earlier incarnation.
pub(super) async fn next_verdict(
    verdicts: &mut watch::Receiver<Option<IncarnationVerdict>>,
    generation: u64,
) -> IncarnationVerdict {
    loop {
        if verdicts.changed().await.is_err() {
            // The sender lives in the links, which outlive this.
            std::future::pending::<()>().await;
        }
        let said = *verdicts.borrow_and_update();
        if let Some(said) = said.filter(|said| said.known() >= generation) {
            return said;
        }
    }
}
