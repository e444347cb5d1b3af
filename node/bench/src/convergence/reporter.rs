//! Reports new clients at one server, at a fixed rate.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::conversation::{Conversation, Said};
use super::plan::ConvergencePlan;
use super::sightings::{Open, Sightings};
use crate::dial::{REOPENS_MAX, reopen_gap};
use crate::digits::push_time;
use crate::error::BenchError;
use herd_clock::clock::{SystemClock, WallClock};

/// The reports of one server.
pub(super) struct Reporter {
    place: usize,
    server: usize,
    run_id: i64,
    plan: Rc<ConvergencePlan>,
    sightings: Rc<Sightings>,
    conversation: Conversation,
}

/// Appends the ID of a record's client.
pub(super) fn push_client(out: &mut Vec<u8>, run_id: i64, number: u64) {
    out.extend_from_slice(format!("converge-{run_id:x}-{number}").as_bytes());
}

impl Reporter {
    pub(super) async fn open(
        place: usize,
        run_id: i64,
        plan: Rc<ConvergencePlan>,
        sightings: Rc<Sightings>,
    ) -> Result<Self, BenchError> {
        let server = plan.report_at.get(place).copied().unwrap_or_default();
        let address = plan.servers.get(server).map_or("", String::as_str);
        Ok(Reporter {
            place,
            server,
            run_id,
            conversation: Conversation::open(address).await?,
            plan,
            sightings,
        })
    }

    pub(super) async fn run(
        mut self,
        start: Instant,
        stop: CancellationToken,
    ) -> Result<(), BenchError> {
        let servers = self.plan.report_at.len() as u64;
        let place = self.place as u64;
        for turn in 0..self.plan.reports_of(self.place) {
            let number = turn * servers + place;
            let due = start + Duration::from_secs_f64(number as f64 / self.plan.rate);
            tokio::select! {
                () = sleep_until(due) => {}
                () = stop.cancelled() => return Ok(()),
            }
            let said = self.report(number).await;
            let failure = match said {
                Ok(Said::At) => continue,
                Ok(Said::Refused(reply)) => {
                    self.sightings.withdrawn(number);
                    self.sightings.refused(reply);
                    continue;
                }
                Err(failure) => failure,
            };
            self.sightings.withdrawn(number);
            self.sightings
                .connection_failed(self.conversation.server(), &failure);
            if !self.reopen(&stop).await {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn report(&mut self, number: u64) -> std::io::Result<Said> {
        let mut line = b"IAMAT ".to_vec();
        push_client(&mut line, self.run_id, number);
        line.extend_from_slice(b" +34.068930-118.445127 ");
        push_time(&mut line, SystemClock.now_ns());
        line.push(b'\n');
        self.sightings.sent(Open {
            number,
            from: self.server,
            sent: Instant::now(),
        });
        self.conversation.send(&line).await?;
        self.conversation.reply(false).await
    }

    /// Tries to open the connection again. Returns whether it is open.
    async fn reopen(&mut self, stop: &CancellationToken) -> bool {
        for attempt in 0..REOPENS_MAX {
            tokio::select! {
                () = sleep(reopen_gap(attempt)) => {}
                () = stop.cancelled() => return false,
            }
            match self.conversation.reopen().await {
                Ok(()) => return true,
                Err(failure) => {
                    self.sightings
                        .connection_failed(self.conversation.server(), &failure);
                }
            }
        }
        false
    }
}
