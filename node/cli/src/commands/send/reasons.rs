//! Why a server may have refused a line, in words for people. The server only says that it did. Pure.

use herd_crdt::decimal::Decimal;
use herd_crdt::{InvalidLocation, InvalidTime, NANOSECONDS_PER_SECOND};
use herd_protocol::{Center, Command, Fields, InvalidCommand, InvalidOperand, Watch};

use super::typed::COMMAND_WORDS;

/// The forms of all commands, for `help` and for a command with too few words.
pub(super) const FORMS: [(&str, &str); 7] = [
    (
        "IAMAT CLIENT LOCATION TIME",
        "report a client: IAMAT kiwi +34.07-118.44 now",
    ),
    (
        "WHATSAT CLIENT KM COUNT",
        "a client, and places near it: WHATSAT kiwi 10 5",
    ),
    (
        "NEARBY POINT LOCATION KM COUNT, NEARBY CLIENT CLIENT KM COUNT",
        "clients near a point or a client: NEARBY CLIENT kiwi 5 10",
    ),
    (
        "WITHIN SOUTHWEST NORTHEAST COUNT",
        "clients in a box: WITHIN +33-119 +35-118 10",
    ),
    (
        "WATCH ALL, WATCH CLIENT ID, WATCH PREFIX ID, WATCH POINT LOCATION KM, WATCH NEARBY CLIENT KM, WATCH WITHIN \
         SOUTHWEST NORTHEAST",
        "be told of changes: WATCH POINT +34.07-118.44 5",
    ),
    ("UNWATCH", "and now not any more"),
    (
        "FORGET CLIENT",
        "remove a client from the whole herd: FORGET kiwi",
    ),
];

/// From here on a number of seconds is taken for one of a smaller unit: the year 5138.
const SECONDS_MAX: u64 = 100_000_000_000;

/// How far ahead of this machine's clock a time is taken for the reason, in ns.
const AHEAD_NS: i64 = 60 * NANOSECONDS_PER_SECOND;

/// The reason, as far as it can be told from the line.
pub(super) fn reason(line: &[u8], now_ns: i64) -> String {
    match Command::parse(line) {
        Err(InvalidCommand::UnknownWord) => unknown_word(line),
        Err(
            InvalidCommand::Iamat(operand)
            | InvalidCommand::Whatsat(operand)
            | InvalidCommand::Nearby(operand)
            | InvalidCommand::Within(operand)
            | InvalidCommand::Watch(operand)
            | InvalidCommand::Unwatch(operand)
            | InvalidCommand::Forget(operand),
        ) => of_operand(line, operand),
        Ok(None) => "it is empty".to_owned(),
        Ok(Some(command)) => of_server(command, now_ns),
    }
}

fn unknown_word(line: &[u8]) -> String {
    let word = text(Fields::new(line).next().unwrap_or_default());
    let upper = word.to_ascii_uppercase();
    if COMMAND_WORDS.contains(&upper.as_str()) {
        return format!("commands are in capitals: {upper}");
    }
    format!(
        "`{word}` is no command; there are {}",
        COMMAND_WORDS.join(", ")
    )
}

/// The reason why an operand is wrong, and how it would be right.
fn of_operand(line: &[u8], operand: InvalidOperand) -> String {
    let fields: Vec<&[u8]> = Fields::new(line).collect();
    match operand {
        InvalidOperand::Count => {
            if let Some(joined) = location_in_two_words(&fields) {
                return format!("the location is one word: {joined}");
            }
            let word = text(fields.first().copied().unwrap_or_default());
            let form = FORMS
                .iter()
                .find(|(form, _)| form.split(' ').next() == Some(&*word));
            let form = form.map_or(&*word, |(form, _)| form);
            format!("it has too few words, or too many: {form}")
        }
        InvalidOperand::Location(invalid) => {
            let is_wrong =
                |field: &&&[u8]| herd_crdt::Location::parse(field).err() == Some(invalid);
            // The first word is the command, and the second the client or the kind.
            let operands = fields
                .iter()
                .skip(if fields.first() == Some(&&b"WITHIN"[..]) {
                    1
                } else {
                    2
                });
            let wrong = operands.clone().find(is_wrong);
            of_location(wrong.copied().unwrap_or_default(), invalid)
        }
        InvalidOperand::Time(invalid) => {
            of_time(fields.last().copied().unwrap_or_default(), invalid)
        }
        other => other.to_string(),
    }
}

/// `+34.06 -118.4` in an IAMAT, as one word.
fn location_in_two_words(fields: &[&[u8]]) -> Option<String> {
    let [b"IAMAT", _, latitude, longitude, _] = fields else {
        return None;
    };
    corrected(&[*latitude, longitude].join(&b' '))
}

fn of_location(location: &[u8], invalid: InvalidLocation) -> String {
    let shown = text(location);
    match (invalid, corrected(location)) {
        (InvalidLocation::OutOfRange, _) => {
            "latitudes go from -90 to +90, longitudes from -180 to +180, the latitude first"
                .to_owned()
        }
        (_, Some(corrected)) if location.contains(&b',') => {
            format!("the location has no comma, and a sign before each number: {corrected}")
        }
        (_, Some(corrected)) => format!("the location needs a sign: {corrected}"),
        (_, None) => format!(
            "`{shown}` is no location: latitude and longitude in degrees, each with its sign, such as +34.06-118.4"
        ),
    }
}

/// A location with both signs and nothing between its numbers, if the text means one.
fn corrected(location: &[u8]) -> Option<String> {
    let location = str::from_utf8(location).ok()?.trim();
    let is_separator = |c: char| c == ',' || c == ' ' || c == ';';
    let (latitude, longitude) = match location.split_once(is_separator) {
        Some((latitude, longitude)) => (latitude, longitude.trim_start_matches(is_separator)),
        None => {
            let unsigned = location.trim_start_matches(['+', '-']);
            let begin = location.len() - unsigned.len();
            location.split_at(begin + unsigned.find(['+', '-'])?)
        }
    };
    let signed = |number: &str| match number.strip_prefix(['+', '-']) {
        Some(_) => number.to_owned(),
        None => format!("+{number}"),
    };
    let corrected = format!("{}{}", signed(latitude), signed(longitude));
    herd_crdt::Location::parse(corrected.as_bytes()).ok()?;
    Some(corrected)
}

fn of_time(time: &[u8], invalid: InvalidTime) -> String {
    let digits = time.strip_prefix(b"+").unwrap_or(time);
    let whole = Decimal::parse(digits)
        .and_then(|decimal| str::from_utf8(decimal.whole).ok()?.parse::<u64>().ok());
    match whole {
        Some(number) if number >= SECONDS_MAX => format!(
            "that time is in {}? times are in seconds since 1970",
            small_unit(number)
        ),
        _ if invalid == InvalidTime::Malformed => format!(
            "`{}` is no time: seconds since 1970 with at most 9 decimals, or `now`",
            text(time)
        ),
        _ => invalid.to_string(),
    }
}

/// The unit in which a number of this size is a time of these years.
fn small_unit(number: u64) -> &'static str {
    if number < 1_000 * SECONDS_MAX {
        "milliseconds"
    } else if number < 1_000_000 * SECONDS_MAX {
        "microseconds"
    } else {
        "nanoseconds"
    }
}

/// Why a server may refuse a line that is right.
fn of_server(command: Command<'_>, now_ns: i64) -> String {
    let unknown = |client: &[u8]| {
        format!(
            "nobody has reported {}, or your token does not let you ask for it",
            text(client)
        )
    };
    match command {
        Command::Iamat(iamat) => {
            let sent_ns = iamat.operands.sent().ns();
            if sent_ns > now_ns.saturating_add(AHEAD_NS) {
                "that time is in the future, further than the server's max_clock_skew (2h unless it is set)".to_owned()
            } else {
                "the line is right, and the server does not take it: it may want a token, be full, or not keep its \
                 promise in time (--ack); its log says which"
                    .to_owned()
            }
        }
        Command::Whatsat(whatsat) => unknown(whatsat.client),
        Command::Nearby(nearby) => match nearby.center {
            Center::Client(client) => unknown(client),
            Center::Point(_) => "your token does not allow it, or too many searches run".to_owned(),
        },
        Command::Within(_) => "your token does not allow it, or too many searches run".to_owned(),
        Command::Watch(Watch::Nearby { client, .. }) => unknown(client),
        Command::Watch(_) => "your token does not allow it, or too many watch".to_owned(),
        Command::Unwatch => "nothing is watched over this connection".to_owned(),
        Command::Forget(_) => "your token does not allow it with `forget=`, or a server of the herd cannot forget yet; \
                               the server's log says which"
            .to_owned(),
    }
}

/// Words of a line as text; [`crate::commands::report`] makes them harmless.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        reason(line.as_bytes(), 1_800_000_000 * NANOSECONDS_PER_SECOND)
    }

    #[test]
    fn mistakes_are_told_with_their_remedy() {
        for (line, expected) in [
            (
                "IAMAT k 34.06-118.4 1",
                "the location needs a sign: +34.06-118.4",
            ),
            (
                "IAMAT k -34.06,118.4 1",
                "the location has no comma, and a sign before each number: -34.06+118.4",
            ),
            (
                "IAMAT k +34.06 -118.4 1",
                "the location is one word: +34.06-118.4",
            ),
            ("IAMAT k here 1", "`here` is no location"),
            ("IAMAT k +118-34 1", "latitudes go from -90 to +90"),
            (
                "NEARBY POINT 34.06-118.4 5 5",
                "the location needs a sign: +34.06-118.4",
            ),
            ("WITHIN +1+1 2+2 5", "the location needs a sign: +2+2"),
            (
                "IAMAT k +1+1 1520023934918",
                "that time is in milliseconds?",
            ),
            (
                "IAMAT k +1+1 1520023934918963997",
                "that time is in nanoseconds?",
            ),
            ("IAMAT k +1+1 2026-11-30", "`2026-11-30` is no time"),
            ("IAMAT k +1+1 1800100000", "that time is in the future"),
            ("IAMAT k +1+1 1", "the line is right"),
            (
                "IAMAT k",
                "it has too few words, or too many: IAMAT CLIENT LOCATION TIME",
            ),
            ("WHATSAT kiwi 10 5", "nobody has reported kiwi"),
            ("WHATSAT kiwi 100 5", "radius is not"),
            ("NEARBY CLIENT kiwi 10 5", "nobody has reported kiwi"),
            ("whatsat kiwi 10 5", "commands are in capitals: WHATSAT"),
            ("hello", "`hello` is no command; there are IAMAT, WHATSAT"),
        ] {
            assert!(told(line).contains(expected), "{line}: {}", told(line));
        }
    }

    #[test]
    fn no_bytes_are_too_strange_for_a_reason() {
        for line in [
            &b"\xff"[..],
            b"IAMAT \xff \xff \xff",
            b"",
            b"IAMAT k , 1",
            b"IAMAT k +-+- 1",
            b"IAMAT k \xc3\xa9,1 1",
        ] {
            assert!(!reason(line, i64::MAX).is_empty());
        }
    }
}
