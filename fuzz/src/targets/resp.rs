//! Bytes to requests of Redis clients, and requests to commands: the same, however the bytes are cut.

use herd_crdt::{InvalidLocation, Location};
use herd_protocol::resp::{
    CommandReader, Encoder, RespCommand, RespVersion, SearchCenter, decimal_text, degrees_of,
    members_ahead, write_degrees,
};

/// What a reader makes of bytes: requests as their arguments, and the end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    requests: Vec<Vec<Vec<u8>>>,
    fault: Option<String>,
}

/// The first byte is the limit, in tens of bytes, the second the length of the pieces.
pub(super) fn run(bytes: &[u8]) {
    let [limit, piece, stream @ ..] = bytes else {
        return;
    };
    let limit = 10 * usize::from(*limit);
    let whole = read(limit, stream, stream.len().max(1));
    assert_eq!(read(limit, stream, 1), whole);
    assert_eq!(read(limit, stream, usize::from(*piece).max(1)), whole);
    for request in &whole.requests {
        let bytes: usize = request.iter().map(Vec::len).sum();
        assert!(bytes <= limit);
    }
    assert!(members_ahead(stream).count() <= stream.len());
    execute(limit, stream);
}

fn read(limit: usize, stream: &[u8], piece_bytes: usize) -> Seen {
    let mut reader = CommandReader::new(limit);
    let mut seen = Seen::default();
    for piece in stream.chunks(piece_bytes) {
        reader.push(piece);
        loop {
            match reader.next_request() {
                Ok(Some(request)) => {
                    let arguments = request.arguments.iter().map(<[u8]>::to_vec);
                    seen.requests.push(arguments.collect());
                }
                Ok(None) => break,
                Err(fault) => seen.fault = Some(fault.to_string()),
            }
        }
    }
    seen
}

/// Reads commands, and writes errors.
fn execute(limit: usize, stream: &[u8]) {
    let mut reader = CommandReader::new(limit);
    reader.push(stream);
    while let Ok(Some(request)) = reader.next_request() {
        match RespCommand::parse(request.arguments) {
            Ok(RespCommand::Geoadd(geoadd)) => {
                for member in geoadd.members() {
                    check_degrees(member.latitude, member.longitude);
                }
            }
            Ok(RespCommand::Geosearch(search)) => {
                if let SearchCenter::Point(text) = search.center {
                    check_location(&text);
                }
            }
            Ok(_) => {}
            Err(invalid) => {
                let mut out = Vec::new();
                Encoder::new(&mut out, RespVersion::Two).error(&invalid.to_string());
                let lines = out.iter().filter(|&&byte| byte == b'\n');
                assert!(out.starts_with(b"-") && lines.count() == 1);
            }
        }
    }
}

fn check_degrees(latitude: &[u8], longitude: &[u8]) {
    let mut text = Vec::new();
    if write_degrees(latitude, &mut text).is_ok() && write_degrees(longitude, &mut text).is_ok() {
        check_location(&text);
    }
}

/// What was written as a location is one, unless it is beyond its range or too long; and its degrees are numbers.
fn check_location(text: &[u8]) {
    match Location::parse(text) {
        Ok(location) => {
            let coordinates = location.coordinates();
            let (latitude, longitude) = degrees_of(text).unwrap_or_default();
            for (degrees, number) in [
                (latitude, coordinates.latitude_degrees),
                (longitude, coordinates.longitude_degrees),
            ] {
                let told = String::from_utf8(decimal_text(degrees)).unwrap_or_default();
                assert_eq!(told.parse(), Ok(number), "{told}");
            }
        }
        Err(InvalidLocation::OutOfRange | InvalidLocation::TooLong) => {}
        Err(InvalidLocation::Malformed) => panic!("no location: {}", text.escape_ascii()),
    }
}
