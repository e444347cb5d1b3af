//! Requests, as a connection executes them.

use super::execute::Speaker;
use super::members::write_client;
use super::wire;
use crate::access::AccessSession;
use crate::frontend::statistics::CommandOutcome;
use crate::frontend::turn::{Executed, InputEnd, Turn};
use crate::wire_log::ConnectionLog;
use herd_protocol::resp::{CommandReader, members_ahead};
use herd_protocol::{Foreign, ReadBuffer};

/// The state of RESP of one connection.
pub(in crate::frontend) struct RespCodec {
    reader: CommandReader,
    speaker: Speaker,
    /// Whether no request was executed yet.
    is_new: bool,
}

impl RespCodec {
    /// A connection of this number, whose requests have at most `command_bytes_max` bytes.
    pub(in crate::frontend) fn new(command_bytes_max: usize, number: i64) -> Self {
        RespCodec {
            reader: CommandReader::new(command_bytes_max),
            speaker: Speaker::new(number),
            is_new: true,
        }
    }

    /// Where the next bytes are read to. Execute all requests before.
    pub(in crate::frontend) fn buffer(&mut self) -> &mut ReadBuffer {
        self.reader.buffer()
    }

    /// Whether the beginning of a request is there without its end. Execute all requests before.
    pub(in crate::frontend) fn is_inside_command(&self) -> bool {
        self.reader.is_inside_request()
    }

    /// Executes requests, as many as `turn` allows. The beginning of one that does not end is left.
    pub(in crate::frontend) fn execute(
        &mut self,
        turn: &mut Turn<'_>,
        mut session: Option<&mut AccessSession>,
        log: &mut Option<ConnectionLog>,
    ) -> Executed {
        self.prefetch(turn);
        let mut executed = Executed {
            read: 0,
            is_all: false,
            end: None,
        };
        while executed.end.is_none() && turn.may_go_on(executed.read) {
            let request = match self.reader.next_request() {
                Ok(Some(request)) => request,
                Ok(None) => {
                    executed.is_all = true;
                    break;
                }
                Err(fault) => {
                    let text = format!("ERR {fault}");
                    self.speaker.error(turn, &text, CommandOutcome::RespInvalid);
                    executed.read += 1;
                    executed.end = Some(InputEnd::Over);
                    break;
                }
            };
            if request.arguments.is_empty() {
                executed.read += 1;
                turn.commands += 1;
                continue;
            }
            if let Some(log) = log {
                log.line_in(&wire::line_of(&request));
            }
            let is_first = std::mem::take(&mut self.is_new);
            let foreign = request.inline.and_then(|line| Foreign::of(line, is_first));
            if let Some(foreign) = foreign {
                executed.read += 1;
                executed.end = Some(InputEnd::Foreign(foreign));
                break;
            }
            let session = session.as_deref_mut();
            executed.end = self.speaker.execute(request.arguments, session, turn);
            executed.read += self.speaker.records.max(1);
        }
        executed
    }

    /// Prefetches the clients of reports that are about to be executed.
    fn prefetch(&mut self, turn: &Turn<'_>) {
        let allowance = turn.allowance;
        let locations = turn.service.operations.locations();
        let client = &mut self.speaker.placed.client;
        let members = members_ahead(self.reader.ahead());
        let hashes = members.map(|(key, member)| {
            client.clear();
            write_client(key, member, client);
            locations.hash_of(client)
        });
        locations.prefetch_hashes(hashes, allowance.in_turn.min(allowance.by_pace));
        self.speaker.placed.shrink();
    }
}
