//! One client's connection: reads, executes in batches, writes.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accept::OpenConnection;
use super::batch::Batch;
use super::codec::{Codec, Protocol};
use super::depth::Depth;
use super::limits::{Pace, Quiet};
use super::replies::Replies;
use super::service::Service;
use super::turn::{Allowance, Executed, Held, InputEnd, Turn};
use super::watching::WatchLane;
use crate::access::AccessSession;
use crate::wire_log::ConnectionLog;
use herd_admission::AddressShare;
use herd_protocol::Foreign;
use herd_tls::TlsFault;

mod due;
mod input;
mod serving;
mod watching;

use due::first_due;

/// After this number of commands of one read, some 50 us of reports, the task yields to connections that have work.
/// The count starts anew with each read, because the system's sockets give all connections a turn.
const COMMANDS_PER_TURN: usize = 128;

/// The replies to this number of commands that came together, or to a search, are sent after the commands of other connections were
/// executed. Then the replies of several connections are sent one right after the other: a client with many
/// connections is woken less often, and there are fewer context switches.
const COMMANDS_BEFORE_OTHERS: usize = 8;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum ConnectionEnd {
    #[error("left replies unread for too long")]
    Unread,
    #[error("did not agree on TLS in time")]
    HandshakeTimedOut,
    #[error(transparent)]
    Tls(#[from] TlsFault),
    #[error("cut off: {0}")]
    Distrusted(TlsFault),
    #[error("was silent for too long")]
    Idle,
    #[error("took too long over a line")]
    HalfLine,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why an exchange came to an end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leg {
    /// All is said.
    Over,
    /// Other threads go on with it.
    Moves,
}

/// Whether the client may still send something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InputState {
    /// More may come.
    Open,
    /// The client closed its side: the rest is a last line.
    Ended,
    /// The server stops: whole lines that were read are executed, nothing else.
    Cut,
    /// The client speaks another protocol: nothing more is executed.
    Foreign,
    /// The client has taken its leave, or a watch has ended the connection: nothing more is executed.
    Over,
}

/// One client's connection.
pub(super) struct Connection {
    service: Arc<Service>,
    peer: SocketAddr,
    /// Its protocol.
    codec: Codec,
    replies: Replies,
    log: Option<ConnectionLog>,
    input: InputState,
    /// Whether the codec may hold commands that were not executed.
    commands_left: bool,
    /// The number of commands executed in this turn of this read.
    turn_commands: usize,
    depth: Depth,
    /// Whether commands are left that may be executed at once, behind a long search.
    is_interrupted: bool,
    /// Whether the threads for connections that send in bulk serve it.
    is_in_bulk: bool,
    /// Whether it waits since the replies of all connections take too much.
    over_budget: bool,
    /// What the client watches. Its lines go out behind all replies to commands before it.
    lane: Option<Box<WatchLane>>,
    /// Since when the client has taken none of the replies that are ready.
    unread_since: Option<Instant>,
    /// How long that may be.
    unread_max: Duration,
    /// When it may be read in any case, if admission control lets it wait.
    may_read_at: Option<Instant>,
    pace: Pace,
    quiet: Quiet,
    /// The rights of its client, if tokens are on.
    session: Option<AccessSession>,
    /// Its place among those that may be open.
    _open: OpenConnection,
}

impl Connection {
    pub(super) fn new(
        service: Arc<Service>,
        protocol: Protocol,
        peer: SocketAddr,
        place: AddressShare,
        open: OpenConnection,
    ) -> Box<Self> {
        let limits = &service.settings.limits;
        // In a box: it is handed on more than once.
        Box::new(Connection {
            pace: Pace::new(limits, Some(place)),
            quiet: Quiet::new(limits, Instant::now()),
            session: service.settings.access.clone().map(AccessSession::new),
            codec: Codec::new(protocol, &service),
            replies: Replies::new(
                service.settings.unanswered_max,
                service.reply_budget.share(),
            ),
            over_budget: false,
            log: service
                .wire_log
                .clone()
                .map(|log| ConnectionLog::new(log, peer, protocol)),
            input: InputState::Open,
            commands_left: false,
            turn_commands: 0,
            depth: Depth::default(),
            is_interrupted: false,
            is_in_bulk: false,
            lane: None,
            unread_since: None,
            may_read_at: None,
            unread_max: service.settings.reply_write_timeout,
            _open: open,
            service,
            peer,
        })
    }

    /// Answers until no command can come any more and all replies are sent, or until other threads are to go on.
    async fn exchange(
        &mut self,
        read_half: &mut (impl AsyncRead + Unpin),
        write_half: &mut (impl AsyncWrite + Unpin),
        shutdown: &CancellationToken,
    ) -> Result<Leg, ConnectionEnd> {
        let mut cancelled = pin!(shutdown.cancelled());
        loop {
            // Before the last read is executed, because that belongs to the other threads.
            if self.is_to_move() {
                return Ok(Leg::Moves);
            }
            self.execute().await;
            if self.is_over() {
                return Ok(Leg::Over);
            }
            let goes_on = std::mem::take(&mut self.is_interrupted);
            if goes_on && self.is_to_move() {
                return Ok(Leg::Moves);
            }
            let has_ready = self.replies.has_ready();
            let has_later = self.replies.has_later();
            let reading = self.input == InputState::Open && !self.commands_left;
            if !has_ready {
                self.unread_since = None;
            }
            let may_arrive = has_later && self.replies.may_arrive();
            let watch_awaits = self.watch_awaits();
            let may_stop = self.may_stop();
            let dues = self.dues(reading, has_ready || has_later);
            let is_unread = has_ready.then_some((&mut self.unread_since, self.unread_max));
            if reading && !has_ready && !has_later && !self.is_in_bulk {
                self.replies.rest();
            }
            let into = (self.codec.buffer(), self.is_in_bulk);
            let (ready, later) = self.replies.parts();
            tokio::select! {
                biased;
                () = &mut cancelled, if may_stop => self.stop(),
                written = write_half.write(ready), if has_ready => {
                    self.unread_since = None;
                    self.written(written?);
                }
                Some(reply) = later.next(), if may_arrive => {
                    self.replies.arrived(reply);
                    self.take_arrived();
                }
                read = input::read(&self.service, &self.pace, into, &mut self.may_read_at, read_half), if reading => {
                    self.read(read?);
                }
                awaited = watching::ready(&mut self.lane, watch_awaits) => self.watch_goes_on(awaited),
                () = yield_now(), if goes_on => {}
                due = first_due(is_unread, dues) => self.act_on(due)?,
            }
        }
    }

    fn is_over(&self) -> bool {
        let is_said = self.replies.is_empty() && self.lane.is_none();
        self.input != InputState::Open && !self.commands_left && is_said
    }

    /// Whether commands are left that wait for nothing.
    fn may_go_on(&self) -> bool {
        let waits = self.pace.paused_until().is_some() || self.lane.is_some();
        self.commands_left && self.replies.has_room() && !waits
    }

    /// Whether the threads that it is not on are the ones for it.
    fn is_to_move(&self) -> bool {
        let open = self.input == InputState::Open && self.service.settings.bulk.is_some();
        open && self.depth.is_deep() != self.is_in_bulk
    }

    /// Executes the commands that were read, in turns, as far as there is room for replies, which go out when it
    /// returns: a client that sends much at a time gets much at a time.
    async fn execute(&mut self) {
        // Includes the work of other connections between turns, which is a part of the duration of commands.
        let begin = Instant::now();
        let mut commands = 0;
        while self.commands_left && self.replies.has_room() {
            if self.turn_commands >= COMMANDS_PER_TURN {
                self.turn_commands = 0;
                yield_now().await;
            }
            commands += self.execute_commands(begin);
            if self.turn_commands < COMMANDS_PER_TURN {
                break;
            }
            let searched_long = self.depth.take_searched_long();
            if self.commands_left {
                self.depth.outlasted_turn();
            }
            if searched_long || self.is_to_move() {
                // Other threads may be the ones for it now, and its client may be gone.
                self.is_interrupted = self.may_go_on();
                break;
            }
        }
        let over_budget = self.commands_left && self.replies.is_over_budget();
        if over_budget && !self.over_budget {
            let pauses = &self.service.statistics.limits.pauses_replies;
            pauses.fetch_add(1, Ordering::Relaxed);
        }
        self.over_budget = over_budget;
        if commands >= COMMANDS_BEFORE_OTHERS && self.replies.has_ready() {
            self.turn_commands = 0;
            yield_now().await;
        }
    }

    /// Executes commands that were read before `begin`, as far as there is room for replies, and until the turn is
    /// over; returns the number of commands that they took as long as.
    fn execute_commands(&mut self, begin: Instant) -> usize {
        let now_ns = self.service.clock.now_ns();
        if let Some(log) = &mut self.log {
            log.begin(now_ns);
        }
        let allowance = Allowance {
            by_pace: self.pace.left(),
            in_turn: COMMANDS_PER_TURN.saturating_sub(self.turn_commands),
        };
        let reports = self.service.operations.begin_batch(now_ns);
        let mut turn = Turn {
            batch: Batch::new(reports, self.peer.ip()),
            service: &self.service,
            replies: &mut self.replies,
            depth: &mut self.depth,
            lane: &mut self.lane,
            begin,
            allowance,
            held: Held::default(),
            commands: 0,
        };
        let has_ended = self.input == InputState::Ended;
        let (session, log) = (self.session.as_mut(), &mut self.log);
        let executed = self.codec.execute(&mut turn, session, log, has_ended);
        let commands = turn.finish();
        self.turn_commands += commands;
        self.executed(executed, executed.read >= allowance.by_pace, commands);
        match executed.end {
            Some(InputEnd::Foreign(foreign)) => self.refuse(foreign),
            Some(InputEnd::Over) => {
                self.input = InputState::Over;
                self.commands_left = false;
            }
            None => {}
        }
        self.log_replies();
        commands
    }

    /// Notes the executed commands, perhaps all that may be executed now.
    fn executed(&mut self, executed: Executed, are_all_allowed: bool, commands: usize) {
        let is_inside_command = self.codec.is_inside_command();
        if executed.is_all || !is_inside_command {
            self.commands_left = false;
        }
        let exhausted = self.commands_left && are_all_allowed;
        let limits = &self.service.statistics.limits;
        self.pace.asked(commands);
        self.pace.executed(executed.read, exhausted, limits);
        self.quiet.noted_lines(executed.read > 0, is_inside_command);
    }

    /// Nothing that follows is executed: a web page could have written it.
    fn refuse(&mut self, foreign: Foreign) {
        self.input = InputState::Foreign;
        self.commands_left = false;
        self.lane = None;
        serving::note_foreign(&self.service, self.peer, foreign);
    }

    /// Takes the replies that have arrived behind the first one, so that they go out together.
    fn take_arrived(&mut self) {
        while self.replies.may_arrive()
            && let Some(Some(reply)) = self.replies.parts().1.next().now_or_never()
        {
            self.replies.arrived(reply);
        }
        if let Some(log) = &mut self.log {
            log.begin(self.service.clock.now_ns());
        }
        self.log_replies();
    }

    fn log_replies(&mut self) {
        if let Some(log) = &mut self.log {
            log.lines_out(self.replies.take_unlogged());
            log.hand_over();
        }
    }

    fn written(&mut self, bytes: usize) {
        self.quiet.moved();
        self.replies.sent(bytes);
        let written = &self.service.statistics.bytes_written;
        written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn read(&mut self, bytes: usize) {
        self.depth.read(bytes);
        self.turn_commands = 0;
        self.quiet.moved();
        self.commands_left = true;
        if bytes == 0 {
            self.input = InputState::Ended;
        }
        let read = &self.service.statistics.bytes_read;
        read.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
