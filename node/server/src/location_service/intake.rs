//! Reports, taken in together.

use std::sync::atomic::Ordering;

use herd_crdt::{BorrowedRecord, Operands, Outcome, ServerName};

use super::own_time::OwnTimes;
use super::service::LocationService;
use crate::access::Principal;
use herd_acknowledgement::{Begun, Ticket};
use herd_locations::{Full, Reports};

/// Reports that are taken in together: they share one reading of the clock and one ticket, and shared counters are
/// touched once for all of them. Not to be held over an await.
pub struct Batch<'a> {
    pub(super) service: &'a LocationService,
    pub(super) received_ns: i64,
    /// Before anything is reported: none of it waits for records that are published anew.
    pub(super) since: Begun,
    pub(super) reports: Reports<'a>,
    pub(super) own_times: OwnTimes,
}

/// A report that was taken in, or is older than the known record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    /// The server that heard it.
    pub server: &'a ServerName,
    /// Its clock at receipt less the client's time, in nanoseconds.
    pub difference_ns: i128,
}

/// Why a report was not taken in. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The token does not allow it.
    #[error("the token does not allow to report this client")]
    Forbidden,
    /// Its time lies too far ahead of this server's clock.
    #[error("the time lies too far ahead of the server's clock")]
    Ahead,
    /// The client ID is longer than is allowed here.
    #[error("the client's id is longer than this server allows")]
    ClientTooLong,
    /// The client is new, and there is no room for one.
    #[error("the server has no room for further clients")]
    Full,
    /// Only the floor of expiry keeps it out, although it is not old by this server's clock.
    #[error("the floor of expiry is ahead of the server's clock")]
    KeptOut,
}

impl LocationService {
    /// Begins a batch of reports that were received at `received_ns` by this server's clock.
    pub fn begin_batch(&self, received_ns: i64) -> Batch<'_> {
        Batch {
            service: self,
            received_ns,
            since: self.acknowledgements.begun(),
            reports: self.locations.begin_reports(),
            own_times: OwnTimes::default(),
        }
    }
}

impl<'a> Batch<'a> {
    /// Takes in one report. It is known to every later question when this returns.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn report(
        &mut self,
        principal: &Principal,
        operands: &Operands<'_>,
    ) -> Result<Taken<'a>, Refusal> {
        self.report_received(principal, operands, self.received_ns)
    }

    /// The same of a report that was received at `received_ns`: at that of the batch, or at the report's own time if that
    /// is one of [`Batch::next_time_ns`].
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn report_received(
        &mut self,
        principal: &Principal,
        operands: &Operands<'_>,
        received_ns: i64,
    ) -> Result<Taken<'a>, Refusal> {
        let service = self.service;
        if !principal.may_report(operands.client()) {
            return Err(Refusal::Forbidden);
        }
        service.check(operands, received_ns)?;
        let server = &service.settings.server;
        let record = BorrowedRecord::of(*operands, server, received_ns);
        let difference_ns = record.difference_ns();
        if self.reports.report(record) == Outcome::Expired
            && service.is_kept_out(operands.sent().ns(), self.received_ns)
        {
            return Err(Refusal::KeptOut);
        }
        Ok(Taken {
            server,
            difference_ns,
        })
    }

    /// For all that was taken in so far: see [`LocationService::confirmed`].
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        self.service.acknowledgements.ticket_since(self.since)
    }

    /// All of it is taken in. Returns its ticket.
    pub fn finish(self) -> Ticket {
        // In this order: all is in the map; the round that takes it along is named; the publisher is woken for it.
        let ticket = self.ticket();
        drop(self.reports);
        ticket
    }
}

impl LocationService {
    /// The limits, for a report that was received at this time.
    pub(super) fn check(&self, operands: &Operands<'_>, received_ns: i64) -> Result<(), Refusal> {
        let is_ahead = |skew_ns| operands.sent().ns() > received_ns.saturating_add(skew_ns);
        if self.max_clock_skew_ns.is_some_and(is_ahead) {
            return Err(Refusal::Ahead);
        }
        if operands.client().len() > self.settings.client_id_bytes_max {
            let refused = &self.statistics.client_ids_refused;
            refused.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::ClientTooLong);
        }
        match self.full_for(operands) {
            Some(full) => {
                self.note_full(full);
                Err(Refusal::Full)
            }
            None => Ok(()),
        }
    }

    /// The limit that is reached, if this report is of a client that is not known.
    fn full_for(&self, operands: &Operands<'_>) -> Option<Full> {
        // While the store is read, one that is not found may be known all the same.
        if self.locations.loading().is_running() {
            return None;
        }
        let texts = [operands.client(), operands.location(), operands.time()];
        let texts_bytes = texts.map(<[u8]>::len).iter().sum();
        let client = operands.client();
        self.locations
            .full_for(client, texts_bytes, self.settings.room)
    }

    fn note_full(&self, full: Full) {
        let refused = match full {
            Full::Clients => &self.statistics.clients_refused,
            Full::Bytes => &self.statistics.client_bytes_refused,
        };
        refused.fetch_add(1, Ordering::Relaxed);
        if self.full_warning.is_due() {
            tracing::warn!(
                max_clients = self.settings.room.clients_max,
                max_client_bytes = self.settings.room.bytes_max,
                client_bytes = self.locations.memory_bytes(),
                "max_clients or max_client_bytes is reached: reports of new clients are refused"
            );
        }
    }

    /// Whether a report that the floor of expiry did not let in is no old one by this server's clock.
    pub(super) fn is_kept_out(&self, time_ns: i64, received_ns: i64) -> bool {
        let expire_after = self.settings.expire_after;
        let kept_out = expire_after.is_some_and(|after| after.is_current(time_ns, received_ns));
        if kept_out && self.floor_warning.is_due() {
            tracing::warn!("the floor of expiry is ahead of the clock: recent reports are refused");
        }
        kept_out
    }
}
