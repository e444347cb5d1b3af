//! Commands that are executed together.

use std::net::IpAddr;
use std::time::Duration;

use super::statistics::{CommandOutcome, Counts, Statistics, Word};
use crate::location_service;
use herd_acknowledgement::Ticket;

/// Commands that are executed together: they share one reading of the clock, and their changes of shared counters are
/// added up first.
pub(super) struct Batch<'a> {
    pub(super) reports: location_service::Batch<'a>,
    /// The client's address.
    pub(super) address: IpAddr,
    counts: Counts,
}

impl<'a> Batch<'a> {
    /// Of a client with this address.
    pub(super) fn new(reports: location_service::Batch<'a>, address: IpAddr) -> Self {
        Batch {
            reports,
            address,
            counts: Counts::default(),
        }
    }

    /// Notes the outcome of a command.
    pub(super) fn count(&mut self, outcome: CommandOutcome) {
        self.counts.count(outcome);
    }

    /// For the reports so far.
    pub(super) fn ticket(&self) -> Ticket {
        self.reports.ticket()
    }

    /// All its commands are executed: adds its counts to the shared ones. Returns the ticket of its reports.
    pub(super) fn finish(self, statistics: &Statistics, took: Duration) -> Ticket {
        let ticket = self.reports.finish();
        statistics.add(&self.counts, took);
        ticket
    }

    /// The replies to `commands` of its commands are not ready when the batch is executed.
    pub(super) fn wait(&mut self, word: Word, commands: u64) {
        self.counts.wait(word, commands);
    }
}
