//! A server of a herd: `IAMAT`, `WHATSAT` and `NEARBY`.

use memchr::memmem::Finder;

use super::{Awaited, Kind, NotAReply, Reply, Target, Verdict, is_client_id, push_client_id};
use crate::digits::push_time;
use crate::plan::SearchPlan;
use crate::positions::{BenchPosition, positions};
use crate::spread::Spot;
use crate::workload::{At, ClientNumber, Report};

/// Writes the text protocol and reads it.
pub(crate) struct Herd {
    positions: Vec<BenchPosition>,
    /// The end of a look-up after the client: radius, maximal number of places, line end.
    look_up_tail: Vec<u8>,
    /// The end of a search behind the place: radius, most clients, line end.
    search_tail: Vec<u8>,
    end: Finder<'static>,
}

/// How a reply of several lines ends: that of WHATSAT with the close of the JSON object before it.
const LOOK_UP_END: &[u8] = b"\n\n";

/// The ends of a JSON object with a status of a successful search.
const GOOD_ENDS: [&[u8]; 2] = [b"\"status\": \"OK\"\n}", b"\"status\": \"ZERO_RESULTS\"\n}"];

impl Herd {
    /// Look-ups ask for at most `results` places within `radius_km`.
    #[must_use]
    pub(crate) fn new(radius_km: f64, results: u8, search: Option<&SearchPlan>) -> Self {
        let search_tail = search.map_or(String::new(), |search| {
            let radius = search.radius_km.map_or("*".to_owned(), |km| km.to_string());
            format!(" {radius} {}\n", search.limit)
        });
        Herd {
            search_tail: search_tail.into_bytes(),
            positions: positions(),
            look_up_tail: format!(" {radius_km} {results}\n").into_bytes(),
            end: Finder::new(LOOK_UP_END),
        }
    }
}

impl Target for Herd {
    fn write_report(&self, out: &mut Vec<u8>, report: &Report) {
        out.extend_from_slice(b"IAMAT ");
        push_client_id(out, report.client);
        out.push(b' ');
        match report.position {
            At::Spot(spot) => spot.push_iso(out),
            At::Table(index) => {
                if let Some(position) = self.positions.get(index) {
                    out.extend_from_slice(&position.iso);
                }
            }
        }
        out.push(b' ');
        push_time(out, report.time_ns);
        out.push(b'\n');
    }

    fn write_look_up(&self, out: &mut Vec<u8>, client: ClientNumber) {
        out.extend_from_slice(b"WHATSAT ");
        push_client_id(out, client);
        out.extend_from_slice(&self.look_up_tail);
    }

    fn write_search(&self, out: &mut Vec<u8>, around: Spot) {
        out.extend_from_slice(b"NEARBY POINT ");
        around.push_iso(out);
        out.extend_from_slice(&self.search_tail);
    }

    fn read_reply(&self, input: &[u8], awaited: &Awaited) -> Result<Option<Reply>, NotAReply> {
        let Some(line_end) = memchr::memchr(b'\n', input) else {
            return Ok(None);
        };
        let (line, rest) = input.split_at(line_end);
        let one_line = |verdict| Reply {
            len_bytes: line.len() + 1,
            verdict,
        };
        if line.starts_with(b"? ") {
            return Ok(Some(one_line(Verdict::Refused)));
        }
        if awaited.kind == Kind::Search {
            if !line.starts_with(b"NEAR ") {
                return Err(NotAReply);
            }
            return Ok(self.end.find(rest).map(|end| Reply {
                len_bytes: line.len() + end + LOOK_UP_END.len(),
                verdict: Verdict::Good,
            }));
        }
        if !line.starts_with(b"AT ") {
            return Err(NotAReply);
        }
        let is_right = third_field(line).is_some_and(|id| is_client_id(id, awaited.client));
        if awaited.kind == Kind::Report {
            let verdict = if is_right {
                Verdict::Good
            } else {
                Verdict::Wrong
            };
            return Ok(Some(one_line(verdict)));
        }
        let json_and_end = rest.get(1..).unwrap_or_default();
        if json_and_end.first().is_some_and(|&first| first != b'{') {
            return Err(NotAReply);
        }
        let Some(json_len) = self.end.find(json_and_end) else {
            return Ok(None);
        };
        let json = json_and_end.get(..json_len).unwrap_or_default();
        let verdict = match (is_right, GOOD_ENDS.iter().any(|end| json.ends_with(end))) {
            (false, _) => Verdict::Wrong,
            (true, false) => Verdict::Refused,
            (true, true) => Verdict::Good,
        };
        Ok(Some(Reply {
            len_bytes: line.len() + 1 + json_len + LOOK_UP_END.len(),
            verdict,
        }))
    }
}

/// The field behind `AT`, the server and the difference.
fn third_field(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line;
    for _ in 0..3 {
        let blank = memchr::memchr(b' ', rest)?;
        rest = rest.get(blank + 1..)?;
    }
    let end = memchr::memchr(b' ', rest)?;
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use herd_protocol::Command;

    fn awaited(kind: Kind) -> Awaited {
        Awaited {
            kind,
            client: 42,
            due_ns: 0,
            is_measured: true,
        }
    }

    /// A complete reply at the start of `input` is read; every shorter part of it is not enough.
    fn read(kind: Kind, input: &str) -> Result<Option<Reply>, NotAReply> {
        let herd = Herd::new(10.0, 20, None);
        let reply = herd.read_reply(input.as_bytes(), &awaited(kind))?;
        if let Some(reply) = reply {
            for cut in 0..reply.len_bytes {
                let part = &input.as_bytes()[..cut];
                assert_eq!(
                    herd.read_reply(part, &awaited(kind)),
                    Ok(None),
                    "cut at {cut}"
                );
            }
        }
        Ok(reply)
    }

    fn reply(len_bytes: usize, verdict: Verdict) -> Result<Option<Reply>, NotAReply> {
        Ok(Some(Reply { len_bytes, verdict }))
    }

    #[test]
    fn requests_are_commands_of_the_protocol() {
        let herd = Herd::new(10.0, 20, None);
        let mut out = Vec::new();
        let report = Report {
            client: 42,
            position: At::Table(3),
            time_ns: 1_520_023_934_918_963_997,
        };
        herd.write_report(&mut out, &report);
        assert!(out.starts_with(b"IAMAT client-000000042 "));
        assert!(out.ends_with(b" 1520023934.918963997\n"));
        let line = &out[..out.len() - 1];
        assert!(matches!(Command::parse(line), Ok(Some(Command::Iamat(_)))));
        out.clear();
        herd.write_look_up(&mut out, 42);
        assert_eq!(out, b"WHATSAT client-000000042 10 20\n");
    }

    #[test]
    fn an_at_line_of_the_right_client_is_good() {
        let line = "AT Hill +0.1 client-000000042 +1+1 1.5\n";
        let more = format!("{line}AT ");
        assert_eq!(read(Kind::Report, &more), reply(line.len(), Verdict::Good));
        let other = line.replace("42", "43");
        assert_eq!(
            read(Kind::Report, &other),
            reply(line.len(), Verdict::Wrong)
        );
        let short = "AT Hill\n";
        assert_eq!(
            read(Kind::Report, short),
            reply(short.len(), Verdict::Wrong)
        );
    }

    #[test]
    fn a_question_mark_is_a_refusal_of_either_kind() {
        for kind in [Kind::Report, Kind::LookUp] {
            assert_eq!(read(kind, "? IAMAT x\nAT"), reply(10, Verdict::Refused));
        }
    }

    #[test]
    fn a_look_up_ends_with_an_empty_line() {
        let good = "AT Hill +0.1 client-000000042 +1+1 1.5\n{\n   \"results\": [],\n   \
                    \"status\": \"OK\"\n}\n\n";
        let more = format!("{good}AT ");
        assert_eq!(read(Kind::LookUp, &more), reply(good.len(), Verdict::Good));
        let failed = good.replace("\"OK\"", "\"UNKNOWN_ERROR\"");
        assert_eq!(
            read(Kind::LookUp, &failed),
            reply(failed.len(), Verdict::Refused)
        );
        let other = good.replace("42", "43");
        assert_eq!(
            read(Kind::LookUp, &other),
            reply(good.len(), Verdict::Wrong)
        );
    }

    #[test]
    fn searches_are_commands_with_an_empty_line_at_the_end() {
        let search = SearchPlan {
            radius_km: Some(2.5),
            limit: 20,
            movement: crate::spread::Movement::Jump,
        };
        for (radius_km, tail) in [(Some(2.5), " 2.5 20\n"), (None, " * 20\n")] {
            let search = SearchPlan {
                radius_km,
                ..search
            };
            let herd = Herd::new(10.0, 20, Some(&search));
            let mut out = Vec::new();
            herd.write_search(&mut out, Spot::center(&mut crate::choice::Random::new(1)));
            assert!(out.ends_with(tail.as_bytes()));
            let line = &out[..out.len() - 1];
            assert!(matches!(Command::parse(line), Ok(Some(Command::Nearby(_)))));
        }
        let nobody = "NEAR 0 complete\n\n";
        let more = format!("{nobody}NEAR");
        assert_eq!(
            read(Kind::Search, &more),
            reply(nobody.len(), Verdict::Good)
        );
        let one = "NEAR 1 more\n0.000000 AT Hill +0.1 client-000000042 +1+1 1.5\n\n";
        assert_eq!(read(Kind::Search, one), reply(one.len(), Verdict::Good));
        assert_eq!(read(Kind::Search, "AT Hill\n"), Err(NotAReply));
        assert_eq!(read(Kind::Search, "? NEARBY\n"), reply(9, Verdict::Refused));
    }

    #[test]
    fn other_lines_are_not_replies() {
        assert_eq!(read(Kind::Report, "HTTP/1.0 400\n"), Err(NotAReply));
        let line = "AT Hill +0.1 client-000000042 +1+1 1.5\n";
        assert_eq!(read(Kind::LookUp, &format!("{line}{line}")), Err(NotAReply));
    }
}
