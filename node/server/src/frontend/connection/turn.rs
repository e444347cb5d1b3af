//! Lines of one connection that are executed together, and their replies.

use std::sync::Arc;

use tokio::time::Instant;

use crate::access::{AUTH_WORD, AccessSession, LineVerdict, Principal};
use crate::frontend::depth::Depth;
use crate::frontend::execute::{Batch, Effect, SEARCH_COMMANDS, Watching, further_commands};
use crate::frontend::replies::{Arrived, LaterReply, Replies};
use crate::frontend::service::Service;
use crate::frontend::statistics::Word;
use crate::frontend::watching::WatchLane;
use herd_acknowledgement::Ticket;
use herd_protocol::{Foreign, Line, Reply};

/// Executes lines that were read before `begin`.
pub(super) struct Turn<'a> {
    pub(super) service: &'a Service,
    pub(super) batch: Batch<'a>,
    pub(super) replies: &'a mut Replies,
    pub(super) depth: &'a mut Depth,
    /// What the client watches.
    pub(super) lane: &'a mut Option<Box<WatchLane>>,
    pub(super) begin: Instant,
    /// Reports and forgotten clients since the last acknowledgement was asked for.
    pub(super) held: Held,
    /// The number of executed commands.
    pub(super) commands: usize,
}

/// The numbers of commands whose replies are held.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    reports: u64,
    forgotten: u64,
}

impl Held {
    fn count(&mut self, word: Word) {
        match word {
            Word::Forget => self.forgotten += 1,
            _ => self.reports += 1,
        }
    }
}

impl Turn<'_> {
    /// Executes a line. If it belongs to another protocol, that is told: nothing that follows may be executed.
    pub(super) fn execute(
        &mut self,
        line: Line<'_>,
        principal: &Principal,
        is_first: bool,
    ) -> Option<Foreign> {
        let service = self.service;
        match service.executor.execute(line, principal, &mut self.batch) {
            Effect::Nothing => self.commands += 1,
            Effect::Now(reply) => {
                self.weigh(&reply);
                return self.reply(&reply, line, is_first);
            }
            Effect::Found(reply, bytes) => {
                self.commands += 1;
                self.weigh(&reply);
                self.replies.push_found(&reply, bytes);
            }
            Effect::Taken(reply, _) if !service.operations.holds_replies() => {
                self.commands += 1;
                self.replies.push(&reply);
            }
            Effect::Taken(reply, word) => {
                self.commands += 1;
                self.replies.hold(&reply, &Reply::Invalid(text(line)));
                self.batch.wait(word, 1);
                self.held.count(word);
            }
            Effect::Watch(stream) => {
                self.commands += SEARCH_COMMANDS;
                let alive = service.settings.watch_alive;
                *self.lane = Some(Box::new(WatchLane::new(*stream, alive)));
            }
            Effect::Later(reply, word) => {
                self.commands += 1;
                let ticket = self.batch.ticket();
                let held = std::mem::take(&mut self.held);
                acknowledge(service, self.replies, held, ticket, self.begin);
                self.batch.wait(word, 1);
                let reply = measured(service, reply, word, self.begin);
                self.replies.push_later(reply, text(line).len());
            }
        }
        None
    }

    /// Executes a line, or takes the token that it shows. As [`Turn::execute`].
    pub(super) fn execute_or_authenticate(
        &mut self,
        line: Line<'_>,
        mut session: Option<&mut AccessSession>,
        is_first: bool,
    ) -> Option<Foreign> {
        match authenticated(session.as_deref_mut(), line) {
            Some(reply) => self.reply(&reply, line, is_first),
            None => {
                let principal = session.map_or(&Principal::Anyone, AccessSession::principal);
                self.execute(line, principal, is_first)
            }
        }
    }

    /// Executes a line while the client watches. As [`Turn::execute`].
    pub(super) fn execute_watching(&mut self, line: Line<'_>, is_first: bool) -> Option<Foreign> {
        match self
            .service
            .executor
            .execute_watching(line, &mut self.batch)
        {
            Watching::Nothing => self.commands += 1,
            Watching::Unwatch => {
                self.commands += 1;
                if let Some(lane) = self.lane {
                    lane.unwatch();
                }
            }
            Watching::Invalid(reply) => return self.reply(&reply, line, is_first),
        }
        None
    }

    /// Whether a watch has to go on before a line is executed.
    pub(super) fn waits_for_watch(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.holds_lines())
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

    /// Notes the time that a reply took to build, in commands.
    fn weigh(&mut self, reply: &Reply<'_>) {
        let further = further_commands(reply);
        if further > 0 {
            self.commands += further;
            self.depth.answered(further);
            if matches!(reply, Reply::Near { .. } | Reply::In { .. }) {
                self.depth.searched(further);
            }
        }
    }

    /// All lines are executed. Returns the number of executed commands.
    pub(super) fn finish(self) -> usize {
        let Turn { service, begin, .. } = self;
        let ticket = self.batch.finish(&service.statistics, begin.elapsed());
        acknowledge(service, self.replies, self.held, ticket, begin);
        self.commands
    }
}

/// The reply to a line that shows a token.
fn authenticated<'a>(session: Option<&mut AccessSession>, line: Line<'a>) -> Option<Reply<'a>> {
    let (Some(session), Line::Text(text)) = (session, line) else {
        return None;
    };
    match session.authenticate(text)? {
        LineVerdict::Accepted => Some(Reply::Accepted),
        LineVerdict::Refused => Some(Reply::Invalid(AUTH_WORD)),
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
    let Held { reports, forgotten } = numbers;
    let confirmed = service.operations.confirmed(ticket, reports + forgotten);
    let statistics = Arc::clone(&service.statistics);
    let (bytes, commands) = held.size();
    let decided = async move {
        let confirmed = confirmed.await;
        for (word, count) in [(Word::Iamat, reports), (Word::Forget, forgotten)] {
            statistics.latency(word).observe(begin.elapsed(), count);
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

/// The bytes of a line, as far as they were read.
fn text(line: Line<'_>) -> &[u8] {
    match line {
        Line::Text(text) | Line::Oversized(text) => text,
    }
}
