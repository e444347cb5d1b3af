//! Errors of operations as replies. Each begins with the code of Redis that clients know.

use herd_crdt::{
    CLIENT_ID_BYTES_MAX, InvalidLocation, InvalidRecord, LOCATION_BYTES_MAX, Location,
};
use herd_protocol::resp::{InvalidRequest, MEMBERS_MAX, Member};

use crate::location_service::{ForgetRefusal, PlacingRefusal, Refusal, SearchRefusal};

/// A report or a forgotten client that is not as safe as the server promises in time.
pub(super) const UNCONFIRMED: &str =
    "NOREPLICAS not as safe as this server promises (ack) in time; it may have been taken in";

/// A client that shows no token, where one is needed.
pub(super) const STRANGER: &str = "NOAUTH Authentication required.";

/// More is found than is answered at a time.
pub(super) fn too_many_members() -> String {
    format!(
        "ERR more than {MEMBERS_MAX} members are in the area: ask for a smaller one, or for COUNT with ASC"
    )
}

/// The IDs of the members of a request are too long together.
pub(super) fn too_long_ids(bytes_max: usize) -> String {
    format!(
        "ERR key and member, with a '/' between them, are more than {bytes_max} bytes for all members together; nothing \
         was changed: send fewer members a request, or use a shorter key"
    )
}

/// A question about a client that the token does not allow.
pub(super) fn forbidden_question(client: &[u8]) -> String {
    let client = client.escape_ascii();
    format!("NOPERM the token does not allow to ask about '{client}'")
}

/// Why a member cannot be one.
pub(super) fn invalid_member(member: &Member<'_>, invalid: &InvalidRecord) -> InvalidRequest {
    match invalid {
        InvalidRecord::Location(InvalidLocation::OutOfRange) => {
            InvalidRequest::Pair(pair_text(member.longitude, member.latitude))
        }
        InvalidRecord::Location(InvalidLocation::TooLong) => {
            InvalidRequest::LocationLength(LOCATION_BYTES_MAX)
        }
        InvalidRecord::Location(InvalidLocation::Malformed) => InvalidRequest::NotFloat,
        _ => InvalidRequest::Client(CLIENT_ID_BYTES_MAX),
    }
}

/// The location of this text, which [`herd_protocol::resp::write_degrees`] wrote.
///
/// # Errors
/// If it is beyond its range, or too long.
pub(super) fn checked_point(text: &[u8]) -> Result<Location<'_>, InvalidRequest> {
    Location::parse(text).map_err(|invalid| match invalid {
        InvalidLocation::OutOfRange => {
            let degrees = herd_protocol::resp::degrees_of(text);
            let (latitude, longitude) = degrees.unwrap_or_default();
            InvalidRequest::Pair(pair_text(longitude, latitude))
        }
        InvalidLocation::TooLong => InvalidRequest::LocationLength(LOCATION_BYTES_MAX),
        InvalidLocation::Malformed => InvalidRequest::NotFloat,
    })
}

/// Two numbers as Redis repeats them.
fn pair_text(longitude: &[u8], latitude: &[u8]) -> String {
    let number = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    };
    format!("{:.6},{:.6}", number(longitude), number(latitude))
}

/// Why a report was not taken in.
pub(super) fn placing(refusal: &PlacingRefusal, member: &Member<'_>) -> String {
    match refusal {
        PlacingRefusal::Invalid(invalid) => invalid_member(member, invalid).to_string(),
        PlacingRefusal::Refused(Refusal::Forbidden) => format!("NOPERM {refusal}"),
        PlacingRefusal::Refused(Refusal::Full) => format!("OOM {refusal}"),
        PlacingRefusal::Refused(_) => format!("ERR {refusal}"),
        PlacingRefusal::Loading => format!("LOADING {refusal}"),
    }
}

/// Why some members of a `GEOADD` are as they were.
pub(super) fn superseded(superseded: usize, of: usize) -> String {
    let others = if superseded < of {
        "; the others were taken in"
    } else {
        ""
    };
    format!(
        "ERR {superseded} of {of} members not changed: of each a later report or removal is known, with a time ahead of \
         this server's clock{others}"
    )
}

/// Why a client was not forgotten.
pub(super) fn forgetting(refusal: ForgetRefusal) -> String {
    match refusal {
        ForgetRefusal::Forbidden => format!("NOPERM {refusal}"),
        ForgetRefusal::Full => format!("OOM {refusal}"),
        ForgetRefusal::ReadersUnknown => format!("TRYAGAIN {refusal}"),
        ForgetRefusal::Unread | ForgetRefusal::ClientTooLong | ForgetRefusal::KeptOut => {
            format!("ERR {refusal}")
        }
    }
}

/// Why nothing was searched for.
pub(super) fn search(refusal: SearchRefusal) -> String {
    match refusal {
        // As Redis has it.
        SearchRefusal::UnknownCenter => "ERR could not decode requested zset member".to_owned(),
        SearchRefusal::NoArea | SearchRefusal::TooMany => format!("ERR {refusal}"),
    }
}
