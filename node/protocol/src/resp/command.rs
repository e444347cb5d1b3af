//! What a request asks for.

use super::catalogue::{NOT_OFFERED, entry_of};
use super::client::ClientCommand;
use super::error::InvalidRequest;
use super::geoadd::Geoadd;
use super::geosearch::Geosearch;
use super::hello::{Credentials, Hello};
use super::number::integer;
use super::reader::Arguments;
use super::unit::LengthUnit;

/// A name that is repeated in an error has at most this number of bytes.
const NAME_BYTES_MAX: usize = 128;

/// A checked request.
#[derive(Clone, Debug)]
pub enum RespCommand<'a> {
    /// Reports.
    Geoadd(Geoadd<'a>),
    /// Where are these members?
    Geopos {
        /// The key.
        key: &'a [u8],
        /// The members; there may be none.
        members: Arguments<'a>,
    },
    /// How far are two members apart?
    Geodist {
        /// The key.
        key: &'a [u8],
        /// The members.
        members: [&'a [u8]; 2],
        /// The unit of the answer.
        unit: LengthUnit,
    },
    /// Which members are in an area?
    Geosearch(Geosearch<'a>),
    /// Forgets members.
    Zrem {
        /// The key.
        key: &'a [u8],
        /// The members; at least one.
        members: Arguments<'a>,
    },
    /// How many members does a key have?
    Zcard(&'a [u8]),
    /// How many of these keys have members?
    Exists(Arguments<'a>),
    /// Has a key members?
    Type(&'a [u8]),
    /// Chooses the version of the protocol.
    Hello(Hello<'a>),
    /// Shows a token.
    Auth(Credentials<'a>),
    /// Asks for `PONG`, or for this text.
    Ping(Option<&'a [u8]>),
    /// Asks for this text.
    Echo(&'a [u8]),
    /// Ends the connection.
    Quit,
    /// Makes the connection as it was at its beginning.
    Reset,
    /// Chooses database 0.
    Select,
    /// About the connection.
    Client(ClientCommand<'a>),
    /// About the commands.
    Command(CommandQuestion<'a>),
    /// About the server; the sections that are asked for.
    Info(Arguments<'a>),
}

/// A question about the commands.
#[derive(Clone, Copy, Debug)]
pub enum CommandQuestion<'a> {
    /// All of them.
    All,
    /// How many there are.
    Count,
    /// Their names.
    List,
    /// These, or all if none is named.
    Info(Arguments<'a>),
    /// What these do, or all if none is named.
    Docs(Arguments<'a>),
}

impl<'a> RespCommand<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn parse(arguments: Arguments<'a>) -> Result<Self, InvalidRequest> {
        let name = arguments.get(0).unwrap_or_default();
        let Some(entry) = entry_of(name) else {
            return Err(not_offered(name));
        };
        if !entry.takes(arguments.len()) {
            return Err(InvalidRequest::Arity(entry));
        }
        let operands = arguments.from(1);
        let first = operands.get(0).unwrap_or_default();
        Ok(match entry.name {
            "geoadd" => RespCommand::Geoadd(Geoadd::parse(operands)?),
            "geopos" => RespCommand::Geopos {
                key: first,
                members: operands.from(1),
            },
            "geodist" => geodist(first, operands.from(1))?,
            "geosearch" => RespCommand::Geosearch(Geosearch::parse(operands)?),
            "zrem" => RespCommand::Zrem {
                key: first,
                members: operands.from(1),
            },
            "zcard" => RespCommand::Zcard(first),
            "exists" => RespCommand::Exists(operands),
            "type" => RespCommand::Type(first),
            "hello" => RespCommand::Hello(Hello::parse(operands)?),
            "auth" => RespCommand::Auth(Credentials::parse(operands)?),
            "ping" if operands.len() > 1 => return Err(InvalidRequest::Arity(entry)),
            "ping" => RespCommand::Ping(operands.get(0)),
            "echo" => RespCommand::Echo(first),
            "quit" => RespCommand::Quit,
            "reset" => RespCommand::Reset,
            "select" => match integer(first, InvalidRequest::NotInteger)? {
                0 => RespCommand::Select,
                _ => return Err(InvalidRequest::Database),
            },
            "client" => RespCommand::Client(ClientCommand::parse(operands)?),
            "command" => RespCommand::Command(CommandQuestion::parse(operands)?),
            "info" => RespCommand::Info(operands),
            _ => return Err(not_offered(name)),
        })
    }
}

fn geodist<'a>(key: &'a [u8], operands: Arguments<'a>) -> Result<RespCommand<'a>, InvalidRequest> {
    let (Some(a), Some(b), 2..=3) = (operands.get(0), operands.get(1), operands.len()) else {
        return Err(InvalidRequest::Syntax);
    };
    let unit = match operands.get(2) {
        Some(unit) => LengthUnit::parse(unit)?,
        None => LengthUnit::Metres,
    };
    let members = [a, b];
    Ok(RespCommand::Geodist { key, members, unit })
}

impl<'a> CommandQuestion<'a> {
    fn parse(arguments: Arguments<'a>) -> Result<Self, InvalidRequest> {
        let Some(name) = arguments.get(0) else {
            return Ok(CommandQuestion::All);
        };
        let is = |subcommand: &str| name.eq_ignore_ascii_case(subcommand.as_bytes());
        if is("COUNT") {
            Ok(CommandQuestion::Count)
        } else if is("LIST") {
            Ok(CommandQuestion::List)
        } else if is("INFO") {
            Ok(CommandQuestion::Info(arguments.from(1)))
        } else if is("DOCS") {
            Ok(CommandQuestion::Docs(arguments.from(1)))
        } else {
            Err(InvalidRequest::Subcommand(shown(name)))
        }
    }
}

fn not_offered(name: &[u8]) -> InvalidRequest {
    let mut known = NOT_OFFERED.iter();
    let known = known.find(|(command, _)| name.eq_ignore_ascii_case(command.as_bytes()));
    match known {
        Some(&(command, instead)) => InvalidRequest::NotOffered { command, instead },
        None => InvalidRequest::Unknown(shown(name)),
    }
}

pub(super) fn shown(name: &[u8]) -> String {
    let name = &name[..name.len().min(NAME_BYTES_MAX)];
    name.escape_ascii().to_string()
}

#[cfg(test)]
mod tests;
