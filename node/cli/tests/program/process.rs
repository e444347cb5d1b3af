//! `herd` processes for tests: their output is collected, and none outlives its test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Longer than anything in these tests takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// A process of `herd` in a folder of its own.
pub(crate) struct Herd {
    child: Child,
    stdin: Option<ChildStdin>,
    folder: Arc<tempfile::TempDir>,
    output: Arc<Mutex<String>>,
    grown: watch::Receiver<()>,
    readers: Vec<JoinHandle<()>>,
}

/// How to start one.
pub(crate) struct Start {
    command: Command,
    folder: Arc<tempfile::TempDir>,
}

/// `herd` with these arguments, and without the variables of the test's own environment.
pub(crate) fn herd(arguments: &[&str]) -> Start {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut command = command(env!("CARGO_BIN_EXE_herd"));
    command
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Start { command, folder }
}

/// A command that ends with its test, and does not see the `HERD_*` variables of the test's environment, which a
/// server would take for its settings.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HERD_") {
            command.env_remove(name);
        }
    }
    command
}

impl Start {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs the process in this folder instead of one of its own.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives the process another standard error.
    pub(crate) fn with_stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// Gives the process a pipe as standard input, held open.
    pub(crate) fn with_pipe(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// The folder in which the process runs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start(mut self) -> Herd {
        let mut child = self.command.spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let (note, grown) = watch::channel(());
        let stdout = child.stdout.take().unwrap();
        let mut readers = vec![tokio::spawn(collect(stdout, output.clone(), note.clone()))];
        if let Some(stderr) = child.stderr.take() {
            readers.push(tokio::spawn(collect(stderr, output.clone(), note)));
        }
        Herd {
            stdin: child.stdin.take(),
            child,
            folder: self.folder,
            output,
            grown,
            readers,
        }
    }

    /// Runs to the end: exit code, and everything said.
    pub(crate) async fn run(self) -> (i32, String) {
        self.start().end().await
    }
}

async fn collect(
    from: impl AsyncRead + Unpin,
    output: Arc<Mutex<String>>,
    note: watch::Sender<()>,
) {
    let mut from = BufReader::new(from);
    let mut line = String::new();
    while from.read_line(&mut line).await.unwrap() > 0 {
        output.lock().push_str(&line);
        line.clear();
        note.send_replace(());
    }
}

impl Herd {
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything said so far, on standard output and error.
    pub(crate) fn output(&self) -> String {
        self.output.lock().clone()
    }

    /// Waits until `text` was said.
    pub(crate) async fn wait_for(&mut self, text: &str) {
        let said = async {
            while !self.output.lock().contains(text) {
                self.grown.changed().await.unwrap_or_else(|_| {
                    panic!("ended without saying {text:?}:\n{}", self.output.lock())
                });
            }
        };
        let said = timeout(PATIENCE, said).await;
        assert!(said.is_ok(), "did not say {text:?}:\n{}", self.output());
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().unwrap().try_into().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Writes to the pipe of [`Start::with_pipe`].
    pub(crate) async fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).await.unwrap();
    }

    pub(crate) fn close_stdin(&mut self) {
        drop(self.stdin.take());
    }

    /// Waits for the end: exit code, or the negative number of the signal, and everything said.
    pub(crate) async fn end(mut self) -> (i32, String) {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("runs on:\n{}", self.output()));
        for reader in self.readers.drain(..) {
            let _ = timeout(PATIENCE, reader).await.unwrap();
        }
        let status = status.unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        let code = status.code().unwrap_or_else(|| -signal.unwrap());
        (code, self.output())
    }

    /// The processes that this one started and that still run.
    pub(crate) fn children(&self) -> Vec<i32> {
        let pid = self.pid();
        let path = PathBuf::from(format!("/proc/{pid}/task/{pid}/children"));
        let children = std::fs::read_to_string(path).unwrap();
        children
            .split_whitespace()
            .map(|child| child.parse().unwrap())
            .collect()
    }
}

/// Whether a process runs; one that only waits to be reaped does not.
fn runs(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit(')').next().unwrap().split_whitespace().next();
    state != Some("Z")
}

/// Waits until none of these processes runs.
pub(crate) async fn wait_until_gone(pids: &[i32]) {
    let gone = timeout(PATIENCE, async {
        while pids.iter().any(|&pid| runs(pid)) {
            sleep(POLL).await;
        }
    });
    assert!(gone.await.is_ok(), "some of {pids:?} run on");
}

/// The first of `count` ports, at most 20, that are free now, below those that the system gives
/// out. No two calls of this process get the same.
pub(crate) fn free_ports(count: u16) -> u16 {
    const FIRST: u16 = 16_000;
    const RANGES: u16 = 750;
    const RANGE: u16 = 20;
    static START: LazyLock<u16> = LazyLock::new(|| rand::random_range(0..RANGES));
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let range = (*START + NEXT.fetch_add(1, Ordering::Relaxed)) % RANGES;
        let base = FIRST + range * RANGE;
        let bound: Vec<_> = (base..base + count)
            .map_while(|port| TcpListener::bind(("127.0.0.1", port)).ok())
            .collect();
        if bound.len() == usize::from(count) {
            return base;
        }
    }
}

/// The answer of `/healthz` at a port of this machine.
pub(crate) async fn healthz(port: u16) -> String {
    get(port, "/healthz").await
}

/// The answer of `/metrics` at a port of this machine, without the label that every figure has: the name of the herd.
pub(crate) async fn metrics(port: u16) -> String {
    let answer = get(port, "/metrics").await;
    let lines = answer.lines().map(|line| {
        let Some((before, rest)) = line.split_once("{cluster=\"") else {
            return format!("{line}\n");
        };
        let (_, labels) = rest.split_once('"').unwrap();
        match labels.strip_prefix(',') {
            Some(labels) => format!("{before}{{{labels}\n"),
            None => format!("{before}{}\n", labels.strip_prefix('}').unwrap()),
        }
    });
    lines.collect()
}

/// The answer of a path at a port of this machine.
pub(crate) async fn get(port: u16, path: &str) -> String {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    };
    timeout(PATIENCE, ask).await.expect("no reply over HTTP")
}
