//! One process of the program, which does not outlive its test.

use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::log::Log;
use crate::patience::eventually;

/// A running process, killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Held open: `herd serve --stop-on-stdin-eof` ends when this test's process does, however that
    /// happens.
    _stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts the `herd` program with `arguments`, without the `HERD_*` variables of the test's environment; its
    /// output goes to `log`.
    pub fn start(arguments: &[String], log: &Log) -> Process {
        Process::start_in(&[], arguments, log)
    }

    /// The same, with more variables in its environment.
    pub fn start_in(environment: &[(String, String)], arguments: &[String], log: &Log) -> Process {
        let command = Command::new(crate::binary::herd());
        Process::run(command, environment, arguments, log)
    }

    /// The same where no more than this many files may be open.
    pub fn start_with_files(
        open_max: usize,
        environment: &[(String, String)],
        arguments: &[String],
        log: &Log,
    ) -> Process {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("ulimit -n {open_max}; exec \"$0\" \"$@\"")])
            .arg(crate::binary::herd());
        Process::run(shell, environment, arguments, log)
    }

    fn run(
        mut command: Command,
        environment: &[(String, String)],
        arguments: &[String],
        log: &Log,
    ) -> Process {
        command.args(arguments).stdin(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HERD_") {
                command.env_remove(name);
            }
        }
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let started = log.append().and_then(|stdout| {
            let stderr = stdout.try_clone()?;
            command.stdout(stdout).stderr(stderr).spawn()
        });
        match started {
            Ok(mut child) => Process {
                _stdin: child.stdin.take(),
                child,
            },
            Err(error) => panic!("cannot start {command:?}: {error}"),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; `None` while it runs.
    pub fn status(&mut self) -> Option<ExitStatus> {
        match self.child.try_wait() {
            Ok(status) => status,
            Err(error) => panic!("cannot ask after process {}: {error}", self.id()),
        }
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        // Until the process was waited for, no other process gets its id.
        if self.status().is_some() {
            panic!("process {} has ended and gets no {signal}", self.id());
        }
        let sent = i32::try_from(self.id()).map(|id| kill(Pid::from_raw(id), signal));
        if !matches!(sent, Ok(Ok(()))) {
            panic!("cannot send {signal} to process {}: {sent:?}", self.id());
        }
    }

    /// Sends it SIGTERM, and does not wait.
    pub fn terminate(&mut self) {
        self.signal(Signal::SIGTERM);
    }

    /// The ids of the processes that it has started and that still run, in the order of their start.
    pub fn children(&mut self) -> Vec<Pid> {
        let id = self.id();
        let path = format!("/proc/{id}/task/{id}/children");
        match std::fs::read_to_string(&path) {
            Ok(ids) => ids
                .split_whitespace()
                .filter_map(|id| id.parse().ok().map(Pid::from_raw))
                .collect(),
            Err(error) => panic!("cannot read {path}: {error}"),
        }
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually(format!("process {} ends", self.id()), async || {
            status = self.status();
            status.is_some()
        })
        .await;
        status.unwrap_or_default()
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        // Fails only if it has ended; SIGKILL works on a stopped process too.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // libfaketime shares a clock among a process and its children, and a killed process leaves that behind.
        for left_behind in ["faketime_shm_", "sem.faketime_sem_"] {
            let path = format!("/dev/shm/{left_behind}{}", self.child.id());
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
