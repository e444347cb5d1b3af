//! The lines of a watch.

use herd_crdt::Record;

use super::reply::{AtLine, NANOSECONDS_PER_SECOND};

/// One line of a watch.
#[derive(Clone, Copy, Debug)]
pub enum StreamLine<'a> {
    /// The newest record of a client.
    At(&'a Record),
    /// A client is inside now.
    Enter(&'a Record),
    /// A client is not inside any more.
    Leave(&'a Record),
    /// The client in the middle has moved.
    Centre(&'a Record),
    /// A client is known no more.
    Gone(&'a [u8]),
    /// All that is so was told: so many clients.
    Live(usize),
    /// Nothing was to be told for a while.
    Alive {
        /// The name of this server.
        server: &'a str,
        /// Its clock, in nanoseconds since the epoch.
        now_ns: i64,
    },
    /// The last line.
    End(EndReason),
}

/// Why a watch has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The client wanted it.
    Unwatched,
    /// The client reads too slowly.
    Slow,
    /// It may not watch this any more, or the server cannot hold as much as it takes.
    Refused,
    /// The server stops.
    Stopping,
}

impl EndReason {
    /// All of them.
    pub const ALL: [EndReason; 4] = [
        EndReason::Unwatched,
        EndReason::Slow,
        EndReason::Refused,
        EndReason::Stopping,
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            EndReason::Unwatched => "unwatched",
            EndReason::Slow => "slow",
            EndReason::Refused => "refused",
            EndReason::Stopping => "stopping",
        }
    }
}

impl StreamLine<'_> {
    /// Appends the line to `out`, with its newline.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            StreamLine::At(record) => AtLine::of(record).write(out),
            StreamLine::Enter(record) => write_at(b"ENTER ", record, out),
            StreamLine::Leave(record) => write_at(b"LEAVE ", record, out),
            StreamLine::Centre(record) => write_at(b"CENTRE ", record, out),
            StreamLine::Gone(client) => {
                out.extend_from_slice(b"GONE ");
                out.extend_from_slice(client);
            }
            StreamLine::Live(clients) => {
                out.extend_from_slice(b"LIVE ");
                out.extend_from_slice(itoa::Buffer::new().format(*clients).as_bytes());
            }
            StreamLine::Alive { server, now_ns } => {
                out.extend_from_slice(b"ALIVE ");
                out.extend_from_slice(server.as_bytes());
                out.push(b' ');
                write_time(*now_ns, out);
            }
            StreamLine::End(reason) => {
                out.extend_from_slice(b"END ");
                out.extend_from_slice(reason.word().as_bytes());
            }
        }
        out.push(b'\n');
    }
}

fn write_at(word: &[u8], record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(word);
    AtLine::of(record).write(out);
}

/// Appends nanoseconds since the epoch as seconds with nine decimals.
fn write_time(ns: i64, out: &mut Vec<u8>) {
    let (sign, magnitude) = (ns < 0, ns.unsigned_abs());
    if sign {
        out.push(b'-');
    }
    let mut digits = itoa::Buffer::new();
    let seconds = digits.format(magnitude / NANOSECONDS_PER_SECOND);
    out.extend_from_slice(seconds.as_bytes());
    out.push(b'.');
    // One second more, whose digit is left out: so the zeros in front are there.
    let decimals = NANOSECONDS_PER_SECOND + magnitude % NANOSECONDS_PER_SECOND;
    out.extend_from_slice(&digits.format(decimals).as_bytes()[1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: StreamLine<'_>) -> String {
        let mut out = Vec::new();
        line.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_as_the_protocol_says() {
        let record = Record::new(b"kiwi", b"+1+1", b"1.5", "Hill".into(), 2_000_000_000).unwrap();
        let at = "AT Hill +0.500000000 kiwi +1+1 1.5\n";
        assert_eq!(written(StreamLine::At(&record)), at);
        assert_eq!(written(StreamLine::Enter(&record)), format!("ENTER {at}"));
        assert_eq!(written(StreamLine::Leave(&record)), format!("LEAVE {at}"));
        assert_eq!(written(StreamLine::Centre(&record)), format!("CENTRE {at}"));
        assert_eq!(written(StreamLine::Gone(b"kiwi")), "GONE kiwi\n");
        assert_eq!(written(StreamLine::Live(12)), "LIVE 12\n");
        let alive = |now_ns| {
            written(StreamLine::Alive {
                server: "Hill",
                now_ns,
            })
        };
        assert_eq!(
            alive(1_520_023_935_000_000_007),
            "ALIVE Hill 1520023935.000000007\n"
        );
        assert_eq!(alive(-1_500_000_000), "ALIVE Hill -1.500000000\n");
        let ends = EndReason::ALL.map(|reason| written(StreamLine::End(reason)));
        let words = ["unwatched", "slow", "refused", "stopping"];
        assert_eq!(ends, words.map(|word| format!("END {word}\n")));
    }
}
