//! What a simulated server does with its links: paces its neighbours, and takes their messages.

use std::collections::BTreeMap;
use std::time::Instant;

use herd_crdt::ServerName;

use super::gossip::{Digest, NodeDelta};
use super::server::Server;
use crate::incarnation::Incarnation;
use crate::pacing::{LinkView, Pacing, RoundEnd, Step};
use crate::push::{Channel, Comparison, NodeVersions};
use crate::report::AppliedReport;
use crate::timing::ROUND_TIMEOUT;

/// What goes over a link.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Syn(Digest),
    SynAck(Digest, Vec<NodeDelta>),
    Ack(Vec<NodeDelta>),
    Report(Incarnation, AppliedReport),
}

/// What a server has of one neighbour.
pub(super) struct Neighbour {
    pub(super) pacing: Pacing,
    /// Who is there and how far it got, while the link is up.
    pub(super) report: Option<(Incarnation, AppliedReport, Instant)>,
    /// Tells one connection from the next.
    pub(super) connection: u64,
    pub(super) is_up: bool,
    pub(super) kicked: bool,
    /// When the pacer looks again.
    pub(super) wakes: Instant,
    /// It rests: news wakes it too.
    pub(super) rests: bool,
    /// The round that is under way began then.
    pub(super) round: Option<Instant>,
}

impl Neighbour {
    pub(super) fn new(dials: bool, now: Instant) -> Self {
        Neighbour {
            pacing: Pacing::new(dials, now),
            report: None,
            connection: 0,
            is_up: false,
            kicked: false,
            wakes: now,
            rests: false,
            round: None,
        }
    }

    pub(super) fn wakes_at(&self, now: Instant) -> Option<Instant> {
        match self.round {
            _ if !self.is_up => None,
            Some(began) => Some(began + ROUND_TIMEOUT),
            None if self.rests && self.kicked => Some(now),
            None => Some(self.wakes),
        }
    }
}

impl Server {
    /// Does what the pacer of a neighbour says, until it waits.
    pub(super) fn pace(&mut self, name: &ServerName, now: Instant) {
        loop {
            let Some(neighbour) = self.neighbours.get_mut(name).filter(|n| n.is_up) else {
                return;
            };
            if let Some(began) = neighbour.round {
                if now < began + ROUND_TIMEOUT {
                    return;
                }
                self.end_round(name, None, now);
                continue;
            }
            if neighbour.rests && (neighbour.kicked || now >= neighbour.wakes) {
                let by_news = std::mem::take(&mut neighbour.kicked);
                neighbour.pacing.note_woken(by_news, false, now);
                neighbour.rests = false;
            } else if neighbour.rests || now < neighbour.wakes {
                return;
            }
            let report = neighbour.report.as_ref().map(|(_, report, _)| report);
            let view = LinkView {
                report,
                ..LinkView::default()
            };
            match neighbour.pacing.next(now, view) {
                Step::Rest { until } => {
                    neighbour.rests = true;
                    neighbour.wakes = until;
                }
                Step::Sleep { until } => {
                    neighbour.wakes = until;
                    return;
                }
                Step::Push => self.push(name, now),
                Step::Round => {
                    neighbour.round = Some(now);
                    let syn = Message::Syn(self.gossip.digest());
                    self.out.push((name.clone(), syn));
                }
            }
        }
    }

    fn push(&mut self, name: &ServerName, now: Instant) {
        let Some(neighbour) = self.neighbours.get_mut(name) else {
            return;
        };
        let Some((up, report, _)) = &neighbour.report else {
            return;
        };
        let channel = channel(neighbour.connection);
        if !neighbour.pacing.may_push(report, channel) {
            return;
        }
        let digest = self.gossip.digest();
        let versions = digest.iter().map(|(incarnation, (_, own_version))| {
            let presumed = neighbour.pacing.presumed(report, up, incarnation)?;
            Some(NodeVersions {
                incarnation: incarnation.clone(),
                own_version: *own_version,
                neighbours_version: presumed,
            })
        });
        let Some(comparison) = versions.collect::<Option<Vec<_>>>().map(Comparison) else {
            return;
        };
        if !comparison.has_news() {
            neighbour.pacing.note_no_news();
            return;
        }
        let presumed: BTreeMap<_, _> = comparison
            .0
            .iter()
            .map(|node| (&node.incarnation, node.neighbours_version))
            .collect();
        let delta = self.gossip.delta(|i| presumed.get(i).copied().unwrap_or(0));
        self.out.push((name.clone(), Message::Ack(delta)));
        let connection = neighbour.connection;
        neighbour
            .pacing
            .note_push(Some(true), 0, &comparison, connection, now);
    }

    fn end_round(&mut self, name: &ServerName, answered: Option<bool>, now: Instant) {
        if let Some(neighbour) = self.neighbours.get_mut(name)
            && neighbour.round.take().is_some()
        {
            let end = RoundEnd {
                answered,
                channel: channel(neighbour.connection),
                delta_bytes: 0,
                progress: 0,
            };
            neighbour.pacing.note_round(end, now);
        }
    }

    /// A message of a neighbour has come.
    pub(super) fn take(&mut self, from: &ServerName, message: Message, now: Instant) {
        let is_up = self.neighbours.get(from).is_some_and(|n| n.is_up);
        if !is_up || !self.is_running() {
            return;
        }
        match message {
            Message::Syn(digest) => {
                self.gossip.hear(&digest, now);
                let known = |i: &Incarnation| digest.get(i).map_or(0, |(_, version)| *version);
                let delta = self.gossip.delta(known);
                let answer = Message::SynAck(self.gossip.digest(), delta);
                self.out.push((from.clone(), answer));
            }
            Message::SynAck(digest, delta) => {
                self.gossip.hear(&digest, now);
                self.gossip.take(delta);
                let known = |i: &Incarnation| digest.get(i).map_or(0, |(_, version)| *version);
                let delta = self.gossip.delta(known);
                self.out.push((from.clone(), Message::Ack(delta)));
                self.end_round(from, Some(true), now);
            }
            Message::Ack(delta) => self.gossip.take(delta),
            Message::Report(incarnation, report) => {
                if let Some(neighbour) = self.neighbours.get_mut(from) {
                    neighbour.report = Some((incarnation, report, now));
                }
            }
        }
    }
}

fn channel(connection: u64) -> Channel {
    Channel {
        connection,
        dropped: 0,
    }
}
