//! `CLIENT ...`: the name of a connection, and what its library tells of itself.

use super::command::shown;
use super::error::InvalidRequest;
use super::reader::Arguments;

/// The longest name of a connection, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A subcommand of `CLIENT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCommand<'a> {
    /// The number of the connection.
    Id,
    /// Its name.
    GetName,
    /// Gives it a name.
    SetName(&'a [u8]),
    /// A library tells its name or its version, which herd does not keep.
    SetInfo,
}

impl<'a> ClientCommand<'a> {
    /// Reads the arguments behind the command.
    ///
    /// # Errors
    /// Says which rule they break.
    pub(super) fn parse(arguments: Arguments<'a>) -> Result<Self, InvalidRequest> {
        let name = arguments.get(0).ok_or(InvalidRequest::Syntax)?;
        let is = |subcommand: &str| name.eq_ignore_ascii_case(subcommand.as_bytes());
        let operands = arguments.len() - 1;
        let takes = |count: usize, name| {
            let right = operands == count;
            right
                .then_some(())
                .ok_or(InvalidRequest::SubcommandArity(name))
        };
        if is("ID") {
            takes(0, "client|id")?;
            Ok(ClientCommand::Id)
        } else if is("GETNAME") {
            takes(0, "client|getname")?;
            Ok(ClientCommand::GetName)
        } else if is("SETNAME") {
            takes(1, "client|setname")?;
            let name = arguments.get(1).unwrap_or_default();
            Ok(ClientCommand::SetName(checked_name(name)?))
        } else if is("SETINFO") {
            takes(2, "client|setinfo")?;
            Ok(ClientCommand::SetInfo)
        } else {
            Err(InvalidRequest::Subcommand(shown(name)))
        }
    }
}

/// A name of a connection: printable bytes without blanks, so that it can stand in lists.
pub(super) fn checked_name(name: &[u8]) -> Result<&[u8], InvalidRequest> {
    if name.len() > NAME_BYTES_MAX {
        return Err(InvalidRequest::ClientNameLength(NAME_BYTES_MAX));
    }
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(InvalidRequest::ClientName);
    }
    Ok(name)
}
