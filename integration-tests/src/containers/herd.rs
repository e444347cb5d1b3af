//! A herd of containers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use super::certificates::Certificates;
use super::docker::{block_on, engine};
use super::image;
use super::manifests::{Manifests, server_names};
use super::network::Network;
use super::pod::{Deployment, Pod, PodEnd, output};
use super::probe::{HttpProbe, http};
use crate::client::Client;
use crate::patience::eventually;
use crate::topology::Topology;

/// Herds of containers that run at the same time; tests beyond wait for their turn.
static TURNS: Semaphore = Semaphore::const_new(2);

/// How long a pod may take to be ready, on a slow machine.
const READY_MAX: Duration = Duration::from_secs(120);

/// Lines of each log that are shown when a test fails.
const SHOWN_LINES: usize = 40;

/// How to start a herd: as the manifests say, unless a test asks for something else.
#[derive(Debug)]
pub struct HerdBuilder {
    manifests: Manifests,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    memory_bytes: Option<i64>,
}

/// Pods that run until this is dropped, and whose containers, networks and volumes go with it. When
/// that is because the test failed, the end of each log is shown.
#[derive(Debug)]
pub struct Herd {
    deployment: Deployment,
    names: Vec<String>,
    pods: Vec<Pod>,
    cut_off: BTreeSet<usize>,
    /// Those on the other side of a partition.
    apart: BTreeSet<usize>,
    _turn: Arc<SemaphorePermit<'static>>,
}

impl HerdBuilder {
    /// Other servers and links than those of the manifests.
    #[must_use]
    pub fn topology(mut self, topology: &Topology) -> Self {
        let text = topology_text(&self.manifests, topology);
        self.manifests.set_topology(&text);
        self
    }

    /// One more argument for each server.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// One more variable for each server.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The memory of each container, in bytes, beyond which the kernel kills it.
    #[must_use]
    pub fn memory_bytes(mut self, bytes: i64) -> Self {
        self.memory_bytes = Some(bytes);
        self
    }

    /// Builds the image if need be, starts all pods at once, and waits until all are ready.
    pub async fn start(self) -> Herd {
        let Ok(turn) = TURNS.acquire().await else {
            unreachable!("the test keeps it open");
        };
        image::build().await;
        let docker = engine();
        let config = config_folder(self.manifests.topology());
        let certificates = Certificates::make(&config.path().join("topology"));
        let deployment = Deployment {
            outer: Network::create(&docker, "outer", false).await,
            inner: Network::create(&docker, "inner", true).await,
            apart: Network::create(&docker, "apart", true).await,
            docker,
            config,
            certificates,
            manifests: self.manifests,
            arguments: self.arguments,
            variables: self.variables,
            memory_bytes: self.memory_bytes,
        };
        let mut herd = Herd {
            names: server_names(deployment.manifests.topology()),
            deployment,
            pods: Vec::new(),
            cut_off: BTreeSet::new(),
            apart: BTreeSet::new(),
            _turn: Arc::new(turn),
        };
        herd.start_missing().await;
        herd
    }
}

impl Herd {
    /// A herd as the manifests describe it, not yet started.
    pub fn builder() -> HerdBuilder {
        match Manifests::read() {
            Ok(manifests) => HerdBuilder {
                manifests,
                arguments: Vec::new(),
                variables: Vec::new(),
                memory_bytes: None,
            },
            Err(error) => panic!("cannot read the manifests: {error:#}"),
        }
    }

    /// Starts the pods that the manifests want beyond those that there are, and waits until they are
    /// ready.
    async fn start_missing(&mut self) {
        let there = self.pods.len();
        for index in there..self.deployment.manifests.replicas {
            self.pods.push(Pod::new(index));
        }
        let (_, new) = self.pods.split_at_mut(there);
        let deployment = &self.deployment;
        join_all(new.iter_mut().map(|pod| pod.start(deployment))).await;
        for index in there..self.pods.len() {
            self.pod_ready(index).await;
        }
    }

    fn position(&self, name: &str) -> usize {
        match self.names.iter().position(|known| known == name) {
            Some(position) => position,
            None => panic!("no server is called {name}"),
        }
    }

    fn pod(&self, name: &str) -> &Pod {
        &self.pods[self.position(name)]
    }

    /// The names of all servers, in the order of the topology.
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// The builder of the herd.
    pub fn manifests(&self) -> &Manifests {
        &self.deployment.manifests
    }

    /// Where clients of a server connect. Another container has another address.
    pub async fn client_address(&self, name: &str) -> SocketAddr {
        let port = self.manifests().port("client");
        self.pod(name).address(port).await
    }

    /// Where a server answers over HTTP.
    pub async fn http_address(&self, name: &str) -> SocketAddr {
        let port = self.manifests().port("http");
        self.pod(name).address(port).await
    }

    /// A new connection to a server.
    pub async fn client(&self, name: &str) -> Client {
        Client::connect(self.client_address(name).await).await
    }

    /// The answer of a path over HTTP: the status and the text.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, name: &str, path: &str) -> reqwest::Result<(u16, String)> {
        let url = format!("http://{}{path}", self.http_address(name).await);
        let request = http().await.get(url).timeout(Duration::from_secs(5));
        let reply = request.send().await?;
        Ok((reply.status().as_u16(), reply.text().await?))
    }

    /// Whether the readiness probe passes now.
    pub async fn is_ready(&self, name: &str) -> bool {
        let probe = HttpProbe::new(self.manifests().container().readiness_probe.as_ref());
        self.pod(name).passes(self.manifests(), &probe).await
    }

    /// Whether the liveness probe passes within its number of attempts.
    pub async fn is_alive(&self, name: &str) -> bool {
        let probe = HttpProbe::new(self.manifests().container().liveness_probe.as_ref());
        let port = self.manifests().port(probe.port_name());
        let address = self.pod(name).address(port).await;
        probe.passes_in_time(address.port()).await
    }

    /// The client addresses of the servers that are ready: those that the service for clients would
    /// have.
    pub async fn endpoints(&self) -> Vec<SocketAddr> {
        let probe = HttpProbe::new(self.manifests().container().readiness_probe.as_ref());
        let port = self.manifests().port("client");
        let mut endpoints = Vec::new();
        for pod in &self.pods {
            if pod.passes(self.manifests(), &probe).await {
                endpoints.push(pod.address(port).await);
            }
        }
        endpoints
    }

    /// Waits until the readiness probe of a server passes.
    pub async fn ready(&self, name: &str) {
        self.pod_ready(self.position(name)).await;
    }

    async fn pod_ready(&self, index: usize) {
        let (pod, manifests) = (&self.pods[index], self.manifests());
        let container = manifests.container();
        let started = HttpProbe::new(container.startup_probe.as_ref());
        let http_port = manifests.port(started.port_name());
        let address = pod.address(http_port).await;
        if !started.passes_in_time(address.port()).await {
            panic!("pod {index} did not start in the time that its probe gives it");
        }
        let ready = HttpProbe::new(container.readiness_probe.as_ref());
        let deadline = Instant::now() + READY_MAX;
        while !pod.passes(manifests, &ready).await {
            if Instant::now() >= deadline {
                panic!("pod {index} is not ready after {READY_MAX:?}");
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The output of the container of a server.
    pub async fn log(&self, name: &str) -> String {
        output(self.pod(name).container()).await
    }

    /// Kills a server's process and removes its container; its volumes stay.
    pub async fn kill(&mut self, name: &str) -> PodEnd {
        let position = self.position(name);
        self.cut_off.remove(&position);
        self.apart.remove(&position);
        self.pods[position].kill(&self.deployment.docker).await
    }

    /// Deletes a pod as Kubernetes does: SIGTERM, SIGKILL after the grace period. Its volumes stay.
    pub async fn delete(&mut self, name: &str) -> PodEnd {
        let position = self.position(name);
        self.cut_off.remove(&position);
        self.apart.remove(&position);
        self.pods[position].delete(&self.deployment.manifests).await
    }

    /// Removes the volumes of a pod that has no container.
    pub async fn remove_volumes(&mut self, name: &str) {
        let position = self.position(name);
        let docker = &self.deployment.docker;
        self.pods[position].remove_volumes(docker).await;
    }

    /// Starts a new container for a pod that has none, and does not wait for it.
    pub async fn start(&mut self, name: &str) {
        let position = self.position(name);
        self.pods[position].start(&self.deployment).await;
    }

    /// Starts a new container for a pod that has none, and waits until it is ready.
    pub async fn restart(&mut self, name: &str) {
        self.start(name).await;
        self.ready(name).await;
    }

    /// Freezes all processes of a container.
    pub async fn pause(&self, name: &str) {
        if let Err(error) = self.pod(name).container().pause().await {
            panic!("cannot pause {name}: {error}");
        }
    }

    /// Lets them go on.
    pub async fn resume(&self, name: &str) {
        if let Err(error) = self.pod(name).container().unpause().await {
            panic!("cannot resume {name}: {error}");
        }
    }

    /// Cuts a server off from all others. Clients still reach it.
    pub async fn disconnect(&mut self, name: &str) {
        let position = self.position(name);
        let network = &self.deployment.inner;
        self.pods[position].leave(&self.deployment, network).await;
        self.cut_off.insert(position);
    }

    /// Ends the effect of [`Herd::disconnect`].
    pub async fn reconnect(&mut self, name: &str) {
        let position = self.position(name);
        if !self.cut_off.remove(&position) {
            panic!("{name} is not cut off");
        }
        let network = &self.deployment.inner;
        self.pods[position].join(&self.deployment, network).await;
    }

    /// Cuts these servers off from all others, but not from each other.
    pub async fn partition(&mut self, names: &[&str]) {
        for name in names {
            let position = self.position(name);
            let (pod, deployment) = (&self.pods[position], &self.deployment);
            pod.leave(deployment, &deployment.inner).await;
            pod.join(deployment, &deployment.apart).await;
            self.apart.insert(position);
        }
    }

    /// Ends the effect of [`Herd::partition`].
    pub async fn heal(&mut self) {
        for position in std::mem::take(&mut self.apart) {
            let (pod, deployment) = (&self.pods[position], &self.deployment);
            pod.leave(deployment, &deployment.apart).await;
            pod.join(deployment, &deployment.inner).await;
        }
    }

    /// A rolling update, as the StatefulSet does it: from the last pod to the first, one at a time,
    /// the next when the last is ready. Returns how each container ended.
    pub async fn roll(&mut self) -> Vec<PodEnd> {
        let mut ended = Vec::new();
        for name in self.names.clone().iter().take(self.pods.len()).rev() {
            ended.push(self.delete(name).await);
            self.restart(name).await;
        }
        ended
    }

    /// Deploys a topology with more servers, which begins with the present ones: starts the new pods, then rolls the
    /// old ones, since their ConfigMap has changed.
    pub async fn scale(&mut self, topology: &Topology) {
        let text = topology_text(self.manifests(), topology);
        self.deployment.config = config_folder(&text);
        let topology = self.deployment.config.path().join("topology");
        self.deployment.certificates.add(&topology);
        self.deployment.manifests.set_topology(&text);
        let old = self.pods.len();
        self.names = server_names(&text);
        self.start_missing().await;
        for name in self.names.clone().iter().take(old).rev() {
            self.delete(name).await;
            self.restart(name).await;
        }
    }

    /// Waits until a server answers with this AT line for a client.
    pub async fn knows(&self, server: &str, id: &str, at: &str) {
        let mut client = self.client(server).await;
        eventually(format!("{server} knows {id} as {at:?}"), async || {
            client.find(id).await.as_deref() == Some(at)
        })
        .await;
    }

    async fn show(&self) {
        for (name, pod) in self.names.iter().zip(&self.pods) {
            if pod.is_there() {
                let log = output(pod.container()).await;
                let lines: Vec<&str> = log.lines().collect();
                let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
                eprintln!("---- {name}\n{}", shown.join("\n"));
            } else {
                eprintln!("---- {name} has no container");
            }
        }
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            block_on(self.show());
        }
        let mut pods = std::mem::take(&mut self.pods);
        let deployment = &self.deployment;
        block_on(async move {
            // A connection of this thread's own runtime.
            let docker = engine();
            for pod in &mut pods {
                if pod.is_there() {
                    pod.kill_quietly(&docker).await;
                }
                pod.remove_volumes(&docker).await;
            }
            deployment.inner.remove(&docker).await;
            deployment.apart.remove(&docker).await;
            deployment.outer.remove(&docker).await;
        });
    }
}

/// The folder that a pod sees as its ConfigMap; its user is not ours.
fn config_folder(topology: &str) -> tempfile::TempDir {
    let made = tempfile::TempDir::with_prefix("herd-config-").and_then(|folder| {
        let file = folder.path().join("topology");
        std::fs::write(&file, topology)?;
        for (path, mode) in [(folder.path(), 0o755), (&file, 0o644)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        Ok(folder)
    });
    match made {
        Ok(folder) => folder,
        Err(error) => panic!("no folder for the topology: {error}"),
    }
}

/// A topology file with the names and ports that the manifests give pods.
fn topology_text(manifests: &Manifests, topology: &Topology) -> String {
    let port = |name| manifests.port(name);
    let mut text = "cluster herd\n".to_owned();
    for (index, name) in topology.servers().iter().enumerate() {
        let host = manifests.host_name(index);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "server {name} client {host}:{} http {host}:{} peer {host}:{}",
            port("client"),
            port("http"),
            port("peer")
        );
    }
    for &(a, b) in topology.links() {
        let (a, b) = (&topology.servers()[a], &topology.servers()[b]);
        let _ = writeln!(text, "link {a} {b}");
    }
    text
}
