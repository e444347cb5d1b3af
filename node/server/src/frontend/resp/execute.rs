//! From a request to an operation or to a reply.

use herd_protocol::resp::{Arguments, Encoder, InvalidRequest, RespCommand, entry_of};

use super::about;
use super::identity::Identity;
use super::members::{PlacedClient, asked_client_of, check_ids};
use super::questions::{Counted, Told, clients_of, count, geosearch, locate};
use super::refusals;
use super::reports::{geoadd, zrem};
use crate::access::{AccessSession, Principal};
use crate::frontend::statistics::CommandOutcome;
use crate::frontend::turn::{InputEnd, Turn};

/// A buffer for replies that has grown beyond this is not kept, in bytes.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// What one connection keeps from request to request.
pub(super) struct Speaker {
    pub(super) identity: Identity,
    /// A member that is being reported.
    pub(super) placed: PlacedClient,
    /// How many members the request names: limits on the commands of a second count each.
    pub(super) records: usize,
    /// The bytes of the reply that is being written.
    pub(super) out: Vec<u8>,
}

impl Speaker {
    pub(super) fn new(number: i64) -> Self {
        Speaker {
            identity: Identity::new(number),
            placed: PlacedClient::default(),
            records: 1,
            out: Vec::new(),
        }
    }

    /// Adds a reply that is written here.
    pub(super) fn reply(&mut self, turn: &mut Turn<'_>, write: impl FnOnce(&mut Encoder<'_>)) {
        self.out.clear();
        write(&mut self.identity.encoder(&mut self.out));
        self.push(turn);
    }

    /// Adds an error.
    pub(super) fn error(&mut self, turn: &mut Turn<'_>, text: &str, outcome: CommandOutcome) {
        turn.batch.count(outcome);
        self.reply(turn, |encoder| encoder.error(text));
    }

    /// Adds the reply that is written.
    fn push(&mut self, turn: &mut Turn<'_>) {
        turn.commands += 1;
        turn.replies.push(&*self.out);
        self.shrink();
    }

    /// Gives memory back that one long reply took.
    pub(super) fn shrink(&mut self) {
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES_MAX);
    }

    /// Executes a request. Its effect is in the map when this returns.
    pub(super) fn execute(
        &mut self,
        arguments: Arguments<'_>,
        session: Option<&mut AccessSession>,
        turn: &mut Turn<'_>,
    ) -> Option<InputEnd> {
        self.records = 1;
        let command = match RespCommand::parse(arguments) {
            Ok(command) => command,
            Err(invalid) => {
                let outcome = invalid_outcome(arguments, &invalid);
                self.error(turn, &invalid.to_string(), outcome);
                return None;
            }
        };
        match command {
            RespCommand::Geoadd(_)
            | RespCommand::Geopos { .. }
            | RespCommand::Geodist { .. }
            | RespCommand::Geosearch(_)
            | RespCommand::Zrem { .. }
            | RespCommand::Zcard(_)
            | RespCommand::Exists(_)
            | RespCommand::Type(_) => {
                let principal = session.map_or(&Principal::Anyone, AccessSession::principal);
                self.operate(&command, principal, turn);
                None
            }
            _ => self.answer(&command, session, turn),
        }
    }

    /// Executes a command about clients.
    fn operate(&mut self, command: &RespCommand<'_>, principal: &Principal, turn: &mut Turn<'_>) {
        self.out.clear();
        if self.identity.refuses(principal, &mut self.out) {
            turn.batch.count(CommandOutcome::RespInvalid);
            return self.push(turn);
        }
        if let Err(bytes_max) = check_ids(command, turn.service.settings.line_bytes_max) {
            let text = refusals::too_long_ids(bytes_max);
            return self.error(turn, &text, invalid_members(command));
        }
        match command {
            RespCommand::Geoadd(command) => geoadd(command, principal, self, turn),
            RespCommand::Geopos { key, members } => {
                let clients = clients_of(key, *members);
                locate(&clients, Told::Positions, principal, self, turn);
            }
            RespCommand::Geodist { key, members, unit } => {
                let clients = members.map(|member| asked_client_of(key, member));
                locate(&clients, Told::Distance(*unit), principal, self, turn);
            }
            RespCommand::Geosearch(search) => geosearch(search, principal, self, turn),
            RespCommand::Zrem { key, members } => zrem(key, *members, principal, self, turn),
            RespCommand::Zcard(key) => {
                count(vec![key.to_vec()], Counted::Members, principal, self, turn);
            }
            RespCommand::Exists(keys) => {
                let keys = keys.iter().map(<[u8]>::to_vec).collect();
                count(keys, Counted::Keys, principal, self, turn);
            }
            RespCommand::Type(key) => {
                count(vec![key.to_vec()], Counted::Type, principal, self, turn);
            }
            // Answered elsewhere.
            _ => {}
        }
    }

    /// Answers a command about the connection or the server.
    fn answer(
        &mut self,
        command: &RespCommand<'_>,
        mut session: Option<&mut AccessSession>,
        turn: &mut Turn<'_>,
    ) -> Option<InputEnd> {
        self.out.clear();
        let Speaker { identity, out, .. } = self;
        let opens = matches!(
            command,
            RespCommand::Hello(_) | RespCommand::Auth(_) | RespCommand::Reset | RespCommand::Quit
        );
        let stranger = session.as_deref_mut().map(AccessSession::principal);
        let stranger = stranger.filter(|_| !opens);
        let is_done = if stranger.is_some_and(|principal| identity.refuses(principal, out)) {
            false
        } else {
            match command {
                RespCommand::Hello(hello) => identity.hello(hello, session, out),
                RespCommand::Auth(credentials) => identity.auth(credentials, session, out),
                RespCommand::Reset => {
                    identity.reset(session, out);
                    true
                }
                _ => {
                    say(command, identity, turn, out);
                    true
                }
            }
        };
        turn.batch.count(if is_done {
            CommandOutcome::RespAnswered
        } else {
            CommandOutcome::RespInvalid
        });
        self.push(turn);
        matches!(command, RespCommand::Quit).then_some(InputEnd::Over)
    }
}

/// Writes the reply to a command that needs no rights.
fn say(command: &RespCommand<'_>, identity: &mut Identity, turn: &Turn<'_>, out: &mut Vec<u8>) {
    match command {
        RespCommand::Ping(None) => identity.encoder(out).status("PONG"),
        RespCommand::Ping(Some(text)) | RespCommand::Echo(text) => identity.encoder(out).bulk(text),
        RespCommand::Client(command) => identity.client(command, out),
        RespCommand::Command(question) => about::command(question, &mut identity.encoder(out)),
        RespCommand::Info(sections) => {
            about::info(sections, turn.service, &mut identity.encoder(out));
        }
        _ => identity.encoder(out).status("OK"),
    }
}

/// How a command with members that breaks a rule counts.
fn invalid_members(command: &RespCommand<'_>) -> CommandOutcome {
    match command {
        RespCommand::Geoadd(_) => CommandOutcome::GeoaddInvalid,
        RespCommand::Zrem { .. } => CommandOutcome::ZremInvalid,
        _ => CommandOutcome::GeoposInvalid,
    }
}

/// How a request that breaks a rule counts.
fn invalid_outcome(arguments: Arguments<'_>, invalid: &InvalidRequest) -> CommandOutcome {
    if matches!(
        invalid,
        InvalidRequest::Unknown(_) | InvalidRequest::NotOffered { .. }
    ) {
        return CommandOutcome::RespInvalid;
    }
    let entry = arguments.get(0).and_then(entry_of);
    match entry.map(|entry| entry.name) {
        Some("geoadd") => CommandOutcome::GeoaddInvalid,
        Some("geopos" | "geodist") => CommandOutcome::GeoposInvalid,
        Some("geosearch") => CommandOutcome::GeosearchInvalid,
        Some("zrem") => CommandOutcome::ZremInvalid,
        Some("zcard" | "exists" | "type") => CommandOutcome::CountRefused,
        _ => CommandOutcome::RespInvalid,
    }
}
