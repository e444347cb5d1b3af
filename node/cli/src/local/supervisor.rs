//! Starts the servers of a herd, watches them, and ends them.

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use super::console::{Console, Prefix};
use super::data_dir::DataDir;
use super::process::{End, Ended, Output, ServerProcess, StopOrders};
use super::server_log::ServerLog;
use super::{LocalError, ports, shell, welcome};
use crate::exit_code;
use herd_server::config::{LocalSettings, MadeFrom};
use herd_server::listeners::Listen;
use herd_server::logging::LogFormat;
use herd_server::settings::Setting;
use herd_topology::{Host, HostPort, Server};

/// How long servers may take to answer before the herd is shown anyway, with a note.
const READY_GRACE: Duration = Duration::from_secs(10);
/// The pause between two looks at a server that does not answer yet.
const READY_POLL: Duration = Duration::from_millis(20);
/// How long one look may take.
const READY_CONNECT: Duration = Duration::from_secs(1);

/// Exit statuses of a server that found at its start that it cannot run.
const NEVER_STARTED: [i32; 2] = [exit_code::USAGE as i32, exit_code::UNAVAILABLE as i32];

/// The settings of a herd on this machine.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Servers are to stop.
    pub stop: CancellationToken,
    /// Cancelled after `stop`: servers are to end at once.
    pub kill: CancellationToken,
    /// Files that are written to were moved away, and are to be opened anew.
    pub reopen: Arc<Notify>,
}

/// Runs a herd of processes of `program` until `orders` stop it or no server is left. A server
/// that dies is reported and not started again. When this returns, no process of the herd runs.
///
/// # Errors
/// See [`LocalError`].
pub async fn run(
    settings: LocalSettings,
    program: &Path,
    orders: Orders,
) -> Result<(), LocalError> {
    ports::check(&settings.topology.topology, &settings.resp_listen)?;
    let data_dir = match &settings.durability.data_dir {
        Some(path) => Some(DataDir::open(path, &settings.topology.topology)?),
        None => None,
    };
    let folder = data_dir.as_ref().map(DataDir::certificates);
    let certificates = Certificates::make(&settings.topology.topology, folder)?;
    let (console, writing) = Console::start().map_err(LocalError::Console)?;
    // Servers stop for the user's sake, or because one of them could not start.
    let stop = StopOrders {
        told: orders.stop.child_token(),
        kill: orders.kill,
        reopen: watch::Sender::default(),
    };
    let mut herd = HerdProcesses {
        settings,
        program: program.to_owned(),
        data_dir,
        certificates,
        console,
        stop,
        servers: JoinSet::new(),
        killed: Vec::new(),
    };
    let started = herd.start();
    if started.is_err() {
        herd.stop.told.cancel();
    }
    let ended = herd.supervise(&orders.reopen).await;
    drop(herd);
    writing.finish().await;
    started.and(ended)
}

struct HerdProcesses {
    settings: LocalSettings,
    program: PathBuf,
    data_dir: Option<DataDir>,
    certificates: Certificates,
    console: Console,
    stop: StopOrders,
    servers: JoinSet<Ended>,
    /// Servers that did not stop when told to.
    killed: Vec<String>,
}

impl HerdProcesses {
    fn start(&mut self) -> Result<(), LocalError> {
        let topology = self.settings.topology.topology.clone();
        let width = topology
            .servers()
            .iter()
            .map(|server| server.name.len())
            .max()
            .unwrap_or(0);
        let colours = io::stderr().is_terminal();
        for (place, server) in topology.servers().iter().enumerate() {
            let log = match &self.data_dir {
                Some(folder) => Some(ServerLog::open(folder.log(&server.name))?),
                None => None,
            };
            let prefix = match self.settings.values.log_format {
                LogFormat::Text => Prefix::new(&server.name, width, place, colours),
                LogFormat::Json => Prefix::none(),
            };
            let output = Output {
                console: self.console.clone(),
                prefix,
                log,
            };
            let mut arguments = self.arguments(&server.name);
            arguments.push("--stop-on-stdin-eof".into());
            // Nothing sends clients elsewhere when the whole herd stops.
            arguments.push(format!("{}=0", Setting::DrainDelay.flag()));
            let secrets = self.settings.secrets.iter();
            let secrets = secrets.map(|(setting, text)| (*setting, text.reveal().to_owned()));
            let certificate = self.certificates.variable(&server.name);
            let secrets: Vec<(Setting, String)> = secrets.chain(certificate).collect();
            let process =
                ServerProcess::start(server.name.clone(), &self.program, arguments, &secrets);
            let process = process.map_err(|source| LocalError::Spawn {
                server: server.name.clone(),
                source,
            })?;
            self.servers.spawn(process.watch(output, self.stop.clone()));
        }
        Ok(())
    }

    /// The arguments to run `server`.
    fn arguments(&self, server: &str) -> Vec<String> {
        let mut arguments = vec!["serve".to_owned()];
        let mut set = |setting: Setting, value: String| {
            // One word each, so that a value that starts with a dash is none of the flags.
            arguments.push(format!("{}={value}", setting.flag()));
        };
        set(Setting::Name, server.to_owned());
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        match (&self.data_dir, &self.settings.topology.made_from) {
            (Some(folder), _) => set(Setting::Topology, text(folder.topology())),
            (None, MadeFrom::File(file)) => set(Setting::Topology, text(file.clone())),
            (None, MadeFrom::Builtin(bases)) => {
                set(Setting::ClientPortBase, bases.client().to_string());
                set(Setting::HttpPortBase, bases.http().to_string());
                set(Setting::PeerPortBase, bases.peer().to_string());
            }
        }
        if let Some(folder) = &self.data_dir {
            set(Setting::WireLog, text(folder.wire_log(server)));
            set(Setting::DataDir, text(folder.of_server(server)));
        } else {
            set(Setting::Ephemeral, "true".to_owned());
        }
        if let Some(server) = self.settings.topology.topology.server(server) {
            let http = http_listen(&server.http);
            set(Setting::HttpListen, http.to_string());
            let shows_locations = self.shows_locations(http);
            set(Setting::HttpLocations, shows_locations.to_string());
        }
        let servers = self.settings.topology.topology.servers().iter();
        let mut listens = servers.zip(&self.settings.resp_listen);
        if let Some((_, resp)) = listens.find(|(known, _)| *known.name == *server) {
            set(Setting::RespListen, resp.to_string());
        }
        if let Some((setting, folder)) = self.certificates.argument() {
            set(setting, folder);
        }
        for (setting, text) in &self.settings.passed_on {
            set(*setting, text.clone());
        }
        arguments
    }

    /// Whether a server whose HTTP listens there shows locations.
    fn shows_locations(&self, http: SocketAddr) -> bool {
        // A client on loopback is on this machine, as the user of the herd is.
        let said = self.settings.values.http_locations;
        said.unwrap_or(http.ip().is_loopback())
    }

    /// Reports events until no server is left.
    async fn supervise(&mut self, reopen: &Notify) -> Result<(), LocalError> {
        let topology = self.settings.topology.topology.clone();
        let mut ready = pin!(wait_until_ready(topology.servers()));
        let mut welcomed = false;
        let mut not_started = None;
        loop {
            let stopping = self.stop.told.is_cancelled();
            tokio::select! {
                ended = self.servers.join_next() => match ended {
                    None => break,
                    Some(Ok(ended)) => not_started = self.note_end(ended).or(not_started),
                    // The process went with its task.
                    Some(Err(error)) => self.console.note(&format!("BUG: lost a server: {error}")),
                },
                () = reopen.notified() => self.stop.reopen.send_modify(|times| *times += 1),
                silent = &mut ready, if !welcomed && !stopping => {
                    welcomed = true;
                    let folder = self.data_dir.as_ref().map(DataDir::path);
                    let program = shell::command_line([&*self.program.to_string_lossy()]);
                    let shows_page = |server: &Server| self.shows_locations(http_listen(&server.http));
                    let resp = self.settings.resp_listen.first();
                    let text = welcome::text(&topology, folder, (&program, resp.copied()), shows_page);
                    self.console.say(text);
                    for name in silent {
                        self.console.note(&format!("{name} does not answer yet"));
                    }
                }
            }
        }
        if let Some(error) = not_started {
            return Err(error);
        }
        if self.stop.kill.is_cancelled() {
            return Err(LocalError::Interrupted);
        }
        if !self.killed.is_empty() {
            return Err(LocalError::Killed(std::mem::take(&mut self.killed)));
        }
        if !self.stop.told.is_cancelled() {
            return Err(LocalError::NoServerLeft);
        }
        Ok(())
    }

    /// Reports one end. One that shows that the herd cannot start ends the others, and is returned.
    fn note_end(&mut self, ended: Ended) -> Option<LocalError> {
        let Ended { name, pid, .. } = &ended;
        let status = ended.status.as_ref().ok().and_then(|status| status.code());
        match (ended.end, status) {
            (End::Told, Some(0)) => self.console.note(&format!("{name} stopped")),
            (End::Told, _) => {
                let how = ended.describe();
                self.console
                    .note(&format!("{name} (process {pid}), told to stop, {how}"));
            }
            (End::Killed, _) => {
                self.console.note(&format!(
                    "{name} (process {pid}) did not stop and was killed"
                ));
                self.killed.push(name.to_string());
            }
            (End::Itself, _) if self.stop.told.is_cancelled() => {
                self.console
                    .note(&format!("{name} (process {pid}) {}", ended.describe()));
            }
            (End::Itself, Some(code)) if NEVER_STARTED.contains(&code) => {
                self.stop.told.cancel();
                return Some(LocalError::NotStarted {
                    server: name.clone(),
                    status: u8::try_from(code).unwrap_or(exit_code::INTERNAL),
                });
            }
            (End::Itself, _) if matches!(self.certificates, Certificates::Memory(_)) => {
                self.console
                    .note(&format!("{name} (process {pid}) {}", ended.describe()));
                self.console.note(&format!(
                    "{name} cannot be started again: its certificate was in memory only, since the herd \
                     is ephemeral"
                ));
            }
            (End::Itself, _) => {
                let program = self.program.to_string_lossy();
                let arguments = self.arguments(name);
                let again = shell::command_line(
                    std::iter::once(&*program).chain(arguments.iter().map(String::as_str)),
                );
                self.console
                    .note(&format!("{name} (process {pid}) {}", ended.describe()));
                let secrets = self.settings.secrets.iter();
                let with: String = secrets
                    .map(|(setting, _)| format!(", with {} set,", setting.variable()))
                    .collect();
                self.console
                    .note(&format!("{name} can be started again{with} by: {again}"));
            }
        }
        None
    }
}

/// Where a server of this machine listens for HTTP: where the topology says, but on loopback alone if
/// it gives a name, for which a server of a real herd would listen on every interface.
fn http_listen(address: &HostPort) -> SocketAddr {
    match address.host {
        Host::Ip(ip) => SocketAddr::new(ip, address.port),
        Host::Name(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port)),
    }
}

/// Waits until every server accepts connections, and returns the names of those that do not in
/// time. Asks at the HTTP port, where a connection without a request leaves no trace.
async fn wait_until_ready(servers: &[Server]) -> Vec<String> {
    let mut silent: Vec<&Server> = servers.iter().collect();
    let all_answer = async {
        while let Some(server) = silent.last() {
            let connecting = TcpStream::connect(dial(Listen::from(&server.http)));
            if matches!(timeout(READY_CONNECT, connecting).await, Ok(Ok(_))) {
                silent.pop();
            } else {
                sleep(READY_POLL).await;
            }
        }
    };
    if timeout(READY_GRACE, all_answer).await.is_ok() {
        return Vec::new();
    }
    silent
        .iter()
        .map(|server| server.name.to_string())
        .collect()
}

/// The address to connect to for a server of this machine that listens there.
fn dial(listen: Listen) -> SocketAddr {
    match listen {
        Listen::Address(address) if !address.ip().is_unspecified() => address,
        Listen::Address(address) if address.is_ipv6() => {
            SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()))
        }
        Listen::Address(address) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        Listen::EveryInterface { port } => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
    }
}
