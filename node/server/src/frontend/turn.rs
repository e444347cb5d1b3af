//! Commands of one connection that are executed together, and their replies.

use std::sync::Arc;

use tokio::time::Instant;

use super::batch::Batch;
use super::depth::Depth;
use super::replies::{Arrived, LaterReply, Replies, Written};
use super::service::Service;
use super::statistics::Word;
use super::watching::WatchLane;
use super::weights::{LONG_SEARCH_BYTES, LONG_SEARCH_COMMANDS};
use herd_acknowledgement::Ticket;
use herd_protocol::Foreign;

/// Executes commands that were read before `begin`.
pub(super) struct Turn<'a> {
    pub(super) service: &'a Service,
    pub(super) batch: Batch<'a>,
    pub(super) replies: &'a mut Replies,
    pub(super) depth: &'a mut Depth,
    /// What the client watches.
    pub(super) lane: &'a mut Option<Box<WatchLane>>,
    pub(super) begin: Instant,
    pub(super) allowance: Allowance,
    /// Reports and forgotten clients since the last acknowledgement was asked for.
    pub(super) held: Held,
    /// The number of executed commands.
    pub(super) commands: usize,
}

/// How much may be executed in a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// By the limits on the commands of a second.
    pub(super) by_pace: usize,
    /// Until other connections have a turn.
    pub(super) in_turn: usize,
}

/// The numbers of commands whose replies are held, and of the records that they report or forget.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    commands: [u64; Word::ALL.len()],
    records: u64,
}

impl Held {
    fn count(&mut self, word: Word, records: usize) {
        self.commands[word as usize] += 1;
        self.records += records as u64;
    }
}

/// What a codec executed in a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Executed {
    /// The number of commands that were read, by which the limits on the commands of a second count.
    pub(super) read: usize,
    /// Whether nothing whole is left of the bytes that were read.
    pub(super) is_all: bool,
    /// Why nothing that follows may be executed.
    pub(super) end: Option<InputEnd>,
}

/// Why nothing more of a connection is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputEnd {
    /// The client speaks another protocol.
    Foreign(Foreign),
    /// The client has taken its leave, or what it sends cannot be understood any more.
    Over,
}

impl Turn<'_> {
    /// Whether a further command may be executed after so many.
    pub(super) fn may_go_on(&self, read: usize) -> bool {
        read < self.allowance.by_pace
            && self.commands < self.allowance.in_turn
            && self.replies.has_room()
            && !self.waits_for_watch()
    }

    /// Whether a watch has to go on before a command is executed.
    fn waits_for_watch(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.holds_lines())
    }

    /// Adds the reply to a command that was taken in, which goes out when all of its records are as safe as the server
    /// promises; else `refusal` does.
    pub(super) fn taken<R: Written + ?Sized>(
        &mut self,
        reply: &R,
        refusal: &R,
        (word, records): (Word, usize),
    ) {
        self.commands += 1;
        if !self.service.operations.holds_replies() {
            self.replies.push(reply);
            return;
        }
        self.replies.hold(reply, refusal);
        self.batch.wait(word, 1);
        self.held.count(word, records);
    }

    /// Adds a reply that comes later to a command of `command_bytes`.
    pub(super) fn later(&mut self, reply: LaterReply, word: Word, command_bytes: usize) {
        self.commands += 1;
        let ticket = self.batch.ticket();
        let held = std::mem::take(&mut self.held);
        acknowledge(self.service, self.replies, held, ticket, self.begin);
        self.batch.wait(word, 1);
        let reply = measured(self.service, reply, word, self.begin);
        if word.looks_at_many() {
            self.weigh_long_search();
            let bytes = LONG_SEARCH_BYTES + 2 * command_bytes;
            self.replies.push_awaited(reply, bytes, 1);
        } else {
            self.replies.push_later(reply, command_bytes);
        }
    }

    /// Notes the time that a reply took to build, in commands.
    pub(super) fn weigh(&mut self, further: usize) {
        if further > 0 {
            self.commands += further;
            self.depth.answered(further);
        }
    }

    /// The same of a search.
    pub(super) fn weigh_search(&mut self, further: usize) {
        self.weigh(further);
        self.depth.searched(further);
    }

    /// The same of one that was not over at once: it goes on in the background, or was refused.
    pub(super) fn weigh_long_search(&mut self) {
        self.commands += LONG_SEARCH_COMMANDS;
        self.depth.searched_long(LONG_SEARCH_COMMANDS);
    }

    /// All commands are executed. Returns their number.
    pub(super) fn finish(self) -> usize {
        let Turn { service, begin, .. } = self;
        let ticket = self.batch.finish(&service.statistics, begin.elapsed());
        acknowledge(service, self.replies, self.held, ticket, begin);
        self.commands
    }
}

/// Holds the replies to commands of these numbers, which were read at `begin`, until their records are as safe as the
/// server promises, by the round of `ticket`.
fn acknowledge(
    service: &Service,
    replies: &mut Replies,
    numbers: Held,
    ticket: Ticket,
    begin: Instant,
) {
    let Some(held) = replies.take_held() else {
        return;
    };
    let confirmed = service.operations.confirmed(ticket, numbers.records);
    let statistics = Arc::clone(&service.statistics);
    let (bytes, commands) = held.size();
    let decided = async move {
        let confirmed = confirmed.await;
        for (word, count) in Word::ALL.into_iter().zip(numbers.commands) {
            if count > 0 {
                statistics.latency(word).observe(begin.elapsed(), count);
            }
        }
        Arrived::Decided(held, confirmed)
    };
    replies.push_awaited(Box::pin(decided), bytes, commands);
}

/// A reply that comes later to a command that was read at `begin`, with its time measured.
fn measured(service: &Service, reply: LaterReply, word: Word, begin: Instant) -> LaterReply {
    let statistics = Arc::clone(&service.statistics);
    Box::pin(async move {
        let arrived = reply.await;
        statistics.latency(word).observe(begin.elapsed(), 1);
        arrived
    })
}
