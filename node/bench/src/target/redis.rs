//! Redis with the same information: a position in a geo set, and the fields of the report in a hash.

use super::resp::{Value, read_value};
use super::{Awaited, CLIENT_ID_BYTES, Kind, NotAReply, Reply, Target, Verdict, push_client_id};
use crate::digits::push_time;
use crate::plan::SearchPlan;
use crate::positions::{BenchPosition, positions};
use crate::spread::Spot;
use crate::workload::{At, ClientNumber, Report};

/// The length of a time: ten digits, a point and nine digits.
const TIME_BYTES: usize = 20;

/// Writes commands of Redis and reads its replies.
///
/// A report is `GEOADD herd:positions <longitude> <latitude> <client>` and `HSET <client> location <text> time <text>
/// server redis` in one write: the parts of an `AT` line without the difference. A look-up is `GEOPOS herd:positions
/// <client>` and `HGET <client> time`. Either is answered when both replies are there.
///
/// A search is `GEOSEARCH herd:positions FROMLONLAT <longitude> <latitude> BYRADIUS <radius> km
/// ASC COUNT <limit> WITHDIST`.
pub(crate) struct Redis {
    positions: Vec<BenchPosition>,
    search_radius: Vec<u8>,
    search_limit: Vec<u8>,
}

/// The radius of a search without a bound, in kilometres: more than half of the earth's circumference.
const ANY_RADIUS_KM: f64 = 20_100.0;

impl Redis {
    /// A writer and reader.
    #[must_use]
    pub(crate) fn new(search: Option<&SearchPlan>) -> Self {
        let radius_km = search.and_then(|search| search.radius_km);
        let limit = search.map_or(0, |search| search.limit);
        Redis {
            positions: positions(),
            search_radius: radius_km.unwrap_or(ANY_RADIUS_KM).to_string().into_bytes(),
            search_limit: limit.to_string().into_bytes(),
        }
    }
}

/// Appends a string with its length.
fn push_bulk(out: &mut Vec<u8>, text: &[u8]) {
    push_length(out, text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends the length of a string: at most two digits here.
fn push_length(out: &mut Vec<u8>, length: usize) {
    out.push(b'$');
    if length >= 10 {
        out.push(b'0' + (length / 10 % 10) as u8);
    }
    out.push(b'0' + (length % 10) as u8);
    out.extend_from_slice(b"\r\n");
}

fn push_client(out: &mut Vec<u8>, client: ClientNumber) {
    push_length(out, CLIENT_ID_BYTES);
    push_client_id(out, client);
    out.extend_from_slice(b"\r\n");
}

/// A place in the words of each protocol.
fn position_of(spot: Spot) -> BenchPosition {
    let [longitude, latitude] = spot.plain();
    let mut iso = Vec::with_capacity(22);
    spot.push_iso(&mut iso);
    BenchPosition {
        iso,
        latitude,
        longitude,
    }
}

impl Target for Redis {
    fn write_report(&self, out: &mut Vec<u8>, report: &Report) {
        let of_spot = match report.position {
            At::Table(_) => None,
            At::Spot(spot) => Some(position_of(spot)),
        };
        let of_table = match report.position {
            At::Table(index) => self.positions.get(index),
            At::Spot(_) => None,
        };
        let Some(position) = of_spot.as_ref().or(of_table) else {
            return;
        };
        out.extend_from_slice(b"*5\r\n$6\r\nGEOADD\r\n$14\r\nherd:positions\r\n");
        push_bulk(out, &position.longitude);
        push_bulk(out, &position.latitude);
        push_client(out, report.client);
        out.extend_from_slice(b"*8\r\n$4\r\nHSET\r\n");
        push_client(out, report.client);
        out.extend_from_slice(b"$8\r\nlocation\r\n");
        push_bulk(out, &position.iso);
        out.extend_from_slice(b"$4\r\ntime\r\n");
        push_length(out, TIME_BYTES);
        push_time(out, report.time_ns);
        out.extend_from_slice(b"\r\n$6\r\nserver\r\n$5\r\nredis\r\n");
    }

    fn write_look_up(&self, out: &mut Vec<u8>, client: ClientNumber) {
        out.extend_from_slice(b"*3\r\n$6\r\nGEOPOS\r\n$14\r\nherd:positions\r\n");
        push_client(out, client);
        out.extend_from_slice(b"*3\r\n$4\r\nHGET\r\n");
        push_client(out, client);
        out.extend_from_slice(b"$4\r\ntime\r\n");
    }

    fn write_search(&self, out: &mut Vec<u8>, around: Spot) {
        let [longitude, latitude] = around.plain();
        out.extend_from_slice(
            b"*12\r\n$9\r\nGEOSEARCH\r\n$14\r\nherd:positions\r\n$10\r\nFROMLONLAT\r\n",
        );
        push_bulk(out, &longitude);
        push_bulk(out, &latitude);
        out.extend_from_slice(b"$8\r\nBYRADIUS\r\n");
        push_bulk(out, &self.search_radius);
        out.extend_from_slice(b"$2\r\nkm\r\n$3\r\nASC\r\n$5\r\nCOUNT\r\n");
        push_bulk(out, &self.search_limit);
        out.extend_from_slice(b"$8\r\nWITHDIST\r\n");
    }

    fn read_reply(&self, input: &[u8], awaited: &Awaited) -> Result<Option<Reply>, NotAReply> {
        let Some((first, first_bytes)) = read_value(input)? else {
            return Ok(None);
        };
        if awaited.kind == Kind::Search {
            return Ok(Some(Reply {
                len_bytes: first_bytes,
                verdict: match first {
                    Value::Array => Verdict::Good,
                    Value::Error | Value::Nil | Value::ArrayWithGaps => Verdict::Refused,
                    Value::Status | Value::Integer | Value::Bulk => Verdict::Wrong,
                },
            }));
        }
        let rest = input.get(first_bytes..).unwrap_or_default();
        let Some((second, second_bytes)) = read_value(rest)? else {
            return Ok(None);
        };
        let good = match awaited.kind {
            Kind::Report => (Value::Integer, Value::Integer),
            Kind::LookUp | Kind::Search => (Value::Array, Value::Bulk),
        };
        let is_refusal = |value| matches!(value, Value::Error | Value::Nil | Value::ArrayWithGaps);
        let verdict = if (first, second) == good {
            Verdict::Good
        } else if is_refusal(first) || is_refusal(second) {
            Verdict::Refused
        } else {
            Verdict::Wrong
        };
        Ok(Some(Reply {
            len_bytes: first_bytes + second_bytes,
            verdict,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_commands_of_redis() {
        let redis = Redis::new(None);
        let mut out = Vec::new();
        let report = Report {
            client: 42,
            position: At::Table(3),
            time_ns: 1_520_023_934_918_963_997,
        };
        redis.write_report(&mut out, &report);
        redis.write_look_up(&mut out, 42);
        redis.write_search(&mut out, Spot::of_degrees(-33.87, 151.21));
        // A reply may also be an array of strings.
        let (mut rest, mut words) = (out.as_slice(), Vec::<Vec<&str>>::new());
        while !rest.is_empty() {
            let (value, bytes) = read_value(rest).unwrap().unwrap();
            assert_eq!(value, Value::Array);
            let command = std::str::from_utf8(&rest[..bytes]).unwrap();
            let lines: Vec<&str> = command.split("\r\n").skip(1).collect();
            words.push(
                lines
                    .chunks(2)
                    .filter_map(|pair| pair.get(1).copied())
                    .collect(),
            );
            rest = &rest[bytes..];
        }
        let position = &redis.positions[3];
        let text = |bytes: &'_ [u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (longitude, latitude) = (text(&position.longitude), text(&position.latitude));
        let iso = text(&position.iso);
        let (radius, limit) = (text(&redis.search_radius), text(&redis.search_limit));
        let id = "client-000000042";
        let time = "1520023934.918963997";
        let expected: [Vec<&str>; 5] = [
            vec!["GEOADD", "herd:positions", &longitude, &latitude, id],
            vec![
                "HSET", id, "location", &iso, "time", time, "server", "redis",
            ],
            vec!["GEOPOS", "herd:positions", id],
            vec!["HGET", id, "time"],
            vec![
                "GEOSEARCH",
                "herd:positions",
                "FROMLONLAT",
                "151.210000",
                "-033.870000",
                "BYRADIUS",
                &radius,
                "km",
                "ASC",
                "COUNT",
                &limit,
                "WITHDIST",
            ],
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_reply_is_both_replies() {
        let read = |kind, text: &str| {
            let awaited = Awaited {
                kind,
                client: 42,
                due_ns: 0,
                is_measured: true,
            };
            Redis::new(None).read_reply(text.as_bytes(), &awaited)
        };
        let reply = |len_bytes, verdict| Ok(Some(Reply { len_bytes, verdict }));
        assert_eq!(read(Kind::Report, ":1\r\n"), Ok(None));
        assert_eq!(
            read(Kind::Report, ":1\r\n:3\r\n:1"),
            reply(8, Verdict::Good)
        );
        let error = ":1\r\n-ERR full\r\n";
        assert_eq!(
            read(Kind::Report, error),
            reply(error.len(), Verdict::Refused)
        );
        assert_eq!(
            read(Kind::Report, "+OK\r\n+OK\r\n"),
            reply(10, Verdict::Wrong)
        );
        let known = "*1\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n";
        assert_eq!(read(Kind::LookUp, known), reply(known.len(), Verdict::Good));
        let unknown = "*1\r\n*-1\r\n$-1\r\n";
        assert_eq!(
            read(Kind::LookUp, unknown),
            reply(unknown.len(), Verdict::Refused)
        );
        assert_eq!(read(Kind::Report, "AT Hill\n"), Err(NotAReply));
    }
}
