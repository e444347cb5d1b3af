//! Lines, as a connection executes them.

use crate::access::AccessSession;
use crate::frontend::turn::{Executed, InputEnd, Turn};
use crate::wire_log::ConnectionLog;
use herd_protocol::{Foreign, Line, LineReader, ReadBuffer, clients_ahead};

/// The state of the text protocol of one connection.
pub(in crate::frontend) struct LineCodec {
    reader: LineReader,
    /// Whether no line was executed yet.
    is_new: bool,
}

impl LineCodec {
    /// A connection's lines have at most this number of bytes.
    pub(in crate::frontend) fn new(line_bytes_max: usize) -> Self {
        LineCodec {
            reader: LineReader::new(line_bytes_max).stopping_at_http(),
            is_new: true,
        }
    }

    /// Where the next bytes are read to. Execute all lines before.
    pub(in crate::frontend) fn buffer(&mut self) -> &mut ReadBuffer {
        self.reader.buffer()
    }

    /// Whether the beginning of a line is there without its end. Execute all lines before.
    pub(in crate::frontend) fn is_inside_command(&self) -> bool {
        self.reader.is_inside_line()
    }

    /// Executes lines, as many as `turn` allows. If the client has ended its side, the last one needs no LF.
    pub(in crate::frontend) fn execute(
        &mut self,
        turn: &mut Turn<'_>,
        mut session: Option<&mut AccessSession>,
        log: &mut Option<ConnectionLog>,
        has_ended: bool,
    ) -> Executed {
        self.prefetch(turn);
        let mut foreign = None;
        let mut read = 0;
        let mut is_all = false;
        while foreign.is_none() && turn.may_go_on(read) {
            let line = match self.reader.next_line() {
                Some(line) => Some(line),
                None if has_ended => self.reader.finish(),
                None => None,
            };
            let Some(line) = line else {
                is_all = true;
                break;
            };
            read += 1;
            let is_first = std::mem::take(&mut self.is_new);
            if let Some(log) = log {
                match line {
                    Line::Text(text) => log.line_in(text),
                    Line::Oversized(start) => log.cut_line_in(start),
                }
            }
            foreign = if turn.lane.is_some() {
                turn.execute_watching(line, is_first)
            } else {
                turn.execute_or_authenticate(line, session.as_deref_mut(), is_first)
            };
        }
        let stopped = self.reader.is_stopped().then_some(Foreign::Http);
        Executed {
            read,
            is_all,
            end: foreign.or(stopped).map(InputEnd::Foreign),
        }
    }

    /// Prefetches the clients of lines that are about to be executed.
    fn prefetch(&self, turn: &Turn<'_>) {
        let allowance = turn.allowance;
        turn.service.operations.locations().prefetch_clients(
            clients_ahead(self.reader.ahead()),
            allowance.in_turn.min(allowance.by_pace),
        );
    }
}
