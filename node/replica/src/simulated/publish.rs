//! The publisher of a simulated server: what it hands out is set in gossip, and given to the disk.

use std::time::Instant;

use bytes::Bytes;
use herd_crdt::SlotGroup;

use super::server::Server;
use crate::changes::Change;
use crate::publishing::lagging::NeighbourProgress;
use crate::publishing::{self, RoundStart};
use crate::store::WriteNumber;
use crate::timing::REPORT_INTERVAL;

impl Server {
    pub(super) fn publish(&mut self, now: Instant) {
        let has_news = self.map.pending_len() > 0;
        if now < self.publishing.due() || !has_news && now < self.next_publish {
            return;
        }
        self.rounds += 1;
        let start = RoundStart {
            round: self.rounds,
            generation: self.gossip.me().generation,
            question: 0,
            asks: false,
            unneeded: std::collections::BTreeSet::new(),
            forgotten: self.eraser.question.take(),
        };
        let mut effects = Vec::new();
        let progress = self.progress(now);
        let neighbours = || progress.clone();
        let has_disk = self.has_disk;
        let ticket = |ticket| if has_disk { ticket } else { WriteNumber::LAST };
        let mut around = publishing::Surroundings {
            now,
            synced: ticket(self.syncing.synced()),
            last_write: ticket(self.syncing.last_write()),
            neighbours: &neighbours,
        };
        let mut groups = Some(
            self.publishing
                .begin(start, &around, &mut &*self.map, &mut effects),
        );
        while let Some(set) = groups {
            let mut version = self.publishing.version();
            self.syncing.note_writes(set.len());
            around.synced = ticket(self.syncing.synced());
            around.last_write = ticket(self.syncing.last_write());
            for SlotGroup { slot, group } in set {
                let change = Change::Group {
                    slot,
                    version: 0,
                    group: Some(Bytes::from(group.to_vec())),
                };
                version = self.gossip.set(change, now);
            }
            self.publishing.note_set(version);
            groups = self.publishing.next(&around, &mut &*self.map, &mut effects);
        }
        self.publishing.note_round(now);
        self.next_publish = now + self.publishing.tick(false);
        for effect in effects {
            match effect {
                publishing::Effect::KickAll => self.kick_all(),
                publishing::Effect::Written(written) => self.syncing.note_written(written),
                publishing::Effect::LookedThrough(own) => self.note_looked_through(own, now),
                publishing::Effect::SlowClients(is_slowing) => self.slow(is_slowing, &progress),
                _ => {}
            }
        }
    }

    /// Slows clients down, or not any more.
    fn slow(&mut self, is_slowing: bool, progress: &[NeighbourProgress]) {
        self.is_slowing = is_slowing;
        let version = self.publishing.version();
        let pending = self.map.pending_len();
        let should = self.slowing.should(progress, pending, version);
        if is_slowing != should {
            self.found.push(format!(
                "{} slows clients: {is_slowing}, and should: {should}",
                self.name
            ));
        }
    }

    fn progress(&self, now: Instant) -> Vec<NeighbourProgress> {
        let me = self.gossip.me();
        let progress = self.neighbours.iter().map(|(name, neighbour)| {
            let report = neighbour.report.as_ref();
            NeighbourProgress {
                name: name.clone(),
                up: report.map(|reported| reported.incarnation.clone()),
                merged_lately: report
                    .filter(|reported| now <= reported.at + 2 * REPORT_INTERVAL)
                    .map(|reported| reported.report.of(me).merged),
            }
        });
        progress.collect()
    }
}
