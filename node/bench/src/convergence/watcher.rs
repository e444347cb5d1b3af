//! Asks one server for the reports to the others, until it knows them.

use std::io;
use std::rc::Rc;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::conversation::{Conversation, ReplyContent};
use super::plan::ConvergencePlan;
use super::reporter::push_client;
use super::sightings::{Sightings, UnseenRecord};
use crate::dial::{REOPENS_MAX, reopen_gap};
use crate::error::BenchError;
use crate::ticks::Ticks;

/// The most clients that a server is asked for at a time.
const BATCH: usize = 512;

/// The questions to one server.
pub(super) struct Watcher {
    server: usize,
    run_id: i64,
    plan: Rc<ConvergencePlan>,
    sightings: Rc<Sightings>,
    conversation: Conversation,
}

impl Watcher {
    pub(super) async fn open(
        server: usize,
        run_id: i64,
        plan: Rc<ConvergencePlan>,
        sightings: Rc<Sightings>,
    ) -> Result<Self, BenchError> {
        let address = plan.servers.get(server).map_or("", String::as_str);
        Ok(Watcher {
            server,
            run_id,
            conversation: Conversation::open(address).await?,
            plan,
            sightings,
        })
    }

    /// Asks until everything was seen or given up, and nothing more will come.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), BenchError> {
        let no_timer = |error| BenchError::Failed(format!("no timer: {error}"));
        let mut ticks = Ticks::every(self.plan.poll).map_err(no_timer)?;
        let mut open = Vec::with_capacity(BATCH);
        let mut failures = 0;
        while !stop.is_cancelled() {
            self.sightings.open_at(self.server, BATCH, &mut open);
            if open.is_empty() {
                if self.sightings.is_over() {
                    return Ok(());
                }
                tokio::select! {
                    () = self.sightings.news(self.server) => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
            let asked = match failures {
                0 => self.ask(&open).await,
                _ => self.conversation.reopen().await,
            };
            match asked {
                Ok(()) => failures = 0,
                Err(failure) => {
                    let server = self.conversation.server();
                    self.sightings.connection_failed(server, &failure);
                    sleep(reopen_gap(failures)).await;
                    // Then it only counts the records that are missing, because this server cannot be asked any more.
                    failures = (failures + 1).min(REOPENS_MAX);
                }
            }
            self.give_up(&open);
            ticks.next().await.map_err(no_timer)?;
        }
        Ok(())
    }

    async fn ask(&mut self, open: &[UnseenRecord]) -> io::Result<()> {
        let mut lines = Vec::new();
        for record in open {
            lines.extend_from_slice(b"WHATSAT ");
            push_client(&mut lines, self.run_id, record.number);
            lines.extend_from_slice(b" 0 0\n");
        }
        self.conversation.send(&lines).await?;
        for &record in open {
            if self.conversation.reply(true).await? == ReplyContent::At {
                self.sightings.seen(self.server, record, Instant::now());
            }
        }
        Ok(())
    }

    fn give_up(&self, open: &[UnseenRecord]) {
        let now = Instant::now();
        for &record in open {
            if now.saturating_duration_since(record.sent) >= self.plan.give_up {
                // Nothing happens if it was seen.
                self.sightings.never(self.server, record);
            }
        }
    }
}
