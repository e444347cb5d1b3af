//! `GEOADD key [NX|XX] [CH] longitude latitude member ...`

use super::error::InvalidRequest;
use super::reader::Arguments;

/// Which members are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportCondition {
    /// All.
    #[default]
    Always,
    /// `NX`: those that are not known.
    Unknown,
    /// `XX`: those that are known.
    Known,
}

/// A `GEOADD`. The coordinates are not looked at yet.
#[derive(Clone, Copy, Debug)]
pub struct Geoadd<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Which of the members are reported.
    pub condition: ReportCondition,
    /// Whether the reply counts those that were changed, and not only new ones.
    pub counts_changed: bool,
    members: Arguments<'a>,
}

/// A member of a `GEOADD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The text of its longitude.
    pub longitude: &'a [u8],
    /// The text of its latitude.
    pub latitude: &'a [u8],
    /// Its name.
    pub name: &'a [u8],
}

impl<'a> Geoadd<'a> {
    /// Reads the arguments behind the command.
    ///
    /// # Errors
    /// Says which rule they break.
    pub(super) fn parse(arguments: Arguments<'a>) -> Result<Self, InvalidRequest> {
        let key = arguments.get(0).ok_or(InvalidRequest::Syntax)?;
        let (mut nx, mut xx, mut counts_changed) = (false, false, false);
        let mut at = 1;
        while let Some(option) = arguments.get(at) {
            if option.eq_ignore_ascii_case(b"NX") {
                nx = true;
            } else if option.eq_ignore_ascii_case(b"XX") {
                xx = true;
            } else if option.eq_ignore_ascii_case(b"CH") {
                counts_changed = true;
            } else {
                break;
            }
            at += 1;
        }
        let members = arguments.from(at);
        if members.is_empty() || !members.len().is_multiple_of(3) || (nx && xx) {
            return Err(InvalidRequest::Syntax);
        }
        let condition = match (nx, xx) {
            (true, _) => ReportCondition::Unknown,
            (_, true) => ReportCondition::Known,
            _ => ReportCondition::Always,
        };
        Ok(Geoadd {
            key,
            condition,
            counts_changed,
            members,
        })
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len() / 3
    }

    /// Whether there is none, which is not so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members.
    pub fn members(&self) -> impl Iterator<Item = Member<'a>> + use<'a> {
        let members = self.members;
        (0..self.len()).filter_map(move |index| {
            let at = 3 * index;
            Some(Member {
                longitude: members.get(at)?,
                latitude: members.get(at + 1)?,
                name: members.get(at + 2)?,
            })
        })
    }
}
