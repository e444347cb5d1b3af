//! The protocol of a connection: the seam between a connection, which knows no protocol, and its bytes.

use super::lines::LineCodec;
use super::resp::RespCodec;
use super::service::Service;
use super::turn::{Executed, Turn};
use crate::access::AccessSession;
use crate::wire_log::ConnectionLog;
use herd_protocol::ReadBuffer;

/// The protocol that the clients of a port speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Lines of text.
    Text,
    /// RESP, the protocol of Redis clients.
    Resp,
}

/// The protocol of one connection, and its state. It is looked at once a read and once a turn, and never for a byte.
pub(super) enum Codec {
    Lines(LineCodec),
    Resp(Box<RespCodec>),
}

impl Codec {
    /// For a connection that has just been made.
    pub(super) fn new(protocol: Protocol, service: &Service) -> Self {
        let command_bytes_max = service.settings.line_bytes_max;
        match protocol {
            Protocol::Text => Codec::Lines(LineCodec::new(command_bytes_max)),
            Protocol::Resp => {
                let codec = RespCodec::new(command_bytes_max, service.next_number());
                Codec::Resp(Box::new(codec))
            }
        }
    }

    /// Where the next bytes are read to. Execute all commands before.
    pub(super) fn buffer(&mut self) -> &mut ReadBuffer {
        match self {
            Codec::Lines(lines) => lines.buffer(),
            Codec::Resp(resp) => resp.buffer(),
        }
    }

    /// Whether the beginning of a command is there without its end. Execute all commands before.
    pub(super) fn is_inside_command(&self) -> bool {
        match self {
            Codec::Lines(lines) => lines.is_inside_command(),
            Codec::Resp(resp) => resp.is_inside_command(),
        }
    }

    /// Executes commands, as many as `turn` allows. `has_ended` says that the client has ended its side.
    pub(super) fn execute(
        &mut self,
        turn: &mut Turn<'_>,
        session: Option<&mut AccessSession>,
        log: &mut Option<ConnectionLog>,
        has_ended: bool,
    ) -> Executed {
        match self {
            Codec::Lines(lines) => lines.execute(turn, session, log, has_ended),
            Codec::Resp(resp) => resp.execute(turn, session, log),
        }
    }
}
