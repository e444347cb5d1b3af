//! `HELLO [2|3] [AUTH user token] [SETNAME name]`

use super::client::checked_name;
use super::encoder::RespVersion;
use super::error::InvalidRequest;
use super::number::integer;
use super::reader::Arguments;

/// What a client shows to get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The name of a user, which herd does not look at.
    pub user: Option<&'a [u8]>,
    /// The token.
    pub token: &'a [u8],
}

/// A `HELLO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The version to speak from now on; `None` to keep it.
    pub version: Option<RespVersion>,
    /// The token.
    pub credentials: Option<Credentials<'a>>,
    /// The name of the connection.
    pub name: Option<&'a [u8]>,
}

impl<'a> Hello<'a> {
    /// Reads the arguments behind the command.
    ///
    /// # Errors
    /// Says which rule they break.
    pub(super) fn parse(arguments: Arguments<'a>) -> Result<Self, InvalidRequest> {
        let mut hello = Hello::default();
        let Some(version) = arguments.get(0) else {
            return Ok(hello);
        };
        hello.version = Some(match integer(version, InvalidRequest::ProtocolNumber)? {
            2 => RespVersion::Two,
            3 => RespVersion::Three,
            _ => return Err(InvalidRequest::Protocol),
        });
        let mut rest = arguments.from(1);
        while let Some(option) = rest.get(0) {
            let operand = |index| rest.get(index).ok_or(InvalidRequest::Syntax);
            if option.eq_ignore_ascii_case(b"AUTH") {
                let (user, token) = (Some(operand(1)?), operand(2)?);
                hello.credentials = Some(Credentials { user, token });
                rest = rest.from(3);
            } else if option.eq_ignore_ascii_case(b"SETNAME") {
                hello.name = Some(checked_name(operand(1)?)?);
                rest = rest.from(2);
            } else {
                return Err(InvalidRequest::Syntax);
            }
        }
        Ok(hello)
    }
}

impl<'a> Credentials<'a> {
    /// Reads the arguments behind `AUTH`.
    ///
    /// # Errors
    /// If there are too many.
    pub(super) fn parse(arguments: Arguments<'a>) -> Result<Self, InvalidRequest> {
        match (arguments.get(0), arguments.get(1), arguments.len()) {
            (Some(token), None, 1) => Ok(Credentials { user: None, token }),
            (user, Some(token), 2) => Ok(Credentials { user, token }),
            _ => Err(InvalidRequest::Syntax),
        }
    }
}
