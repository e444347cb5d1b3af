//! A herd of real processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::binary;
use crate::client::Client;
use crate::log::Log;
use crate::loopback::{Addresses, held_addresses};
use crate::patience::eventually;
use crate::proxy::{Passage, Proxy};
use crate::server::Server;
use crate::topology::Topology;

/// Herds of one test binary that run at the same time; tests beyond wait for their turn.
const HERDS_AT_ONCE: usize = 6;
static TURNS: Semaphore = Semaphore::const_new(HERDS_AT_ONCE);

/// Starts that are tried because a port was taken in between.
const STARTS_MAX: usize = 5;

/// The folder of certificates in that of a herd.
const CERTIFICATES: &str = "links";

/// Lines of each log that are shown when a test fails.
const SHOWN_LINES: usize = 40;

/// How to start a herd.
#[derive(Clone, Debug)]
pub struct HerdBuilder {
    topology: Topology,
    proxied: bool,
    on_disk: bool,
    encrypted: bool,
    controlled: bool,
    /// The folders of servers that have one of their own, by name.
    data_folders: BTreeMap<String, PathBuf>,
    environments: BTreeMap<String, Vec<(String, String)>>,
    arguments: Vec<String>,
}

/// Servers that run until this is dropped. When that is because the test failed, the state and the
/// last log lines of each are shown.
#[derive(Debug)]
pub struct Herd {
    topology: Topology,
    servers: Vec<Server>,
    /// By link; empty if servers connect directly.
    proxies: BTreeMap<(usize, usize), Proxy>,
    // Dropped after the servers that write there.
    folder: TempDir,
    _turn: Arc<SemaphorePermit<'static>>,
}

impl HerdBuilder {
    /// A proxy in each link, so that it can be cut: [`Herd::set_link`].
    #[must_use]
    pub fn proxied(mut self) -> Self {
        self.proxied = true;
        self
    }

    /// Servers keep their data on disk, each in a folder of its own; otherwise they are ephemeral.
    #[must_use]
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// Links with certificates, which `herd certs` makes in [`Herd::certificates`].
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }

    /// Each server has a control socket: [`Server::dump`].
    #[must_use]
    pub fn controlled(mut self) -> Self {
        self.controlled = true;
        self
    }

    /// The folder in which a server keeps its data, if the herd is [`HerdBuilder::on_disk`].
    #[must_use]
    pub fn data_folder(mut self, server: &str, folder: PathBuf) -> Self {
        self.data_folders.insert(server.to_owned(), folder);
        self
    }

    /// Variables of the environment in which a server's processes run.
    #[must_use]
    pub fn environment(mut self, server: &str, variables: Vec<(String, String)>) -> Self {
        self.environments.insert(server.to_owned(), variables);
        self
    }

    /// One more argument of `herd serve` for each server.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts all servers, and waits until all links are made.
    pub async fn start(self) -> Herd {
        let Ok(turn) = TURNS.acquire().await else {
            unreachable!("the test keeps it open");
        };
        let turn = Arc::new(turn);
        for _ in 0..STARTS_MAX {
            let mut herd = self.make(turn.clone()).await;
            for server in &mut herd.servers {
                server.start();
            }
            let mut all_listen = true;
            for server in &mut herd.servers {
                all_listen &= server.try_listening().await;
            }
            if all_listen {
                herd.linked().await;
                return herd;
            }
        }
        panic!("a port was taken by another process at each of {STARTS_MAX} starts");
    }

    async fn make(&self, turn: Arc<SemaphorePermit<'static>>) -> Herd {
        let folder = match TempDir::with_prefix("herd-test-") {
            Ok(folder) => folder,
            Err(error) => panic!("no folder for the herd: {error}"),
        };
        // Held while the proxies get ports of theirs.
        let (addresses, _held) = held_addresses(self.topology.servers().len());
        let mut proxies = BTreeMap::new();
        if self.proxied {
            for &(dialer, listener) in self.topology.links() {
                let proxy = Proxy::to(addresses[listener].peer).await;
                proxies.insert((dialer, listener), proxy);
            }
        }
        let mut servers = Vec::new();
        for (position, name) in self.topology.servers().iter().enumerate() {
            // In this server's file, the peers that it connects to are behind their proxies.
            let mut seen = addresses.clone();
            for (&(dialer, listener), proxy) in &proxies {
                if dialer == position {
                    seen[listener].peer = proxy.address();
                }
            }
            let file = folder.path().join(format!("{name}.topology"));
            if let Err(error) = std::fs::write(&file, self.topology.text(&seen)) {
                panic!("cannot write {}: {error}", file.display());
            }
            servers.push(self.server(position, addresses[position], &file, folder.path()));
        }
        Herd {
            topology: self.topology.clone(),
            servers,
            proxies,
            folder,
            _turn: turn,
        }
    }

    /// The server at a position of the topology, which reads the topology from `file`.
    fn server(&self, position: usize, at: Addresses, file: &Path, folder: &Path) -> Server {
        let name = &self.topology.servers()[position];
        let mut arguments = self.arguments.clone();
        if self.encrypted {
            let certificates = folder.join(CERTIFICATES);
            if position == 0 {
                herd_certs("new", file, &certificates);
            }
            arguments.push(format!("--links-certs={}", certificates.display()));
        }
        if self.controlled {
            let socket = folder.join(format!("{name}.control"));
            arguments.push(format!("--control-socket={}", socket.display()));
        }
        let data_folder = self.data_folders.get(name).cloned();
        let data_folder = data_folder.unwrap_or_else(|| folder.join(name));
        let mut server = Server::new(
            name,
            at,
            file,
            folder,
            (&data_folder, self.on_disk),
            &arguments,
        );
        if let Some(variables) = self.environments.get(name) {
            server.set_environment(variables);
        }
        server
    }
}

impl Herd {
    /// A herd of this topology, not yet started.
    pub fn builder(topology: Topology) -> HerdBuilder {
        HerdBuilder {
            topology,
            proxied: false,
            on_disk: false,
            encrypted: false,
            controlled: false,
            data_folders: BTreeMap::new(),
            environments: BTreeMap::new(),
            arguments: Vec::new(),
        }
    }

    /// The five servers of the course, running and linked.
    pub async fn five() -> Herd {
        Herd::builder(Topology::five()).start().await
    }

    /// Its topology.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A folder that lives as long as the herd.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The names of all servers, in the order of the topology.
    pub fn names(&self) -> Vec<String> {
        self.topology.servers().to_vec()
    }

    /// All servers.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The server of this name.
    pub fn server(&self, name: &str) -> &Server {
        &self.servers[self.position(name)]
    }

    /// The server of this name.
    pub fn server_mut(&mut self, name: &str) -> &mut Server {
        let position = self.position(name);
        &mut self.servers[position]
    }

    fn position(&self, name: &str) -> usize {
        match self.servers.iter().position(|server| server.name() == name) {
            Some(position) => position,
            None => panic!("no server is called {name}"),
        }
    }

    /// The output of a server.
    pub fn log(&self, name: &str) -> &Log {
        self.server(name).log()
    }

    /// A new connection to a server.
    pub async fn client(&self, name: &str) -> Client {
        Client::connect(self.server(name).client_address()).await
    }

    /// Whether a server holds exactly this AT line for a client, by a connection of its own.
    pub async fn has(&self, server: &str, id: &str, at: &str) -> bool {
        self.client(server).await.find(id).await.as_deref() == Some(at)
    }

    /// Waits until a server answers with this AT line for a client; returns how long that took.
    pub async fn knows(&self, server: &str, id: &str, at: &str) -> std::time::Duration {
        let mut client = self.client(server).await;
        eventually(format!("{server} knows {id} as {at:?}"), async || {
            client.find(id).await.as_deref() == Some(at)
        })
        .await
    }

    /// Waits until the running servers of `servers` give the same answers for all of `ids`, all of
    /// which they know; returns the answers.
    pub async fn agree(&self, servers: &[&str], ids: &[String]) -> Vec<String> {
        let mut clients = Vec::new();
        for name in servers {
            clients.push(self.client(name).await);
        }
        let mut answers = Vec::new();
        let what = format!("{servers:?} agree on {} clients", ids.len());
        eventually(what, async || {
            answers.clear();
            for client in &mut clients {
                let found = client.find_all(ids).await;
                if answers.is_empty() {
                    answers = found.iter().flatten().cloned().collect();
                }
                let same = found.iter().flatten().eq(answers.iter());
                if answers.len() < ids.len() || !same {
                    return false;
                }
            }
            true
        })
        .await;
        answers
    }

    /// The folder with the certificates of a herd that is [`HerdBuilder::encrypted`].
    pub fn certificates(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATES)
    }

    /// Runs a command of `herd certs` for the folder of certificates.
    pub fn certs(&self, command: &str) {
        let first = &self.topology.servers()[0];
        let topology = self.folder.path().join(format!("{first}.topology"));
        herd_certs(command, &topology, &self.certificates());
    }

    /// Gives a server another topology file from its next start on. All servers in it are this
    /// herd's.
    pub fn use_topology(&self, name: &str, topology: &Topology) {
        let addresses: Vec<Addresses> = topology
            .servers()
            .iter()
            .map(|server| self.server(server).addresses())
            .collect();
        let file = self.folder.path().join(format!("{name}.topology"));
        if let Err(error) = std::fs::write(&file, topology.text(&addresses)) {
            panic!("cannot write {}: {error}", file.display());
        }
    }

    /// Waits until all links between running servers are made.
    pub async fn linked(&mut self) {
        let running: Vec<bool> = self.servers.iter_mut().map(Server::is_running).collect();
        for &(a, b) in self.topology.links() {
            if !(running[a] && running[b]) {
                continue;
            }
            for (from, to) in [(a, b), (b, a)] {
                let (server, other) = (&self.servers[from], self.servers[to].name());
                let what = format!("{} is linked to {other}", server.name());
                eventually(what, async || {
                    server.links().iter().any(|name| name == other)
                })
                .await;
            }
        }
    }

    /// Whether these bytes were among the first that passed over a link. The herd must be
    /// [`HerdBuilder::proxied`].
    pub fn link_carried(&self, one: &str, other: &str, bytes: &[u8]) -> bool {
        self.proxy(one, other).carried(bytes)
    }

    fn proxy(&self, one: &str, other: &str) -> &Proxy {
        let (a, b) = (self.position(one), self.position(other));
        match self.proxies.get(&(a.min(b), a.max(b))) {
            Some(proxy) => proxy,
            None => panic!("no proxy between {one} and {other}"),
        }
    }

    /// Lets a link pass, freezes it or cuts it. The herd must be [`HerdBuilder::proxied`].
    pub fn set_link(&self, one: &str, other: &str, passage: Passage) {
        self.proxy(one, other).set(passage);
    }
}

/// Runs a command of `herd certs` for a topology file and a folder of certificates.
pub fn herd_certs(command: &str, topology: &Path, folder: &Path) {
    let mut herd = Command::new(binary::herd());
    herd.args(["certs", command, "--topology"]).arg(topology);
    match herd.arg("--out").arg(folder).output() {
        Ok(output) if output.status.success() => {}
        failed => panic!("herd certs {command} failed: {failed:?}"),
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for server in &mut self.servers {
                eprintln!("---- {}", server.state(SHOWN_LINES));
            }
        }
    }
}
