//! Executing one line.

use crate::access::{AUTH_WORD, AccessSession, LineVerdict, Principal};
use crate::frontend::turn::Turn;
use crate::frontend::watching::WatchLane;
use crate::frontend::weights::SEARCH_COMMANDS;
use herd_protocol::{Foreign, Line, Reply};

use super::execute::{Effect, Watching, further_commands};

impl Turn<'_> {
    /// Executes a line. If it belongs to another protocol, that is told: nothing that follows may be executed.
    fn execute(
        &mut self,
        line: Line<'_>,
        principal: &Principal,
        is_first: bool,
    ) -> Option<Foreign> {
        let service = self.service;
        match service.executor.execute(line, principal, &mut self.batch) {
            Effect::Nothing => self.commands += 1,
            Effect::Now(reply) => {
                self.weigh(further_commands(&reply));
                return self.reply(&reply, line, is_first);
            }
            Effect::Found(reply, bytes) => {
                self.commands += 1;
                self.weigh_search(further_commands(&reply));
                self.replies.push_found(&reply, bytes);
            }
            Effect::TooMany(reply) => {
                self.weigh_long_search();
                return self.reply(&reply, line, is_first);
            }
            Effect::Taken(reply, word) => {
                self.taken(&reply, &Reply::Invalid(text(line)), (word, 1));
            }
            Effect::Watch(stream) => {
                self.commands += SEARCH_COMMANDS;
                let alive = service.settings.watch_alive;
                *self.lane = Some(Box::new(WatchLane::new(*stream, alive)));
            }
            Effect::Later(reply, word) => self.later(reply, word, text(line).len()),
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

    /// Answers a line at once. If it belongs to another protocol, that is told, as in [`Turn::execute`].
    fn reply(&mut self, reply: &Reply<'_>, line: Line<'_>, is_first: bool) -> Option<Foreign> {
        self.commands += 1;
        self.replies.push(reply);
        match reply {
            Reply::Invalid(_) => Foreign::of(text(line), is_first),
            _ => None,
        }
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

/// The bytes of a line, as far as they were read.
fn text(line: Line<'_>) -> &[u8] {
    match line {
        Line::Text(text) | Line::Oversized(text) => text,
    }
}
