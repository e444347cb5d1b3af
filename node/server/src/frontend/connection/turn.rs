//! Lines of one connection that are executed together, and their replies.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::frontend::depth::Depth;
use crate::frontend::execute::{Arrived, Batch, Effect, LaterReply};
use crate::frontend::replies::Replies;
use crate::frontend::service::Service;
use crate::frontend::statistics::Word;
use herd_acknowledgement::{Begun, Ticket};
use herd_protocol::{Foreign, Line, Reply};

/// A question counts as one more command for each this number of bytes of places, which take as long to build.
const PLACES_BYTES_PER_COMMAND: usize = 128;

/// Executes lines that were read before `begin`.
pub(super) struct Turn<'a> {
    pub(super) service: &'a Service,
    pub(super) batch: Batch<'a>,
    pub(super) replies: &'a mut Replies,
    pub(super) depth: &'a mut Depth,
    pub(super) begin: Instant,
    /// Before anything is reported: none of it waits for records that are published anew.
    pub(super) since: Begun,
    /// Reports since the last acknowledgement was asked for.
    pub(super) held: u64,
    /// The number of executed commands.
    pub(super) commands: usize,
}

impl Turn<'_> {
    /// Executes a line. If it belongs to another protocol, that is told: nothing that follows may be executed.
    pub(super) fn execute(&mut self, line: Line<'_>, is_first: bool) -> Option<Foreign> {
        let service = self.service;
        match service.executor.execute(line, &mut self.batch) {
            Effect::Nothing => self.commands += 1,
            Effect::Now(reply) => {
                if let Reply::Places { json, .. } = &reply {
                    self.commands += json.len() / PLACES_BYTES_PER_COMMAND;
                    self.depth.answered(json.len());
                }
                return self.reply(&reply, line, is_first);
            }
            Effect::Taken(reply) if !service.acknowledgements.holds_replies() => {
                self.commands += 1;
                self.replies.push(&reply);
            }
            Effect::Taken(reply) => {
                self.commands += 1;
                self.replies.hold(&reply, &Reply::Invalid(text(line)));
                self.batch.wait(Word::Iamat, 1);
                self.held += 1;
            }
            Effect::Later(reply) => {
                self.commands += 1;
                let ticket = service.acknowledgements.ticket_since(self.since);
                let reports = std::mem::take(&mut self.held);
                acknowledge(service, self.replies, reports, ticket, self.begin);
                self.batch.wait(Word::Whatsat, 1);
                let reply = measured(service, reply, self.begin);
                self.replies.push_later(reply, text(line).len());
            }
        }
        None
    }

    /// Answers a line at once. If it belongs to another protocol, that is told, as in [`Turn::execute`].
    pub(super) fn reply(
        &mut self,
        reply: &Reply<'_>,
        line: Line<'_>,
        is_first: bool,
    ) -> Option<Foreign> {
        self.commands += 1;
        self.replies.push(reply);
        match reply {
            Reply::Invalid(_) => Foreign::of(text(line), is_first),
            _ => None,
        }
    }

    /// All lines are executed. Returns the number of executed commands.
    pub(super) fn finish(self) -> usize {
        // In this order: all is in the map; the round that takes it along is named; the publisher is woken for it.
        let acknowledgements = &self.service.acknowledgements;
        let ticket = acknowledgements.ticket_since(self.since);
        let Turn { service, begin, .. } = self;
        self.batch.finish(&service.statistics, begin.elapsed());
        acknowledge(service, self.replies, self.held, ticket, begin);
        self.commands
    }
}

/// Holds the replies to `reports` reports, which were read at `begin`, until the reports are as safe as the server
/// promises, by the round of `ticket`.
fn acknowledge(
    service: &Service,
    replies: &mut Replies,
    reports: u64,
    ticket: Ticket,
    begin: Instant,
) {
    let Some(held) = replies.take_held() else {
        return;
    };
    let acknowledgements = Arc::clone(&service.acknowledgements);
    let statistics = Arc::clone(&service.statistics);
    let (bytes, commands) = held.size();
    let decided = async move {
        let confirmed = acknowledgements.confirmed(ticket).await.is_ok();
        statistics
            .latency(Word::Iamat)
            .observe(begin.elapsed(), reports);
        if !confirmed {
            statistics.unconfirmed.fetch_add(reports, Ordering::Relaxed);
        }
        Arrived::Decided(held, confirmed)
    };
    replies.push_awaited(Box::pin(decided), bytes, commands);
}

/// A reply that comes later to a WHATSAT that was read at `begin`, with its time measured.
fn measured(service: &Service, reply: LaterReply, begin: Instant) -> LaterReply {
    let statistics = Arc::clone(&service.statistics);
    Box::pin(async move {
        let arrived = reply.await;
        statistics
            .latency(Word::Whatsat)
            .observe(begin.elapsed(), 1);
        arrived
    })
}

/// The bytes of a line, as far as they were read.
fn text(line: Line<'_>) -> &[u8] {
    match line {
        Line::Text(text) | Line::Oversized(text) => text,
    }
}
