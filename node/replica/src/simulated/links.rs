//! What a simulated server does with its links: paces its neighbours, and takes their messages.

use std::collections::BTreeMap;
use std::time::Instant;

use herd_crdt::ServerName;

use super::gossip::{Delta, Digest};
use super::server::Server;
use crate::backoff::Backoff;
use crate::incarnation::Incarnation;
use crate::pacing::{LinkView, Pacing, RoundEnd, Step};
use crate::push::{Channel, Comparison, NodeVersions};
use crate::report::AppliedReport;
use crate::timing::{FULL_DELTA_BYTES, RESTART_PAUSE_MAX, RESTART_PAUSE_MIN, ROUND_TIMEOUT};

/// What goes over a link.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Syn(Digest),
    SynAck(Digest, Delta),
    Ack(Delta),
    Report(Incarnation, AppliedReport, i64),
}

impl Message {
    /// Garbles groups on their way: `draw` says which.
    pub(super) fn garble(&mut self, draw: impl FnMut() -> bool) {
        if let Message::SynAck(_, delta) | Message::Ack(delta) = self {
            delta.garble(draw);
        }
    }
}

/// What a neighbour reported last.
pub(super) struct Reported {
    pub(super) incarnation: Incarnation,
    pub(super) report: AppliedReport,
    pub(super) at: Instant,
    /// Its wall clock then.
    pub(super) clock_ns: i64,
}

/// What a server has of one neighbour.
pub(super) struct Neighbour {
    pub(super) pacing: Pacing,
    /// Who is there and how far it got, while the link is up.
    pub(super) report: Option<Reported>,
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
    /// The size of the larger delta of the round: full, or not.
    full: bool,
    /// It lied, or passed on a lie: until then nothing of it is taken.
    cut_until: Instant,
    cuts: Backoff,
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
            full: false,
            cut_until: now,
            cuts: Backoff::new(RESTART_PAUSE_MIN, RESTART_PAUSE_MAX),
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
            let report = neighbour.report.as_ref().map(|reported| &reported.report);
            let theirs = report.map_or(0, AppliedReport::progress);
            let view = LinkView {
                report,
                progress: self.progress_made.wrapping_add(theirs),
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
        let Some(Reported {
            incarnation: up,
            report,
            ..
        }) = &neighbour.report
        else {
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
        let delta_bytes = delta_bytes(delta.is_cut);
        self.out.push((name.clone(), Message::Ack(delta)));
        let connection = neighbour.connection;
        neighbour
            .pacing
            .note_push(Some(true), delta_bytes, &comparison, connection, now);
    }

    fn end_round(&mut self, name: &ServerName, answered: Option<bool>, now: Instant) {
        if let Some(neighbour) = self.neighbours.get_mut(name)
            && neighbour.round.take().is_some()
        {
            let report = neighbour.report.as_ref().map(|reported| &reported.report);
            let theirs = report.map_or(0, AppliedReport::progress);
            let end = RoundEnd {
                answered,
                channel: channel(neighbour.connection),
                delta_bytes: delta_bytes(std::mem::take(&mut neighbour.full)),
                progress: self.progress_made.wrapping_add(theirs),
            };
            neighbour.pacing.note_round(end, now);
        }
    }

    /// A message of a neighbour has come.
    pub(super) fn take(&mut self, from: &ServerName, message: Message, now: Instant) {
        let neighbour = self.neighbours.get(from);
        let is_heard = neighbour.is_some_and(|n| n.is_up && now >= n.cut_until);
        if !is_heard || !self.is_running() {
            return;
        }
        match message {
            Message::Syn(digest) => {
                if self.hear(from, &digest, now) {
                    let delta = self.gossip.delta(versions_of(&digest));
                    let answer = Message::SynAck(self.gossip.digest(), delta);
                    self.out.push((from.clone(), answer));
                }
            }
            Message::SynAck(digest, delta) => {
                if self.hear(from, &digest, now) {
                    let is_full = delta.is_cut;
                    self.gossip.take(delta);
                    let delta = self.gossip.delta(versions_of(&digest));
                    if let Some(neighbour) = self.neighbours.get_mut(from) {
                        neighbour.full = is_full | delta.is_cut;
                    }
                    self.out.push((from.clone(), Message::Ack(delta)));
                    self.end_round(from, Some(true), now);
                }
            }
            Message::Ack(delta) => self.gossip.take(delta),
            Message::Report(incarnation, report, clock_ns) => {
                let me = self.gossip.me();
                let report = report.limited(me, self.gossip.version());
                if let Some(neighbour) = self.neighbours.get_mut(from) {
                    neighbour.report = Some(Reported {
                        incarnation,
                        report,
                        at: now,
                        clock_ns,
                    });
                }
            }
        }
    }

    /// Takes in a digest; says whether it is credible. If not, this incarnation ends, and the neighbour is not heard for a
    /// while.
    fn hear(&mut self, from: &ServerName, digest: &Digest, now: Instant) -> bool {
        let is_overstated = self.gossip.hear(digest, now);
        if is_overstated {
            self.is_overstated = true;
            self.next_look = now;
            if let Some(neighbour) = self.neighbours.get_mut(from) {
                neighbour.cut_until = now + neighbour.cuts.next_pause(1.0);
            }
        }
        !is_overstated
    }
}

fn versions_of(digest: &Digest) -> impl Fn(&Incarnation) -> u64 {
    |incarnation| digest.get(incarnation).map_or(0, |(_, version)| *version)
}

/// A delta that is cut short is full, and no other.
fn delta_bytes(is_cut: bool) -> usize {
    if is_cut { FULL_DELTA_BYTES } else { 0 }
}

fn channel(connection: u64) -> Channel {
    Channel {
        connection,
        dropped: 0,
    }
}
