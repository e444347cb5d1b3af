//! The replies of one connection, in the order of its commands.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::stream::FuturesOrdered;

use super::limits::ReplyShare;
use crate::location_service::AnswerBytes;
use herd_protocol::Reply;

mod lines;
mod written;

pub(super) use written::Written;

/// Replies that can go out are gathered up to this size before they must, in bytes.
const READY_BYTES_MAX: usize = 64 * 1024;

/// The buffer of replies that all went out keeps this much, in bytes: the replies to 128 reports.
const READY_BYTES_KEPT: usize = 8 * 1024;

/// The buffers of a connection that rests keep this much each, in bytes: the reply to one report.
const RESTING_BYTES_KEPT: usize = 256;

/// The most memory that replies behind a waiting one may take, in bytes.
const BEHIND_BYTES_MAX: usize = 1024 * 1024;

/// The buffers of replies that were held are used again if they are no larger than this, in bytes: 40 reports at a time.
const SPARE_BYTES_MAX: usize = 4 * 1024;

/// The estimated size of a waiting reply, in bytes: about 20 places.
const LATER_REPLY_BYTES: usize = 16 * 1024;

/// The replies of a connection that are not sent yet.
///
/// Without a reply that waits, replies go straight to the bytes to be sent. Behind one that waits,
/// they are gathered until it is there. Replies to reports that are not safe enough yet are gathered
/// with all that comes after them ([`HeldReplies`]), until the batch is given up to be waited for. The number
/// of unanswered commands and the memory that their replies take are bounded: see
/// [`Replies::has_room`] and [`Replies::may_arrive`].
pub(super) struct Replies {
    commands_max: usize,
    ready: Vec<u8>,
    /// How much of `ready` was sent.
    sent: usize,
    /// How much of `ready` was logged.
    logged: usize,
    ready_commands: usize,
    later: FuturesOrdered<LaterReply>,
    /// For each of `later`, the replies between it and the next.
    behind: VecDeque<QueuedReplies>,
    behind_bytes: usize,
    behind_commands: usize,
    /// The estimated bytes of all replies in `later`.
    awaited_bytes: usize,
    awaited_commands: usize,
    held: Option<HeldReplies>,
    /// An empty one with room.
    spare: Option<HeldReplies>,
    /// The memory of large replies to searches among those that are ready.
    answers: Vec<AnswerBytes>,
    /// The memory of all this, in the budget of all connections.
    share: ReplyShare,
}

/// A reply that has to wait for something.
pub(super) type LaterReply = Pin<Box<dyn Future<Output = Arrived> + Send>>;

/// A reply that had to wait for something.
pub(super) enum Arrived {
    /// The reply to one command.
    Reply(Reply<'static>),
    /// The same, as it goes out; that of a search with its memory.
    Written(Vec<u8>, Option<AnswerBytes>),
    /// The replies to several commands, and whether the reports among them are as safe as the server promises.
    Decided(HeldReplies, bool),
}

impl Arrived {
    /// A reply that refers to something short-lived.
    pub(super) fn of<R: Written + ?Sized>(reply: &R) -> Self {
        Arrived::Written(written(reply), None)
    }

    /// The reply to a search.
    pub(super) fn of_search<R: Written + ?Sized>(reply: &R, bytes: AnswerBytes) -> Self {
        Arrived::Written(written(reply), Some(bytes))
    }
}

fn written<R: Written + ?Sized>(reply: &R) -> Vec<u8> {
    let mut bytes = Vec::new();
    reply.write(&mut bytes);
    bytes
}

/// The replies between a waiting reply and the next one.
struct QueuedReplies {
    /// The estimated bytes of the waiting reply.
    awaited_bytes: usize,
    awaited_commands: usize,
    bytes: Vec<u8>,
    commands: usize,
    /// The memory of large replies to searches among them.
    answers: Vec<AnswerBytes>,
}

/// Replies that go out when the reports among them are as safe as the server promises; in the other
/// case those reports get the error reply.
#[derive(Default)]
pub(super) struct HeldReplies {
    confirmed: Vec<u8>,
    refused: Vec<u8>,
    commands: usize,
    /// The memory of large replies to searches among them.
    answers: Vec<AnswerBytes>,
}

impl HeldReplies {
    /// Whether no buffer has more room than this.
    fn is_within(&self, bytes_max: usize) -> bool {
        self.confirmed.capacity() <= bytes_max && self.refused.capacity() <= bytes_max
    }

    /// Itself without its replies, if it is small enough to be kept.
    fn emptied(mut self) -> Option<Self> {
        if !self.is_within(SPARE_BYTES_MAX) {
            return None;
        }
        self.confirmed.clear();
        self.refused.clear();
        self.commands = 0;
        Some(self)
    }

    /// The bytes that it takes, and how many commands it answers.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.confirmed.len() + self.refused.len(), self.commands)
    }
}

impl Replies {
    /// An empty queue that has room for `commands_max` unanswered commands.
    pub(super) fn new(commands_max: usize, share: ReplyShare) -> Self {
        Replies {
            commands_max: commands_max.max(1),
            ready: Vec::new(),
            sent: 0,
            logged: 0,
            ready_commands: 0,
            later: FuturesOrdered::new(),
            behind: VecDeque::new(),
            behind_bytes: 0,
            behind_commands: 0,
            awaited_bytes: 0,
            awaited_commands: 0,
            held: None,
            spare: None,
            answers: Vec::new(),
            share,
        }
    }

    /// Whether another command may be executed.
    pub(super) fn has_room(&self) -> bool {
        let (held_bytes, held_commands) = self.held.as_ref().map_or((0, 0), HeldReplies::size);
        let waiting = self.behind_commands + self.awaited_commands + held_commands;
        self.ready_commands + waiting < self.commands_max
            && self.ready.len() < READY_BYTES_MAX
            && self.behind_bytes + self.awaited_bytes + held_bytes < BEHIND_BYTES_MAX
            && self.share.has_room()
    }

    /// Whether it is for the replies of all connections together that no command may be executed.
    pub(super) fn is_over_budget(&self) -> bool {
        !self.share.has_room()
    }

    /// Updates the budget with the current size of all this.
    fn count(&mut self) {
        let (held_bytes, _) = self.held.as_ref().map_or((0, 0), HeldReplies::size);
        let waiting = self.behind_bytes + self.awaited_bytes + held_bytes;
        self.share.set(self.ready.len() + waiting);
    }

    /// Whether all replies were sent.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_ready() && !self.has_later()
    }

    /// Whether there are bytes to be sent.
    pub(super) fn has_ready(&self) -> bool {
        self.sent < self.ready.len()
    }

    /// Whether a reply that waited may be taken in: not while enough others are ready to be sent.
    pub(super) fn may_arrive(&self) -> bool {
        self.ready.len() < READY_BYTES_MAX
    }

    /// Whether there are replies that wait.
    pub(super) fn has_later(&self) -> bool {
        !self.later.is_empty()
    }

    /// Adds the reply to the next command.
    pub(super) fn push<R: Written + ?Sized>(&mut self, reply: &R) {
        if let Some(held) = &mut self.held {
            reply.write(&mut held.confirmed);
            reply.write(&mut held.refused);
            held.commands += 1;
            return self.count();
        }
        match self.behind.back_mut() {
            None => {
                reply.write(&mut self.ready);
                self.ready_commands += 1;
            }
            Some(behind) => {
                let before = behind.bytes.len();
                reply.write(&mut behind.bytes);
                behind.commands += 1;
                self.behind_bytes += behind.bytes.len() - before;
                self.behind_commands += 1;
            }
        }
        self.count();
    }

    /// As [`Replies::push`] for the reply to a search, which counts until it is sent.
    pub(super) fn push_found<R: Written + ?Sized>(&mut self, reply: &R, bytes: AnswerBytes) {
        self.push(reply);
        if !bytes.is_counted() {
            return;
        }
        let beside = match (&mut self.held, self.behind.back_mut()) {
            (Some(held), _) => &mut held.answers,
            (None, Some(behind)) => &mut behind.answers,
            (None, None) => &mut self.answers,
        };
        beside.push(bytes);
    }

    /// Adds the reply to the next command, a report, which goes out when the report is safe enough;
    /// else `refusal` does.
    pub(super) fn hold<R: Written + ?Sized>(&mut self, reply: &R, refusal: &R) {
        let spare = &mut self.spare;
        let held = self
            .held
            .get_or_insert_with(|| spare.take().unwrap_or_default());
        reply.write(&mut held.confirmed);
        refusal.write(&mut held.refused);
        held.commands += 1;
        self.count();
    }

    /// Takes the held replies: the caller makes a later reply of them before it adds anything else.
    pub(super) fn take_held(&mut self) -> Option<HeldReplies> {
        self.held.take()
    }

    /// Adds a reply that will come later to the next command. `line_bytes` counts, because a waiting reply may hold
    /// copies of the line and of the client's ID.
    pub(super) fn push_later(&mut self, reply: LaterReply, line_bytes: usize) {
        self.push_awaited(reply, LATER_REPLY_BYTES + 2 * line_bytes, 1);
    }

    /// Adds replies that will come later to the next `awaited_commands` commands; they take `awaited_bytes` bytes.
    pub(super) fn push_awaited(
        &mut self,
        reply: LaterReply,
        awaited_bytes: usize,
        awaited_commands: usize,
    ) {
        debug_assert!(self.held.is_none(), "BUG: replies would change places");
        self.awaited_bytes += awaited_bytes;
        self.awaited_commands += awaited_commands;
        self.later.push_back(reply);
        self.behind.push_back(QueuedReplies {
            awaited_bytes,
            awaited_commands,
            bytes: Vec::new(),
            commands: 0,
            answers: Vec::new(),
        });
        self.count();
    }

    /// The bytes to be sent, and the replies to be waited for; [`Replies::arrived`] takes the
    /// result of the latter.
    pub(super) fn parts(&mut self) -> (&[u8], &mut FuturesOrdered<LaterReply>) {
        (&self.ready[self.sent..], &mut self.later)
    }

    /// Takes in the first of the replies that waited, which makes those behind it ready.
    pub(super) fn arrived(&mut self, arrived: Arrived) {
        match arrived {
            Arrived::Reply(reply) => {
                reply.write(&mut self.ready);
                self.ready_commands += 1;
            }
            Arrived::Written(bytes, of_search) => {
                self.ready.extend_from_slice(&bytes);
                self.ready_commands += 1;
                self.answers
                    .extend(of_search.filter(AnswerBytes::is_counted));
            }
            Arrived::Decided(mut held, confirmed) => {
                self.answers.append(&mut held.answers);
                let replies = if confirmed {
                    &held.confirmed
                } else {
                    &held.refused
                };
                self.ready.extend_from_slice(replies);
                self.ready_commands += held.commands;
                self.spare = held.emptied().or(self.spare.take());
            }
        }
        if let Some(mut behind) = self.behind.pop_front() {
            self.answers.append(&mut behind.answers);
            self.awaited_bytes -= behind.awaited_bytes;
            self.awaited_commands -= behind.awaited_commands;
            self.ready.extend_from_slice(&behind.bytes);
            self.ready_commands += behind.commands;
            self.behind_bytes -= behind.bytes.len();
            self.behind_commands -= behind.commands;
        }
        self.count();
    }

    /// Gives memory back, since the connection waits for its client and nothing waits for the connection.
    pub(super) fn rest(&mut self) {
        debug_assert!(self.is_empty(), "BUG: replies would be lost");
        self.ready.shrink_to(RESTING_BYTES_KEPT);
        self.behind.shrink_to(0);
        self.spare
            .take_if(|spare| !spare.is_within(RESTING_BYTES_KEPT));
    }

    /// The replies that became ready since the last call, for the log.
    pub(super) fn take_unlogged(&mut self) -> &[u8] {
        let from = std::mem::replace(&mut self.logged, self.ready.len());
        self.ready.get(from..).unwrap_or_default()
    }

    /// Says how many bytes were sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent < self.ready.len() {
            return;
        }
        self.answers.clear();
        self.ready.clear();
        self.ready.shrink_to(READY_BYTES_KEPT);
        self.sent = 0;
        self.logged = 0;
        self.ready_commands = 0;
        self.count();
    }
}

#[cfg(test)]
mod tests;
