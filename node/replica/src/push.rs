//! A push: news for a neighbour in one message, where a round of gossip takes three.
//!
//! The neighbour's applied reports say what it has, so it need not be asked. Our own chitchat is handed a SYN-ACK in the
//! neighbour's name that says so (`syn_ack`), and answers with an ACK that holds all the rest. The neighbour's
//! chitchat takes an ACK that it did not ask for as it takes any: it leaves out what it has, and what begins later than
//! what it has. So a push that was wrong about the neighbour is made good by the next round.

use std::collections::BTreeMap;

use super::incarnation::Incarnation;
use super::report::AppliedReport;
use super::timing::PUSHES_AHEAD_MAX;

/// A version that no incarnation reaches.
pub const EVERYTHING: u64 = u64::MAX;

/// One connection of a neighbour for as long as it loses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Tells one connection from the next.
    pub connection: u64,
    /// Messages for the neighbour that its queue has dropped.
    pub dropped: u64,
}

/// What was pushed to a neighbour and is not in its reports yet.
#[derive(Debug, Default)]
pub struct Pushed {
    /// What a whole round has gone over: since then both sides know the same incarnations.
    channel: Option<Channel>,
    /// By incarnation, the version that the neighbour has once all pushes have arrived, if its last report that we looked
    /// at falls short of it.
    versions: BTreeMap<Incarnation, u64>,
    /// Pushes since the neighbour had all for certain.
    ahead: usize,
}

impl Pushed {
    /// Whether news may be pushed over this channel. Not while many pushes are under way: a round waits for the
    /// neighbour, and so do its pushes then.
    pub fn may_push(&self, channel: Channel) -> bool {
        self.channel == Some(channel) && self.ahead < PUSHES_AHEAD_MAX
    }

    /// A round over this channel has ended, and moved all that there was. What was pushed before had arrived by then.
    pub fn note_round(&mut self, channel: Channel) {
        if self.channel != Some(channel) {
            self.forget();
            self.channel = Some(channel);
        }
        self.ahead = 0;
    }

    /// Nobody knows what the neighbour got: only a round tells.
    pub fn forget(&mut self) {
        *self = Pushed::default();
    }

    /// The news in this are on their way.
    pub fn note_pushed(&mut self, comparison: &Comparison) {
        let news = comparison.0.iter().filter(|node| node.is_news());
        self.versions
            .extend(news.map(|node| (node.incarnation.clone(), node.own_version)));
        self.ahead += 1;
    }

    /// The neighbour has reported this.
    pub fn note_report(&mut self, report: &AppliedReport) {
        // It may have forgotten one meanwhile.
        self.versions.retain(|incarnation, version| {
            let applied = report.get(incarnation);
            applied.is_some_and(|applied| applied.merged < *version)
        });
        if self.versions.is_empty() {
            self.ahead = 0;
        }
    }

    /// Whether the neighbour has reported all that was pushed.
    pub fn has_arrived(&self) -> bool {
        self.versions.is_empty()
    }

    /// The version of what `incarnation` publishes that the neighbour, which is itself the incarnation `neighbour`, has
    /// by this report and by what is on its way; `None` if it has never heard of that.
    pub fn presumed(
        &self,
        report: &AppliedReport,
        neighbour: &Incarnation,
        incarnation: &Incarnation,
    ) -> Option<u64> {
        if incarnation == neighbour {
            // Whatever we have of it came from there.
            return Some(EVERYTHING);
        }
        let reported = report.get(incarnation)?.merged;
        let pushed = self.versions.get(incarnation).copied();
        Some(pushed.map_or(reported, |pushed| pushed.max(reported)))
    }
}

/// What this server and a neighbour have of what one incarnation publishes.
#[derive(Debug)]
pub struct NodeVersions {
    /// Who publishes it.
    pub incarnation: Incarnation,
    /// The version that this server has.
    pub own_version: u64,
    /// The version that the neighbour has, as far as is known.
    pub neighbours_version: u64,
}

impl NodeVersions {
    fn is_news(&self) -> bool {
        self.own_version > self.neighbours_version
    }
}

/// What this server and a neighbour have of everything that gossip hands on.
#[derive(Debug)]
pub struct Comparison(pub Vec<NodeVersions>);

impl Comparison {
    /// Whether there is anything that the neighbour lacks.
    pub fn has_news(&self) -> bool {
        self.0.iter().any(NodeVersions::is_news)
    }
}

#[cfg(test)]
mod tests;
