//! One server of a herd.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use nix::sys::signal::Signal;

use crate::binary;
use crate::log::Log;
use crate::loopback::{Addresses, free_addresses};
use crate::patience::eventually;
use crate::process::Process;

/// The exit status of a server whose port is taken.
const PORT_TAKEN: i32 = 69;

/// Why a link was lost over which nothing came, on that side and on the other.
const SILENCE: [&str; 2] = ["nothing heard for ", "closed by the other side"];

/// A server: its addresses and its log stay, its process comes and goes.
#[derive(Debug)]
pub struct Server {
    name: String,
    addresses: Addresses,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    wire_log: PathBuf,
    data_folder: PathBuf,
    log: Log,
    process: Option<Process>,
    /// How its last process ended, if it ended by itself.
    ended: Option<ExitStatus>,
    /// The end of the log when the process was started.
    started_at: usize,
    is_stopped: bool,
    /// The limit of open files of its process, if it is not the limit of this test.
    open_files_max: Option<usize>,
}

impl Server {
    /// A server that was not started yet. `topology` is the file that it reads.
    pub(crate) fn new(
        name: &str,
        addresses: Addresses,
        topology: &Path,
        folder: &Path,
        (data_folder, keeps_data): (&Path, bool),
        more_arguments: &[String],
    ) -> Server {
        let wire_log = folder.join(format!("{name}.wire.log"));
        let mut arguments = vec![
            "serve".to_owned(),
            "--stop-on-stdin-eof".to_owned(),
            format!("--name={name}"),
            format!("--topology={}", topology.display()),
            format!("--wire-log={}", wire_log.display()),
            "--drain-delay=0".to_owned(),
        ];
        arguments.push(if keeps_data {
            format!("--data-dir={}", data_folder.display())
        } else {
            "--ephemeral".to_owned()
        });
        arguments.extend_from_slice(more_arguments);
        // A test that waits for a reply has more patience than a client, with the disk of a busy machine too.
        if !arguments
            .iter()
            .any(|argument| argument.starts_with("--ack-timeout="))
        {
            arguments.push("--ack-timeout=30s".to_owned());
        }
        Server {
            name: name.to_owned(),
            addresses,
            arguments,
            environment: Vec::new(),
            wire_log,
            data_folder: data_folder.to_owned(),
            log: Log::new(folder.join(format!("{name}.log"))),
            process: None,
            ended: None,
            started_at: 0,
            is_stopped: false,
            open_files_max: None,
        }
    }

    /// Bounds the files that the server may have open, from its next start on.
    pub fn set_open_files_max(&mut self, max: usize) {
        self.open_files_max = Some(max);
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients connect.
    pub fn client_address(&self) -> SocketAddr {
        self.addresses.client
    }

    /// Where its neighbours connect.
    pub fn peer_address(&self) -> SocketAddr {
        self.addresses.peer
    }

    /// All its addresses.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Gives it other addresses, from its next start on: it moves to another machine. Topology files
    /// that are to have them must be written again.
    pub fn readdress(&mut self) {
        if self.is_running() {
            panic!("{} runs", self.name);
        }
        if let [addresses] = free_addresses(1)[..] {
            self.addresses = addresses;
        }
    }

    /// The output of its processes.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The file with every line in and out.
    pub fn wire_log(&self) -> Log {
        Log::new(&self.wire_log)
    }

    /// Its folder for data, if the herd was built with [`crate::HerdBuilder::on_disk`].
    pub fn data_folder(&self) -> &Path {
        &self.data_folder
    }

    /// Replaces its disk by an empty one. It must not run.
    pub fn wipe(&mut self) {
        if self.is_running() {
            panic!("{} runs", self.name);
        }
        match std::fs::remove_dir_all(&self.data_folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                panic!("cannot empty the disk of {}: {error}", self.name);
            }
            _ => {}
        }
    }

    /// The output of the current process.
    pub fn log_since_start(&self) -> String {
        self.log.since(self.started_at)
    }

    /// The arguments of its process.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Starts a process, with nothing in memory, and does not wait for it.
    pub fn start(&mut self) {
        if self.is_running() {
            panic!("{} runs", self.name);
        }
        self.started_at = self.log.end();
        let (environment, arguments, log) = (&self.environment, &self.arguments, &self.log);
        self.process = Some(match self.open_files_max {
            Some(max) => Process::start_with_files(max, environment, arguments, log),
            None => Process::start_in(environment, arguments, log),
        });
        self.ended = None;
        self.is_stopped = false;
    }

    /// Variables of the environment in which its processes run from the next start on.
    pub fn set_environment(&mut self, variables: &[(String, String)]) {
        self.environment = variables.to_vec();
    }

    /// The lines of its map, as `herd dump` prints them, without the last. The herd must be
    /// [`crate::HerdBuilder::controlled`].
    ///
    /// # Errors
    /// The message of the command if it fails.
    pub async fn dump(&self) -> Result<Vec<Vec<u8>>, String> {
        let dumped = self.control("dump", None).await?;
        let lines = dumped.split(|&byte| byte == b'\n');
        let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
        // Behind `END count` and its LF is nothing.
        match (lines.pop().as_deref(), lines.pop()) {
            (Some(b""), Some(end)) if end.starts_with(b"END ") => Ok(lines),
            _ => Err(format!("the dump of {} has no end", self.name)),
        }
    }

    /// Takes in the lines of a file, as `herd load` does. The herd must be [`crate::HerdBuilder::controlled`].
    ///
    /// # Errors
    /// The message of the command if it fails.
    pub async fn load(&self, file: &Path) -> Result<(), String> {
        self.control("load", Some(file)).await.map(|_| ())
    }

    /// What a command says that talks to the control socket.
    async fn control(&self, command: &str, file: Option<&Path>) -> Result<Vec<u8>, String> {
        let socket = self
            .arguments
            .iter()
            .find(|argument| argument.starts_with("--control-socket="));
        let output = tokio::process::Command::new(binary::herd())
            .arg(command)
            .args(socket)
            .args(file)
            .output()
            .await
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Replaces the argument of the same flag, from the next start on.
    pub fn set_argument(&mut self, argument: &str) {
        let flag = argument.split('=').next();
        self.arguments
            .retain(|known| known.split('=').next() != flag);
        self.arguments.push(argument.to_owned());
    }

    /// Takes the argument of this flag away, from the next start on.
    pub fn remove_argument(&mut self, flag: &str) {
        self.arguments
            .retain(|known| known.split('=').next() != Some(flag));
    }

    /// Runs a process to its end with other arguments in place of those of the same flags;
    /// `--ephemeral` takes the place of `--data-dir`. The next start has the old ones again.
    pub async fn run_with(&mut self, arguments: &[String]) -> ExitStatus {
        let flag = |argument: &str| match argument.split('=').next() {
            Some("--ephemeral") => "--data-dir".to_owned(),
            flag => flag.unwrap_or_default().to_owned(),
        };
        let replaced: Vec<String> = arguments.iter().map(|a| flag(a)).collect();
        let mut all = self.arguments.clone();
        all.retain(|argument| !replaced.contains(&flag(argument)));
        all.extend_from_slice(arguments);
        let usual = std::mem::replace(&mut self.arguments, all);
        self.start();
        self.arguments = usual;
        self.ended().await
    }

    /// Starts a process, and waits until it listens.
    pub async fn restart(&mut self) {
        self.start();
        if !self.try_listening().await {
            panic!("{} did not start:\n{}", self.name, self.log_since_start());
        }
    }

    /// Waits until it listens; `false` if one of its ports was taken.
    pub async fn try_listening(&mut self) -> bool {
        let what = format!("{} listens", self.name);
        eventually(what, async || {
            self.log_since_start().contains(" listening ") || !self.is_running()
        })
        .await;
        match self.ended {
            None => true,
            Some(status) if status.code() == Some(PORT_TAKEN) => false,
            Some(status) => panic!("{} ended: {status}", self.name),
        }
    }

    /// Whether it has a process, stopped or not.
    pub fn is_running(&mut self) -> bool {
        if let Some(process) = &mut self.process {
            self.ended = process.status();
            if self.ended.is_some() {
                self.process = None;
            }
        }
        self.process.is_some()
    }

    /// Its process; fails the test if there is none.
    pub fn process(&mut self) -> &mut Process {
        if !self.is_running() {
            panic!("{} does not run", self.name);
        }
        match &mut self.process {
            Some(process) => process,
            None => unreachable!("it runs"),
        }
    }

    /// How its last process ended, if that was by itself.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        if self.is_running() { None } else { self.ended }
    }

    /// Kills it as a power failure would, if it runs.
    pub fn kill(&mut self) {
        self.process = None;
        self.ended = None;
    }

    /// SIGSTOP: it keeps its connections and does nothing until [`Server::resume`].
    pub fn stop(&mut self) {
        self.process().signal(Signal::SIGSTOP);
        self.is_stopped = true;
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.process().signal(Signal::SIGCONT);
        self.is_stopped = false;
    }

    /// SIGTERM; returns how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.process().terminate();
        self.ended().await
    }

    /// Waits until its process has ended by itself; returns how.
    pub async fn ended(&mut self) -> ExitStatus {
        if let (false, Some(status)) = (self.is_running(), self.ended) {
            return status;
        }
        let status = self.process().ended().await;
        self.process = None;
        self.ended = Some(status);
        status
    }

    /// The names of the servers that its process has links to, as its log has it.
    pub fn links(&self) -> Vec<String> {
        let mut open: BTreeMap<String, i32> = BTreeMap::new();
        for line in self.log_since_start().lines() {
            for (text, change) in [("link made", 1), ("link lost", -1)] {
                let Some((_, after)) = line.split_once(&format!(": {text} neighbour=")) else {
                    continue;
                };
                if let Some(name) = after.split(' ').next() {
                    *open.entry(name.to_owned()).or_default() += change;
                }
            }
        }
        let open = open.into_iter().filter(|(_, count)| *count > 0);
        open.map(|(name, _)| name).collect()
    }

    /// The lines after `mark` in its log that tell of a lost link, but for those of neighbours of which one heard
    /// nothing of the other for too long: that is how it is when the machine stands still for some seconds.
    pub fn links_lost(&self, mark: usize) -> Vec<String> {
        let mut lost = self.log.lines_with(mark, &["link lost"]);
        lost.retain(|line| !SILENCE.iter().any(|reason| line.contains(reason)));
        lost
    }

    /// Its state, and its last lines.
    pub(crate) fn state(&mut self, lines: usize) -> String {
        let state = match (self.is_running(), self.is_stopped, self.ended) {
            (true, false, _) => "runs".to_owned(),
            (true, true, _) => "is stopped".to_owned(),
            (false, _, Some(status)) => format!("ended by itself: {status}"),
            (false, _, None) => "does not run".to_owned(),
        };
        let links = self.links().join(", ");
        let tail = self.log.tail(lines);
        format!("{} {state}, links: {links}\n{tail}\n", self.name)
    }
}
