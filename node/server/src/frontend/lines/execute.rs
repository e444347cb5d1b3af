//! From a line to an operation, and from its result to a reply.

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{AUTH_WORD, Principal};
use crate::frontend::batch::Batch;
use crate::frontend::replies::{Arrived, LaterReply};
use crate::frontend::statistics::{CommandOutcome, Word};
use crate::frontend::weights::{HITS_PER_COMMAND, PLACES_BYTES_PER_COMMAND, SEARCH_COMMANDS};
use crate::location_service::{
    self, AnswerBytes, Asked, ForgetRefusal, Forgetting, Gone, LocationService, PlacesNear,
    Refusal, SearchAnswer, SearchRefusal, Searched, Taken, WatchRefusal, WatchStream,
};
use herd_locations::{Found, Hit};
use herd_protocol::{
    AtLine, Command, Fields, Forget, GoneLine, Iamat, InvalidCommand, Line, Nearby, Reply, Watch,
    Whatsat, Within,
};

/// The effect of a line.
pub(super) enum Effect<'a> {
    /// A blank line: nothing.
    Nothing,
    /// A reply that can go out.
    Now(Reply<'a>),
    /// The reply to a search. Its memory counts until it is sent.
    Found(Reply<'a>, AnswerBytes),
    /// The reply to a report that was taken in, or for a client that is forgotten, which goes out when the record is as
    /// safe as this server promises; and the kind of command.
    Taken(Reply<'a>, Word),
    /// The error reply to a search that was refused when it turned out to be a long one.
    TooMany(Reply<'a>),
    /// A watch has begun: its lines come from now on.
    Watch(Box<WatchStream>),
    /// A reply that comes later, in its place, to a command of this kind.
    Later(LaterReply, Word),
}

/// The effect of a line while a watch is under way.
pub(super) enum Watching<'a> {
    /// A blank line: nothing.
    Nothing,
    /// The watch is to end.
    Unwatch,
    /// Everything else is invalid.
    Invalid(Reply<'a>),
}

/// Executes commands of lines.
pub(in crate::frontend) struct Executor {
    service: Arc<LocationService>,
}

impl Executor {
    pub(in crate::frontend) fn new(service: Arc<LocationService>) -> Self {
        Executor { service }
    }

    /// Executes one line of a batch. Its effect is visible when this returns.
    pub(super) fn execute<'a, 'b: 'a>(
        &self,
        line: Line<'a>,
        principal: &Principal,
        batch: &mut Batch<'b>,
    ) -> Effect<'a> {
        let text = match line {
            Line::Text(text) => text,
            Line::Oversized(start) => {
                batch.count(CommandOutcome::Oversized);
                return Effect::Now(Reply::Invalid(start));
            }
        };
        let (outcome, effect) = match Command::parse(text) {
            Ok(None) => return Effect::Nothing,
            Ok(Some(Command::Iamat(iamat))) => iamat_effect(&iamat, principal, batch),
            Ok(Some(Command::Whatsat(whatsat))) => self.whatsat(&whatsat, principal, text),
            Ok(Some(Command::Nearby(nearby))) => self.nearby(&nearby, principal, text),
            Ok(Some(Command::Within(within))) => self.within(&within, principal, text),
            Ok(Some(Command::Watch(watch))) => self.watch(&watch, principal, batch.address),
            // Nothing is watched here.
            Ok(Some(Command::Unwatch)) => (Some(CommandOutcome::WatchInvalid), None),
            Ok(Some(Command::Forget(forget))) => forget_effect(forget, principal, batch, text),
            Err(invalid) => (Some(invalid_outcome(invalid)), None),
        };
        if let Some(outcome) = outcome {
            batch.count(outcome);
        }
        effect.unwrap_or(Effect::Now(Reply::Invalid(text)))
    }

    fn whatsat(
        &self,
        whatsat: &Whatsat<'_>,
        principal: &Principal,
        text: &[u8],
    ) -> Executed<'static> {
        let later = |places: location_service::Later<Option<PlacesNear>>| {
            let text = text.to_vec();
            let reply = async move {
                match places.await {
                    Some(PlacesNear { record, json }) => {
                        Arrived::Reply(Reply::Places { record, json })
                    }
                    None => Arrived::of(&Reply::Invalid(&text)),
                }
            };
            Some(Effect::Later(Box::pin(reply), Word::Whatsat))
        };
        match self.service.places(principal, whatsat) {
            Asked::Now(Some(near)) => {
                let PlacesNear { record, json } = near;
                let reply = Reply::Places { record, json };
                (Some(CommandOutcome::WhatsatKnown), Some(Effect::Now(reply)))
            }
            Asked::Now(None) => (Some(CommandOutcome::WhatsatUnknown), None),
            Asked::Later(places) => (Some(CommandOutcome::WhatsatKnown), later(places)),
            Asked::AfterLoading(places) => (Some(CommandOutcome::WhatsatLoading), later(places)),
        }
    }

    /// Executes one line while a watch is under way.
    pub(super) fn execute_watching<'a>(
        &self,
        line: Line<'a>,
        batch: &mut Batch<'_>,
    ) -> Watching<'a> {
        let (outcome, effect) = match line {
            Line::Oversized(start) => {
                let reply = Reply::Invalid(start);
                (CommandOutcome::Oversized, Watching::Invalid(reply))
            }
            Line::Text(text) => match Command::parse(text) {
                Ok(None) => return Watching::Nothing,
                Ok(Some(Command::Unwatch)) => (CommandOutcome::WatchUnwatched, Watching::Unwatch),
                // Not a copy, for there may be a token in it.
                _ if Fields::new(text).next() == Some(AUTH_WORD) => {
                    let reply = Reply::Invalid(AUTH_WORD);
                    (CommandOutcome::DuringWatch, Watching::Invalid(reply))
                }
                _ => {
                    let reply = Reply::Invalid(text);
                    (CommandOutcome::DuringWatch, Watching::Invalid(reply))
                }
            },
        };
        batch.count(outcome);
        effect
    }

    fn watch(
        &self,
        watch: &Watch<'_>,
        principal: &Principal,
        address: IpAddr,
    ) -> Executed<'static> {
        match self.service.watch(principal, watch, address) {
            Ok(stream) => {
                let effect = Effect::Watch(Box::new(stream));
                (Some(CommandOutcome::WatchBegun), Some(effect))
            }
            // Counted with the tokens.
            Err(WatchRefusal::Forbidden) => (None, None),
            Err(WatchRefusal::TooMany) => (Some(CommandOutcome::WatchTooMany), None),
            Err(WatchRefusal::NoArea) => (Some(CommandOutcome::WatchInvalid), None),
        }
    }

    fn nearby<'a>(
        &self,
        nearby: &Nearby<'_>,
        principal: &Principal,
        text: &'a [u8],
    ) -> Executed<'a> {
        match self.service.nearby(principal, nearby) {
            Asked::Now(Ok(SearchAnswer { found, bytes })) => {
                let effect = Effect::Found(near_reply(found), bytes);
                (Some(CommandOutcome::NearbyAnswered), Some(effect))
            }
            Asked::Now(Err(SearchRefusal::TooMany)) => {
                let effect = Effect::TooMany(Reply::Invalid(text));
                (Some(CommandOutcome::NearbyTooMany), Some(effect))
            }
            Asked::Now(Err(_)) => (Some(CommandOutcome::NearbyUnknown), None),
            Asked::Later(searched) => {
                let effect = later_search(searched, text, near_reply, Word::Nearby);
                (Some(CommandOutcome::NearbyAnswered), effect)
            }
            Asked::AfterLoading(searched) => {
                let effect = later_search(searched, text, near_reply, Word::Nearby);
                (Some(CommandOutcome::NearbyLoading), effect)
            }
        }
    }

    fn within<'a>(
        &self,
        within: &Within<'_>,
        principal: &Principal,
        text: &'a [u8],
    ) -> Executed<'a> {
        match self.service.within(principal, within) {
            Asked::Now(Ok(SearchAnswer { found, bytes })) => {
                let effect = Effect::Found(in_reply(found), bytes);
                (Some(CommandOutcome::WithinAnswered), Some(effect))
            }
            Asked::Now(Err(SearchRefusal::TooMany)) => {
                let effect = Effect::TooMany(Reply::Invalid(text));
                (Some(CommandOutcome::WithinTooMany), Some(effect))
            }
            Asked::Now(Err(_)) => (Some(CommandOutcome::WithinInvalid), None),
            Asked::Later(searched) => {
                let effect = later_search(searched, text, in_reply, Word::Within);
                (Some(CommandOutcome::WithinAnswered), effect)
            }
            Asked::AfterLoading(searched) => {
                let effect = later_search(searched, text, in_reply, Word::Within);
                (Some(CommandOutcome::WithinLoading), effect)
            }
        }
    }
}

/// The outcome of a command, if it is counted here, and its effect, unless that is the error reply.
type Executed<'a> = (Option<CommandOutcome>, Option<Effect<'a>>);

fn invalid_outcome(invalid: InvalidCommand) -> CommandOutcome {
    match invalid {
        InvalidCommand::Iamat(_) => CommandOutcome::IamatInvalid,
        InvalidCommand::Whatsat(_) => CommandOutcome::WhatsatInvalid,
        InvalidCommand::Nearby(_) => CommandOutcome::NearbyInvalid,
        InvalidCommand::Within(_) => CommandOutcome::WithinInvalid,
        InvalidCommand::Watch(_) | InvalidCommand::Unwatch(_) => CommandOutcome::WatchInvalid,
        InvalidCommand::Forget(_) => CommandOutcome::ForgetInvalid,
        InvalidCommand::UnknownWord => CommandOutcome::OtherInvalid,
    }
}

fn iamat_effect<'a, 'b: 'a>(
    iamat: &Iamat<'a>,
    principal: &Principal,
    batch: &mut Batch<'b>,
) -> Executed<'a> {
    let operands = &iamat.operands;
    let outcome = match batch.reports.report(principal, operands) {
        Ok(Taken {
            server,
            difference_ns,
        }) => {
            let at = AtLine {
                server,
                difference_ns,
                client: operands.client(),
                location: operands.location(),
                time: operands.time(),
            };
            return (
                Some(CommandOutcome::IamatTaken),
                Some(Effect::Taken(Reply::At(at), Word::Iamat)),
            );
        }
        // Counted with the tokens.
        Err(Refusal::Forbidden) => return (None, None),
        Err(Refusal::Ahead) => CommandOutcome::IamatAhead,
        Err(Refusal::ClientTooLong) => CommandOutcome::IamatInvalid,
        Err(Refusal::Full) => CommandOutcome::IamatFull,
        Err(Refusal::KeptOut) => CommandOutcome::IamatKeptOut,
    };
    (Some(outcome), None)
}

fn forget_effect<'a, 'b: 'a>(
    forget: Forget<'a>,
    principal: &Principal,
    batch: &mut Batch<'b>,
    text: &[u8],
) -> Executed<'a> {
    let client = forget.client;
    let refused = match batch.reports.forget(principal, client) {
        Ok(Forgetting::Now(Gone { server, time, .. })) => {
            let gone = GoneLine {
                server,
                client,
                time,
            };
            let effect = Effect::Taken(Reply::Gone(gone), Word::Forget);
            return (Some(CommandOutcome::ForgetTaken), Some(effect));
        }
        Ok(Forgetting::AfterLoading(gone)) => {
            let (client, text) = (client.to_vec(), text.to_vec());
            let reply = async move {
                match gone.await {
                    Some(Gone { server, time, .. }) => Arrived::of(&Reply::Gone(GoneLine {
                        server: &server,
                        client: &client,
                        time,
                    })),
                    None => Arrived::of(&Reply::Invalid(&text)),
                }
            };
            let effect = Effect::Later(Box::pin(reply), Word::Forget);
            return (Some(CommandOutcome::ForgetTaken), Some(effect));
        }
        // Counted with the tokens.
        Err(ForgetRefusal::Forbidden) => return (None, None),
        Err(ForgetRefusal::Unread | ForgetRefusal::ReadersUnknown) => CommandOutcome::ForgetUnread,
        Err(ForgetRefusal::ClientTooLong) => CommandOutcome::ForgetInvalid,
        Err(ForgetRefusal::Full) => CommandOutcome::ForgetFull,
        Err(ForgetRefusal::KeptOut) => CommandOutcome::ForgetKeptOut,
    };
    (Some(refused), None)
}

fn near_reply(found: Found) -> Reply<'static> {
    let hits = found.hits.into_iter();
    Reply::Near {
        hits: hits
            .map(|Hit { distance_m, record }| (distance_m, record))
            .collect(),
        more: found.more,
    }
}

fn in_reply(found: Found) -> Reply<'static> {
    Reply::In {
        records: found.hits.into_iter().map(|hit| hit.record).collect(),
        more: found.more,
    }
}

fn later_search(
    searched: location_service::Later<Searched>,
    text: &[u8],
    reply: fn(Found) -> Reply<'static>,
    word: Word,
) -> Option<Effect<'static>> {
    let text = text.to_vec();
    let arrived = async move {
        match searched.await {
            Ok(SearchAnswer { found, bytes }) => Arrived::of_search(&reply(found), bytes),
            Err(_) => Arrived::of(&Reply::Invalid(&text)),
        }
    };
    Some(Effect::Later(Box::pin(arrived), word))
}

/// The time that a reply took to build, in further commands: a reply takes longer the more places or clients it holds.
pub(super) fn further_commands(reply: &Reply<'_>) -> usize {
    match reply {
        Reply::Places { json, .. } => json.len() / PLACES_BYTES_PER_COMMAND,
        Reply::Near { hits, .. } => SEARCH_COMMANDS + hits.len() / HITS_PER_COMMAND,
        Reply::In { records, .. } => SEARCH_COMMANDS + records.len() / HITS_PER_COMMAND,
        Reply::At(_) | Reply::Gone(_) | Reply::Invalid(_) | Reply::Accepted => 0,
    }
}
