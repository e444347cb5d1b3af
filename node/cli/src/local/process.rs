//! One server's process: how it is started, shown and ended.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use herd_crdt::ServerName;
use herd_server::logging::LogFormat;
use herd_server::settings::Setting;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::console::{Console, Prefix};
use super::lines::LineCollector;
use super::news::News;
use super::server_log::ServerLog;

/// How long a server may take to stop before it is killed: longer than it gives itself.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long the last log lines of a server that ended may take.
const LAST_LINES_GRACE: Duration = Duration::from_secs(1);
/// Bytes of a server's log read at a time.
const READ_BYTES: usize = 8 * 1024;

/// A server that runs.
pub(super) struct ServerProcess {
    name: ServerName,
    pid: u32,
    child: Child,
    /// The server stops when this end is closed: when this process ends, however it ends.
    lifeline: Option<ChildStdin>,
    output: Option<ChildStderr>,
}

/// A server that ran.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) name: ServerName,
    pub(super) pid: u32,
    pub(super) status: io::Result<ExitStatus>,
    pub(super) end: End,
}

/// The cause of a server's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing that this process did.
    Itself,
    /// It was told to stop, and did.
    Told,
    /// It was told to stop, did not in time, and was killed.
    Killed,
}

/// Where a server's log lines go.
pub(super) struct Output {
    pub(super) console: Console,
    pub(super) prefix: Prefix,
    pub(super) log: Option<ServerLog>,
    pub(super) format: LogFormat,
    /// Every line is shown, and not only those that a person must know.
    pub(super) shows_all: bool,
    /// Takes the server's name with its news.
    pub(super) news: mpsc::Sender<(ServerName, News)>,
}

impl Output {
    /// Shows a line, or returns it as news for the supervisor.
    fn take(&self, line: &[u8]) -> Option<News> {
        let news = News::read(self.format, line);
        if self.shows_all || news == News::Trouble {
            self.console.log(&self.prefix, line);
        }
        (!matches!(news, News::Trouble | News::Nothing)).then_some(news)
    }
}

/// How servers are told something: all of them, or one with tokens of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct StopOrders {
    /// Servers are told to stop.
    pub(super) told: CancellationToken,
    /// Servers are killed, before or after they were told to stop.
    pub(super) kill: CancellationToken,
    /// Counts how often files were to be opened anew.
    pub(super) reopen: watch::Sender<u64>,
}

impl StopOrders {
    /// Orders for one server, which hears those for all of them too.
    pub(super) fn of_one(&self) -> Self {
        StopOrders {
            told: self.told.child_token(),
            kill: self.kill.child_token(),
            reopen: self.reopen.clone(),
        }
    }
}

impl ServerProcess {
    /// Starts `program` with `arguments` and `secrets`, which are variables. It gets none of this process' other
    /// `HERD_*` variables, since a server takes settings that `herd local` does not. It is no member of this process'
    /// group, so that Ctrl-C reaches this process alone.
    pub(super) fn start(
        name: ServerName,
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        secrets: &[(Setting, String)],
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("HERD_") {
                command.env_remove(variable);
            }
        }
        for (setting, secret) in secrets {
            command.env(setting.variable(), secret);
        }
        let mut child = command.spawn()?;
        Ok(ServerProcess {
            name,
            pid: child.id().unwrap_or_default(),
            lifeline: child.stdin.take(),
            output: child.stderr.take(),
            child,
        })
    }

    /// Shows the server's log lines until it ends, by itself or because of `stop`.
    pub(super) async fn watch(mut self, output: Output, stop: StopOrders) -> Ended {
        let log_lines = self.output.take();
        let copying = async {
            if let Some(log_lines) = log_lines {
                let name = self.name.clone();
                copy(log_lines, name, output, stop.reopen.subscribe()).await;
            }
        };
        tokio::pin!(copying);
        let ending = async {
            let ended = end(&mut self.child, self.pid, &stop).await;
            drop(self.lifeline.take());
            ended
        };
        tokio::pin!(ending);
        let (status, end) = tokio::select! {
            ended = &mut ending => {
                // Waits a moment for the server's last lines.
                let _ = timeout(LAST_LINES_GRACE, copying).await;
                ended
            }
            // A server that closed its output still runs.
            () = &mut copying => ending.await,
        };
        Ended {
            name: self.name.clone(),
            pid: self.pid,
            status,
            end,
        }
    }
}

async fn end(child: &mut Child, pid: u32, stop: &StopOrders) -> (io::Result<ExitStatus>, End) {
    let mut reopen = stop.reopen.subscribe();
    loop {
        tokio::select! {
            status = child.wait() => return (status, End::Itself),
            () = stop.told.cancelled() => break,
            () = stop.kill.cancelled() => {
                signal(pid, Signal::SIGKILL);
                return (child.wait().await, End::Itself);
            }
            Ok(()) = reopen.changed() => signal(pid, Signal::SIGHUP),
        }
    }
    signal(pid, Signal::SIGTERM);
    tokio::select! {
        stopped = timeout(STOP_GRACE, child.wait()) => {
            if let Ok(status) = stopped {
                return (status, End::Told);
            }
        }
        () = stop.kill.cancelled() => {}
    }
    match child.kill().await {
        Ok(()) => (child.wait().await, End::Killed),
        Err(error) => (Err(error), End::Killed),
    }
}

/// The process must not be waited for yet, so that its id cannot be another's.
fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().filter(|&pid| pid > 0) {
        // It may have ended by itself in this moment.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Copies log lines to the console, and as they are to the log file. A log file that fails is given
/// up, with a note.
async fn copy(
    mut log_lines: ChildStderr,
    name: ServerName,
    mut output: Output,
    mut reopen: watch::Receiver<u64>,
) {
    let mut log = output.log.take();
    let console = output.console.clone();
    let mut lines = LineCollector::default();
    let mut buffer = [0; READ_BYTES];
    loop {
        let read = tokio::select! {
            read = log_lines.read(&mut buffer) => read,
            Ok(()) = reopen.changed() => {
                if let Some(Err(error)) = log.as_mut().map(ServerLog::reopen) {
                    console.note(&format!("{error}; the earlier file stays in use"));
                }
                continue;
            }
        };
        let Ok(read @ 1..) = read else { break };
        let bytes = buffer.get(..read).unwrap_or_default();
        let mut all_news = Vec::new();
        lines.push(bytes, |line| all_news.extend(output.take(line)));
        for news in all_news {
            // Nobody hears it when the herd has ended.
            let _ = output.news.send((name.clone(), news)).await;
        }
        if let Some(file) = &mut log
            && let Err(error) = file.append(bytes).await
        {
            console.note(&format!("a log file is given up: {error}"));
            log = None;
        }
    }
    lines.finish(|line| drop(output.take(line)));
}

impl Ended {
    /// How it ended, in words.
    pub(super) fn describe(&self) -> String {
        match &self.status {
            Err(error) => format!("is lost: {error}"),
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with status {code}"),
                (None, Some(number)) => match Signal::try_from(number) {
                    Ok(Signal::SIGKILL) => "was killed".to_owned(),
                    Ok(signal) => format!("was ended by {signal}"),
                    Err(_) => format!("was ended by signal {number}"),
                },
                (None, None) => format!("ended: {status}"),
            },
        }
    }
}
