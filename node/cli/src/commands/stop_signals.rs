//! SIGTERM, SIGINT and SIGHUP. A platform that sends clients here uses the first, a person at a terminal the second.
//!
//! The third comes when a terminal is closed, or from a tool that rotates log files. So it stops a process that was
//! started at a terminal, and makes every other server reopen its files.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// A signal that tells to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopSignal {
    Terminate,
    Interrupt,
    /// The terminal was closed.
    Hangup,
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopSignal::Terminate => "SIGTERM",
            StopSignal::Interrupt => "SIGINT",
            StopSignal::Hangup => "SIGHUP",
        })
    }
}

/// The signals. From the moment this exists, none that it listens for ends the process by itself.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
    /// Whether a hang-up is the end of the terminal at which this process was started.
    at_terminal: bool,
    /// Whether it was told to stop already.
    told: bool,
    reopen: Arc<Notify>,
}

impl StopSignals {
    /// For a command. Must run inside a tokio runtime. Without a terminal SIGHUP keeps its earlier effect: under
    /// `nohup` it is ignored.
    pub(super) fn install() -> io::Result<Self> {
        let at_terminal = is_at_terminal();
        Self::with_hangup(at_terminal, at_terminal)
    }

    /// For commands that run servers: without a terminal SIGHUP makes them reopen their files. Must run inside a
    /// tokio runtime.
    pub(super) fn install_for_servers() -> io::Result<Self> {
        Self::with_hangup(true, is_at_terminal())
    }

    fn with_hangup(listens: bool, at_terminal: bool) -> io::Result<Self> {
        Ok(StopSignals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: listens.then(|| signal(SignalKind::hangup())).transpose()?,
            at_terminal,
            told: false,
            reopen: Arc::default(),
        })
    }

    /// Is notified while [`StopSignals::next`] is waited for, when files are to be opened anew.
    pub(super) fn reopen(&self) -> Arc<Notify> {
        self.reopen.clone()
    }

    /// The next signal that tells to stop. Cancel-safe. A hang-up that follows another of them is passed over: a terminal
    /// that is closed is told by the shell and by the system, and that is no demand to end at once.
    pub(super) async fn next(&mut self) -> StopSignal {
        loop {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let signal = tokio::select! {
                _ = self.terminate.recv() => StopSignal::Terminate,
                _ = self.interrupt.recv() => StopSignal::Interrupt,
                _ = hangup => StopSignal::Hangup,
            };
            match signal {
                StopSignal::Hangup if !self.at_terminal => self.reopen.notify_one(),
                StopSignal::Hangup if self.told => {}
                _ => {
                    self.told = true;
                    return signal;
                }
            }
        }
    }
}

/// Whether somebody started this process at a terminal, be it in the background. `nohup` and service managers leave
/// none of the three.
fn is_at_terminal() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()
}
