//! One connection of a load: it sends due requests, and checks and times the replies.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::board::{Board, RunStage};
use super::dial::{REOPENS_MAX, dial, reopen_gap};
use super::error::BenchError;
use super::input::Input;
use super::schedule::Schedule;
use super::target::{Awaited, Kind, Target, Verdict};
use super::workload::{Report, Request, Workload};
use herd_clock::clock::{SystemClock, WallClock};
use herd_text::printable::Printable;

/// How many clients are reported at a time before the first look-up.
const FILL_BATCH: usize = 64;

/// How long a server may take for one batch of them.
const FILL_WAIT: Duration = Duration::from_secs(30);

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
enum Loss {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("closed by the server")]
    Closed,
    #[error("not a reply: {0}")]
    NotAReply(String),
}

/// The parts of a connection.
pub(super) struct ConnectionParts<T> {
    /// Its place among those of its thread.
    pub(super) place: usize,
    pub(super) server: String,
    pub(super) target: Arc<T>,
    pub(super) workload: Workload,
    pub(super) schedule: Schedule,
    pub(super) measure_from_ns: u64,
}

/// An open connection.
pub(super) struct Connection<T> {
    parts: ConnectionParts<T>,
    board: Rc<Board>,
    clock: SystemClock,
    stream: TcpStream,
    input: Input,
    out: Vec<u8>,
    sent: usize,
    awaited: VecDeque<Awaited>,
    /// Since when there has been room for another request.
    room_since_ns: u64,
    reopened: u32,
}

impl<T: Target> Connection<T> {
    pub(super) async fn open(
        parts: ConnectionParts<T>,
        board: Rc<Board>,
    ) -> Result<Self, BenchError> {
        let stream = dial(&parts.server).await;
        let stream = stream.map_err(|error| BenchError::Unreachable {
            server: parts.server.clone(),
            reason: error.to_string(),
        })?;
        Ok(Connection {
            parts,
            board,
            clock: SystemClock,
            stream,
            input: Input::new(),
            out: Vec::new(),
            sent: 0,
            awaited: VecDeque::new(),
            room_since_ns: 0,
            reopened: 0,
        })
    }

    /// Reports every client of this connection once, so that look-ups find it.
    pub(super) async fn fill(mut self) -> Result<Self, BenchError> {
        let mut place = 0;
        loop {
            let wall_ns = self.clock.now_ns();
            while self.awaited.len() < FILL_BATCH
                && let Some(report) = self.parts.workload.first_report(place, wall_ns)
            {
                self.write_report(&report, 0, false);
                place += 1;
            }
            let answered = async {
                while !self.awaited.is_empty() {
                    self.exchange().await?;
                }
                Ok::<_, Loss>(())
            };
            let reason = match timeout(FILL_WAIT, answered).await {
                Ok(Ok(())) if place == self.parts.workload.clients() => return Ok(self),
                Ok(Ok(())) => continue,
                Ok(Err(loss)) => loss.to_string(),
                Err(_) => format!("no reply within {} s", FILL_WAIT.as_secs()),
            };
            return Err(BenchError::NotFilled {
                server: self.parts.server,
                reason,
            });
        }
    }

    /// Runs to the end of the load, or until the connection is given up.
    pub(super) async fn run(mut self) {
        loop {
            if self.board.stage() == RunStage::Abandoned {
                let unanswered = self.awaited.len() as u64;
                self.board.tally.borrow_mut().errors.unanswered += unanswered;
                break;
            }
            let now_ns = self.board.now_ns();
            let is_running = self.board.stage() == RunStage::Running;
            if is_running {
                self.begin_requests(now_ns);
            }
            let is_over = !is_running || self.parts.schedule.is_over(now_ns);
            if is_over && self.awaited.is_empty() {
                break;
            }
            if let Err(loss) = self.exchange().await
                && !self.reopen(&loss).await
            {
                break;
            }
        }
        let mut tally = self.board.tally.borrow_mut();
        let until_ns = tally.stopped_ns.unwrap_or(u64::MAX);
        tally.missed += self.parts.schedule.missed(until_ns);
    }

    /// Writes all requests that may go out now.
    fn begin_requests(&mut self, now_ns: u64) {
        let mut wall_ns = None;
        while let Some(due_ns) = self.parts.schedule.take(now_ns, self.awaited.len()) {
            let wall_ns = *wall_ns.get_or_insert_with(|| self.clock.now_ns());
            let is_measured = due_ns >= self.parts.measure_from_ns;
            if is_measured {
                let late_ns = now_ns.saturating_sub(due_ns.max(self.room_since_ns));
                self.board.tally.borrow_mut().sent_late(late_ns);
            }
            match self.parts.workload.next(wall_ns) {
                Request::Report(report) => self.write_report(&report, due_ns, is_measured),
                Request::LookUp(client) => {
                    self.parts.target.write_look_up(&mut self.out, client);
                    self.awaited.push_back(Awaited {
                        kind: Kind::LookUp,
                        client,
                        due_ns,
                        is_measured,
                    });
                }
                Request::Search(around) => {
                    self.parts.target.write_search(&mut self.out, around);
                    self.awaited.push_back(Awaited {
                        kind: Kind::Search,
                        client: 0,
                        due_ns,
                        is_measured,
                    });
                }
            }
        }
    }

    fn write_report(&mut self, report: &Report, due_ns: u64, is_measured: bool) {
        self.parts.target.write_report(&mut self.out, report);
        self.awaited.push_back(Awaited {
            kind: Kind::Report,
            client: report.client,
            due_ns,
            is_measured,
        });
    }

    /// Sends and receives as much as possible, or waits for work.
    async fn exchange(&mut self) -> Result<(), Loss> {
        let schedule = &self.parts.schedule;
        let has_room = schedule.has_room(self.awaited.len());
        let next_ns = schedule.next_ns().filter(|_| has_room);
        let unsent = self.out.get(self.sent..).unwrap_or_default();
        let has_unsent = !unsent.is_empty();
        let room = self.input.room();
        if room.is_empty() {
            return Err(self.not_a_reply());
        }
        // These do not ask the system again after a short read, as `try_read` would.
        let (mut read_half, mut write_half) = self.stream.split();
        tokio::select! {
            biased;
            written = write_half.write(unsent), if has_unsent => self.written(written?),
            received = read_half.read(room) => match received? {
                0 => return Err(Loss::Closed),
                received => {
                    self.input.filled(received);
                    self.take_replies()?;
                }
            },
            () = self.board.woken(self.parts.place, next_ns) => {}
        }
        Ok(())
    }

    fn written(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        }
    }

    fn take_replies(&mut self) -> Result<(), Loss> {
        let now_ns = self.board.now_ns();
        let had_room = self.parts.schedule.has_room(self.awaited.len());
        let mut tally = self.board.tally.borrow_mut();
        let (mut answered, mut errors, mut slowest_ns) = (0, 0, 0);
        let mut is_broken = false;
        while let Some(awaited) = self.awaited.front() {
            let reply = match self.parts.target.read_reply(self.input.received(), awaited) {
                Ok(Some(reply)) => reply,
                Ok(None) => break,
                Err(_) => {
                    is_broken = true;
                    break;
                }
            };
            let latency_ns = now_ns.saturating_sub(awaited.due_ns);
            match reply.verdict {
                Verdict::Good if awaited.is_measured => {
                    let kind = tally.of(awaited.kind);
                    kind.good.record(latency_ns);
                    kind.reply_bytes += reply.len_bytes as u64;
                }
                Verdict::Good => {}
                Verdict::Refused => {
                    tally.errors.refused += 1;
                    tally
                        .errors
                        .sample_reply("refused", first(self.input.received(), reply.len_bytes));
                    errors += 1;
                }
                Verdict::Wrong => {
                    tally.errors.wrong += 1;
                    tally
                        .errors
                        .sample_reply("wrong reply", first(self.input.received(), reply.len_bytes));
                    errors += 1;
                }
            }
            if awaited.is_measured {
                tally.answered += 1;
                tally.last_answer_ns = now_ns;
            }
            answered += 1;
            slowest_ns = slowest_ns.max(latency_ns);
            self.input.consume(reply.len_bytes);
            self.awaited.pop_front();
        }
        drop(tally);
        self.board.live.count(answered, errors, slowest_ns);
        if answered > 0 {
            self.reopened = 0;
        }
        if !had_room && answered > 0 {
            self.room_since_ns = now_ns;
        }
        // Bytes that nothing was asked for.
        if is_broken || (self.awaited.is_empty() && !self.input.received().is_empty()) {
            return Err(self.not_a_reply());
        }
        Ok(())
    }

    fn not_a_reply(&self) -> Loss {
        let shown = first(self.input.received(), 100);
        Loss::NotAReply(Printable(shown).to_string())
    }

    /// Counts the lost requests and opens the connection again. Returns whether it is open.
    async fn reopen(&mut self, loss: &Loss) -> bool {
        {
            let mut tally = self.board.tally.borrow_mut();
            tally.errors.lost += self.awaited.len() as u64;
            tally.errors.connections_failed += 1;
            tally
                .errors
                .sample(|| format!("connection to {}: {loss}", self.parts.server));
        }
        self.board.live.count(0, self.awaited.len() as u64 + 1, 0);
        self.awaited.clear();
        self.out.clear();
        self.sent = 0;
        self.input.clear();
        while self.reopened < REOPENS_MAX {
            tokio::select! {
                () = sleep(reopen_gap(self.reopened)) => {}
                () = self.board.woken(self.parts.place, None) => {}
            }
            if self.board.stage() != RunStage::Running {
                return false;
            }
            self.reopened += 1;
            match dial(&self.parts.server).await {
                Ok(stream) => {
                    self.stream = stream;
                    self.room_since_ns = self.board.now_ns();
                    return true;
                }
                Err(error) => {
                    let mut tally = self.board.tally.borrow_mut();
                    tally.errors.connections_failed += 1;
                    tally
                        .errors
                        .sample(|| format!("connection to {}: {error}", self.parts.server));
                }
            }
        }
        self.board.tally.borrow_mut().errors.connections_given_up += 1;
        false
    }
}

/// At most `count` bytes.
fn first(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(..count).unwrap_or(bytes)
}
