//! What replication says of itself to operators: its tasks write it, and metrics, status and the live page read it.

use std::collections::BTreeMap;

use herd_crdt::ServerName;
use herd_telemetry::histogram::{Histogram, TRAVEL_ENDS};
use parking_lot::Mutex;

use super::watchdogs::ReplicationWatchdogs;
use herd_replica::clocks::ClockView;
use herd_replica::status::{ReplicationStatus, SlotsStatus};

/// See the module.
pub struct Figures {
    status: Mutex<ReplicationStatus>,
    clocks: Mutex<ClockView>,
    slots: Mutex<SlotsStatus>,
    /// By origin server: from receipt there to receipt here.
    propagation: BTreeMap<ServerName, Histogram>,
    /// Signs of life of the loops of each incarnation.
    watchdogs: ReplicationWatchdogs,
}

impl Figures {
    /// Of a server that has seen nothing of the `others` yet.
    #[must_use]
    pub fn new<'a>(others: impl Iterator<Item = &'a ServerName>) -> Self {
        let propagation = others.map(|name| (name.clone(), Histogram::new(TRAVEL_ENDS)));
        Figures {
            status: Mutex::default(),
            clocks: Mutex::default(),
            slots: Mutex::default(),
            propagation: propagation.collect(),
            watchdogs: ReplicationWatchdogs::default(),
        }
    }

    /// The state of replication at the receiver's last look.
    pub fn status(&self) -> ReplicationStatus {
        self.status.lock().clone()
    }

    pub(super) fn set_status(&self, status: ReplicationStatus) {
        *self.status.lock() = status;
    }

    /// How our clock compares with those of the neighbours.
    pub fn clocks(&self) -> ClockView {
        *self.clocks.lock()
    }

    pub(super) fn set_clocks(&self, view: ClockView) {
        *self.clocks.lock() = view;
    }

    /// What this incarnation publishes, after the publisher's last round.
    pub fn slots(&self) -> SlotsStatus {
        *self.slots.lock()
    }

    pub(super) fn set_slots(&self, slots: SlotsStatus) {
        *self.slots.lock() = slots;
    }

    /// By origin server: how long reports took from their receipt there to here, by the wall clocks of
    /// the two. One is measured for each group with news, the latest in it.
    #[must_use]
    pub fn propagation(&self) -> &BTreeMap<ServerName, Histogram> {
        &self.propagation
    }

    /// Signs of life of replication's loops.
    #[must_use]
    pub fn watchdogs(&self) -> &ReplicationWatchdogs {
        &self.watchdogs
    }
}
