//! Starts the servers of a herd, watches them, and ends them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use herd_crdt::ServerName;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::answers::{self, Found};
use super::certificates::Certificates;
use super::console::{Console, Prefix};
use super::data_dir::DataDir;
use super::links::HerdLinks;
use super::news::News;
use super::orders::{Answer, Asked, OrderKind, SOCKET_FILE, ServerOrder};
use super::process::{Ended, Output, ServerProcess, StopOrders};
use super::server_log::ServerLog;
use super::welcome::Welcome;
use super::{LocalError, orders, ports, server_arguments, shell};
use herd_server::config::{LocalSettings, MadeFrom};
use herd_server::control::{ControlSocket, SOCKET_PATH_BYTES_MAX};
use herd_server::logging::LogFormat;
use herd_server::memory::MemoryLimit;
use herd_server::settings::{DATA_DIR, Setting};
use herd_topology::Topology;

/// How long links may take after all servers answer before the herd is shown anyway.
const LINKS_GRACE: Duration = Duration::from_secs(3);

/// News of servers that wait for the supervisor; beyond that their logs are read no further.
const NEWS_MAX: usize = 1024;

/// Orders that wait for the supervisor.
const ORDERS_MAX: usize = 16;

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

/// The program: how it is called to start servers, and how its user called it.
#[derive(Clone, Debug)]
pub struct Program {
    /// The path of the program.
    pub path: PathBuf,
    /// The user's word for it.
    pub typed: String,
}

/// Runs a herd of processes of `program` until `orders` stop it or no server is left. A server
/// that dies is reported and not started again. When this returns, no process of the herd runs.
///
/// # Errors
/// See [`LocalError`].
pub async fn run(
    settings: LocalSettings,
    program: &Program,
    orders: Orders,
) -> Result<(), LocalError> {
    let topology = settings.topology.topology.clone();
    let is_builtin = matches!(settings.topology.made_from, MadeFrom::Builtin(_));
    ports::check(&topology, &settings.resp_listen, is_builtin).await?;
    let data_dir = match &settings.durability.data_dir {
        Some(path) => Some(DataDir::open(path, &topology)?),
        None => None,
    };
    if let Some(folder) = data_dir.as_ref().filter(|_| settings.values.fresh) {
        folder.clear(&topology)?;
    }
    let folder = data_dir.as_ref().map(DataDir::certificates);
    let certificates = Certificates::make(&topology, folder)?;
    let socket = order_socket(&settings)?;
    let (console, writing) =
        Console::start(settings.values.log_format).map_err(LocalError::Console)?;
    if settings.durability.data_dir.is_some() && socket.is_none() {
        console.note(&format!(
            "herd stop and herd start cannot reach this herd: the path of {SOCKET_FILE} has more than \
             {SOCKET_PATH_BYTES_MAX} bytes"
        ));
    }
    let (news, all_news) = mpsc::channel(NEWS_MAX);
    let mut herd = HerdProcesses {
        program: program.clone(),
        data_dir,
        certificates,
        console,
        // Servers stop for the user's sake, or because one of them could not start.
        stop: StopOrders {
            told: orders.stop.child_token(),
            kill: orders.kill,
            reopen: watch::Sender::default(),
        },
        servers: JoinSet::new(),
        running: BTreeMap::new(),
        stopped_by_order: BTreeSet::new(),
        started_by_order: BTreeSet::new(),
        waiting_for_end: Vec::new(),
        killed: Vec::new(),
        links: HerdLinks::of(&topology),
        news,
        settings,
    };
    let started = herd.start_all(&topology);
    if started.is_err() {
        herd.stop.told.cancel();
    }
    let ended = herd
        .supervise(&topology, socket, all_news, &orders.reopen)
        .await;
    drop(herd);
    writing.finish().await;
    started.and(ended)
}

/// The socket for orders; nothing in an ephemeral herd, which has no place for it, or if its path would be too long.
fn order_socket(settings: &LocalSettings) -> Result<Option<ControlSocket>, LocalError> {
    let Some(folder) = &settings.durability.data_dir else {
        return Ok(None);
    };
    let path = folder.join(SOCKET_FILE);
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Ok(None);
    }
    Ok(Some(ControlSocket::bind(&path)?))
}

pub(super) struct HerdProcesses {
    pub(super) settings: LocalSettings,
    pub(super) program: Program,
    data_dir: Option<DataDir>,
    pub(super) certificates: Certificates,
    pub(super) console: Console,
    pub(super) stop: StopOrders,
    servers: JoinSet<Ended>,
    /// The orders of each server that runs.
    pub(super) running: BTreeMap<ServerName, StopOrders>,
    /// Servers that do not run because somebody wanted it.
    pub(super) stopped_by_order: BTreeSet<ServerName>,
    pub(super) started_by_order: BTreeSet<ServerName>,
    /// Sessions that wait for the end of a server.
    pub(super) waiting_for_end: Vec<(ServerName, EndWaiter)>,
    /// Servers that did not stop when told to.
    pub(super) killed: Vec<String>,
    pub(super) links: HerdLinks,
    news: mpsc::Sender<(ServerName, News)>,
}

/// Who is to hear of the end of a server.
pub(super) enum EndWaiter {
    /// An order to end it.
    Ending(oneshot::Sender<Answer>),
    /// An order to start it, which has failed then.
    Starting(oneshot::Sender<String>),
}

/// How far the herd is.
enum Phase {
    /// Servers do not answer yet.
    Starting,
    /// They answer, and their links have time until then.
    Linking(Found, Instant),
    /// The herd was shown.
    Up,
}

impl HerdProcesses {
    fn start_all(&mut self, topology: &Topology) -> Result<(), LocalError> {
        for server in topology.servers() {
            self.start(server.name.clone())?;
        }
        Ok(())
    }

    /// Starts one server.
    fn start(&mut self, name: ServerName) -> Result<(), LocalError> {
        let topology = &self.settings.topology.topology;
        let names = || topology.servers().iter().map(|server| &server.name);
        let width = names().map(|name| name.len()).max().unwrap_or(0);
        let place = names().position(|known| *known == name).unwrap_or(0);
        let log = match &self.data_dir {
            Some(folder) => Some(ServerLog::open(folder.log(&name))?),
            None => None,
        };
        let prefix = match self.settings.values.log_format {
            LogFormat::Text => Prefix::new(&name, width, place, has_colours()),
            LogFormat::Json => Prefix::none(),
        };
        let output = Output {
            console: self.console.clone(),
            prefix,
            log,
            format: self.settings.values.log_format,
            shows_all: self.settings.values.show_logs,
            news: self.news.clone(),
        };
        let arguments = server_arguments::arguments(
            &self.settings,
            self.data_dir.as_ref(),
            &self.certificates,
            MemoryLimit::of_process(),
            &name,
        );
        let secrets = self.settings.secrets.iter();
        let secrets = secrets.map(|(setting, text)| (*setting, text.reveal().to_owned()));
        let certificate = self.certificates.variable(&name);
        let secrets: Vec<(Setting, String)> = secrets.chain(certificate).collect();
        let process = ServerProcess::start(name.clone(), &self.program.path, arguments, &secrets);
        let process = process.map_err(|source| LocalError::Spawn {
            server: name.clone(),
            source,
        })?;
        let orders = self.stop.of_one();
        self.servers.spawn(process.watch(output, orders.clone()));
        self.links.note_start(&name);
        self.stopped_by_order.remove(&name);
        self.running.insert(name, orders);
        Ok(())
    }

    /// Reports events until no server is left.
    async fn supervise(
        &mut self,
        topology: &Topology,
        socket: Option<ControlSocket>,
        mut all_news: mpsc::Receiver<(ServerName, News)>,
        reopen: &Notify,
    ) -> Result<(), LocalError> {
        let mut found = pin!(answers::find(topology.servers()));
        let (asking, mut asked) = mpsc::channel(ORDERS_MAX);
        let mut order_sessions = JoinSet::new();
        if let Some(socket) = socket {
            order_sessions.spawn(orders::serve(socket, asking));
        }
        let mut phase = Phase::Starting;
        let mut not_started = None;
        loop {
            let stopping = self.stop.told.is_cancelled();
            if self.servers.is_empty() && (stopping || self.stopped_by_order.is_empty()) {
                break;
            }
            phase = self.shown(phase, topology);
            let next_look = match &phase {
                Phase::Starting => None,
                Phase::Linking(_, until) => Some(*until),
                Phase::Up => self.links.next_loss(),
            };
            tokio::select! {
                Some(ended) = self.servers.join_next() => match ended {
                    Ok(ended) => not_started = self.note_end(ended).or(not_started),
                    // The process went with its task.
                    Err(error) => self.console.note(&format!("BUG: lost a server: {error}")),
                },
                () = self.stop.told.cancelled(), if !stopping => {}
                Some((server, news)) = all_news.recv() => self.note_news(&server, &news),
                Some(asked) = asked.recv(), if !stopping => self.obey(asked),
                () = reopen.notified() => self.stop.reopen.send_modify(|times| *times += 1),
                found = &mut found, if matches!(phase, Phase::Starting) && !stopping => {
                    phase = Phase::Linking(found, Instant::now() + LINKS_GRACE);
                }
                () = sleep_until(next_look.unwrap_or_else(Instant::now)), if next_look.is_some() => {
                    for loss in self.links.losses(Instant::now()) {
                        self.console.note(&loss);
                    }
                }
            }
        }
        not_started.map_or_else(|| self.ending(), Err)
    }

    /// Shows the herd, if it is time for that.
    fn shown(&mut self, phase: Phase, topology: &Topology) -> Phase {
        let (found, until) = match phase {
            Phase::Linking(found, until) => (found, until),
            phase => return phase,
        };
        let (all, up) = self.links.counts();
        // Without logs nothing is known of links.
        let knows_links = self.settings.values.log.to_string() != "off";
        if knows_links && up < all && Instant::now() < until {
            return Phase::Linking(found, until);
        }
        let program = self.program_words();
        let welcome = Welcome {
            topology,
            folder: self.data_dir.as_ref().map(DataDir::path),
            is_here: self.settings.durability.data_dir.as_deref() == Some(Path::new(DATA_DIR)),
            program: &program,
            resp: self.settings.resp_listen.first().copied(),
            shows_page: &|server| server_arguments::shows_locations(&self.settings, &server.http),
            links: knows_links.then_some((all, up)),
            clients: found.clients.unwrap_or(0),
        };
        self.console.say(welcome.text());
        for name in found.silent {
            self.console.note(&format!("{name} does not answer yet"));
        }
        self.links.begin();
        Phase::Up
    }

    fn note_news(&mut self, server: &str, news: &News) {
        let now = Instant::now();
        let sentence = match news {
            News::LinkMade(neighbour) => self.links.note((server, neighbour), true, now),
            News::LinkLost(neighbour) => self.links.note((server, neighbour), false, now),
            News::CutOff if self.links.has_begun() => {
                Some(format!("{server} has no link left, and serves on alone"))
            }
            News::CutOff | News::Trouble | News::Nothing => None,
        };
        if let Some(sentence) = sentence.filter(|_| !self.stop.told.is_cancelled()) {
            self.console.note(&sentence);
        }
    }

    /// Does as somebody has ordered, or says why not.
    fn obey(&mut self, asked: Asked) {
        let ServerOrder { kind, server } = asked.order;
        let topology = self.settings.topology.topology.clone();
        let Some(known) = topology.server(&server) else {
            let names: Vec<&str> = topology
                .servers()
                .iter()
                .map(|known| &*known.name)
                .collect();
            let refusal = format!(
                "there is no server {server}; there are {}",
                names.join(", ")
            );
            let _ = asked.answer.send(Answer::Done(Err(refusal)));
            return;
        };
        let name = known.name.clone();
        match (kind, self.running.get(&name)) {
            (OrderKind::Start, Some(_)) => {
                let refusal = Err(format!("{name} runs already"));
                let _ = asked.answer.send(Answer::Done(refusal));
            }
            (OrderKind::Start, None) => {
                let address = answers::http_address(known);
                let answer = match self.start(name.clone()) {
                    Err(error) => Answer::Done(Err(error.to_string())),
                    Ok(()) => {
                        self.console.note(&format!("{name} is started"));
                        self.started_by_order.insert(name.clone());
                        let (ending, ended) = oneshot::channel();
                        let waiter = EndWaiter::Starting(ending);
                        self.waiting_for_end.push((name, waiter));
                        Answer::Starting(server, address, ended)
                    }
                };
                let _ = asked.answer.send(answer);
            }
            (_, None) => {
                let refusal = Err(format!("{name} does not run"));
                let _ = asked.answer.send(Answer::Done(refusal));
            }
            (kind, Some(orders)) => {
                match kind {
                    OrderKind::Kill => orders.kill.cancel(),
                    _ => orders.told.cancel(),
                }
                self.stopped_by_order.insert(name.clone());
                let waiter = EndWaiter::Ending(asked.answer);
                self.waiting_for_end.push((name, waiter));
            }
        }
    }

    /// The program as its user types it here.
    pub(super) fn program_words(&self) -> String {
        shell::command_line([&*self.program.typed])
    }

    /// The command that starts a server again.
    pub(super) fn start_command(&self, server: &str) -> String {
        let mut words = vec![&*self.program.typed, "start", server];
        let folder = self.settings.durability.data_dir.as_deref();
        let folder = folder.filter(|folder| *folder != Path::new(DATA_DIR));
        let flag = folder.map(|folder| format!("{}={}", Setting::DataDir.flag(), folder.display()));
        words.extend(flag.as_deref());
        shell::command_line(words)
    }
}

/// Whether lines on this terminal hold colours: <https://no-color.org>.
fn has_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
    io::stderr().is_terminal() && !refused
}
