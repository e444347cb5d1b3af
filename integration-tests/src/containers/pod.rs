//! One pod: a container made as the manifests say, again and again.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use k8s_openapi::api::core::v1::EnvVar;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{PortBinding, VolumeCreateRequest};
use testcontainers::bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use testcontainers::core::{AccessMode, IntoContainerPort as _, Mount};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt as _};

use super::certificates::Certificates;
use super::docker::{labels, unique};
use super::image::{self, IMAGE};
use super::manifests::Manifests;
use super::network::Network;
use super::probe::HttpProbe;
use crate::patience::eventually;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodEnd {
    /// The exit status of its process.
    pub status: i64,
    /// Its text on both outputs.
    pub output: String,
}

/// The common part of the pods of a herd.
#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) docker: Docker,
    pub(super) manifests: Manifests,
    /// The folder with the files of the ConfigMap.
    pub(super) config: tempfile::TempDir,
    /// The replacement of the secret with the certificates of links.
    pub(super) certificates: Certificates,
    /// The network of the mapped ports.
    pub(super) outer: Network,
    /// The network of the links.
    pub(super) inner: Network,
    /// The network of the links on the other side of a partition.
    pub(super) apart: Network,
    /// The additions of the test.
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
    /// The memory of each container, in bytes; `None` for no limit.
    pub(super) memory_bytes: Option<i64>,
}

/// A pod: its name and its volumes stay, its container comes and goes.
#[derive(Debug)]
pub(super) struct Pod {
    index: usize,
    /// By the names of the volume claims.
    volumes: BTreeMap<String, String>,
    container: Option<ContainerAsync<GenericImage>>,
}

impl Pod {
    pub(super) fn new(index: usize) -> Pod {
        Pod {
            index,
            volumes: BTreeMap::new(),
            container: None,
        }
    }

    pub(super) fn container(&self) -> &ContainerAsync<GenericImage> {
        match &self.container {
            Some(container) => container,
            None => panic!("pod {} has no container", self.index),
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.container.is_some()
    }

    /// Makes a container, with the volumes that the pod has or with new ones, and joins it to the
    /// links.
    pub(super) async fn start(&mut self, deployment: &Deployment) {
        if self.is_there() {
            panic!("pod {} has a container", self.index);
        }
        self.claim_volumes(deployment).await;
        let request = self.request(deployment);
        let name = deployment.manifests.pod_name(self.index);
        match request.start().await {
            Ok(container) => self.container = Some(container),
            Err(error) => panic!("cannot start {name}: {error}"),
        }
        self.join(deployment, &deployment.inner).await;
    }

    /// Joins the links in `network`, under the name that the headless service would give.
    pub(super) async fn join(&self, deployment: &Deployment, network: &Network) {
        let alias = deployment.manifests.host_name(self.index);
        let id = self.container().id();
        network.join(&deployment.docker, id, &alias).await;
    }

    /// Leaves the links in `network`.
    pub(super) async fn leave(&self, deployment: &Deployment, network: &Network) {
        let id = self.container().id();
        network.leave(&deployment.docker, id).await;
    }

    async fn claim_volumes(&mut self, deployment: &Deployment) {
        let spec = deployment.manifests.stateful_set.spec.as_ref();
        let claims = spec.and_then(|spec| spec.volume_claim_templates.as_ref());
        for claim in claims.into_iter().flatten() {
            let claim = claim.metadata.name.clone().unwrap_or_default();
            if self.volumes.contains_key(&claim) {
                continue;
            }
            let name = unique(&claim);
            let request = VolumeCreateRequest {
                name: Some(name.clone()),
                labels: Some(labels()),
                ..Default::default()
            };
            if let Err(error) = deployment.docker.create_volume(request).await {
                panic!("cannot make the volume {name}: {error}");
            }
            self.volumes.insert(claim, name);
        }
    }

    fn request(&self, deployment: &Deployment) -> ContainerRequest<GenericImage> {
        let manifests = &deployment.manifests;
        let (pod, container) = (manifests.pod(), manifests.container());
        let ports: Vec<u16> = container
            .ports
            .iter()
            .flatten()
            .filter_map(|port| u16::try_from(port.container_port).ok())
            .collect();
        let arguments = container.args.iter().flatten().chain(&deployment.arguments);
        let mut request = with_ports_of_this_machine(&ports, deployment.memory_bytes)
            .with_cmd(arguments)
            .with_network(deployment.outer.name())
            .with_hostname(manifests.pod_name(self.index))
            .with_labels(labels());
        for variable in container.env.iter().flatten() {
            let value = self.value(manifests, variable);
            request = request.with_env_var(&variable.name, value);
        }
        for (name, value) in &deployment.variables {
            request = request.with_env_var(name, value);
        }
        if let Some(security) = &pod.security_context {
            let id = |id: Option<i64>| id.map_or("0".to_owned(), |id| id.to_string());
            let (user, group) = (id(security.run_as_user), id(security.run_as_group));
            request = request.with_user(format!("{user}:{group}"));
        }
        if let Some(security) = &container.security_context {
            request = request
                .with_readonly_rootfs(security.read_only_root_filesystem.unwrap_or_default());
            if security.allow_privilege_escalation == Some(false) {
                request = request.with_security_opt("no-new-privileges:true");
            }
            let dropped = security.capabilities.as_ref().and_then(|c| c.drop.as_ref());
            for capability in dropped.into_iter().flatten() {
                request = request.with_cap_drop(capability);
            }
        }
        for mount in container.volume_mounts.iter().flatten() {
            let source = self.mount(deployment, &mount.name, &mount.mount_path);
            let access = match mount.read_only {
                Some(true) => AccessMode::ReadOnly,
                _ => AccessMode::ReadWrite,
            };
            request = request.with_mount(source.with_access_mode(access));
        }
        request
    }

    /// The value that Kubernetes would give a variable.
    fn value(&self, manifests: &Manifests, variable: &EnvVar) -> String {
        let source = variable.value_from.as_ref();
        let field = source.and_then(|source| source.field_ref.as_ref());
        match (&variable.value, field.map(|field| &*field.field_path)) {
            (Some(value), None) => value.clone(),
            (None, Some("metadata.name")) => manifests.pod_name(self.index),
            _ => panic!("no value for the variable {}", variable.name),
        }
    }

    /// The source of a volume of the pod.
    fn mount(&self, deployment: &Deployment, volume: &str, path: &str) -> Mount {
        if let Some(name) = self.volumes.get(volume) {
            return Mount::volume_mount(name, path);
        }
        let volumes = deployment.manifests.pod().volumes.as_ref();
        let found = volumes.and_then(|all| all.iter().find(|other| other.name == volume));
        if found.is_some_and(|volume| volume.secret.is_some()) {
            return Mount::bind_mount(text(deployment.certificates.path()), path);
        }
        let config_map = found.and_then(|volume| volume.config_map.as_ref());
        match config_map {
            Some(config_map) if config_map.name == deployment.manifests.config_map.0 => {
                Mount::bind_mount(text(deployment.config.path()), path)
            }
            _ => panic!("nothing stands behind the volume {volume}"),
        }
    }

    /// Where a port of the container is on this machine.
    pub(super) async fn address(&self, port: u16) -> SocketAddr {
        match self.container().get_host_port_ipv4(port.tcp()).await {
            Ok(mapped) => SocketAddr::from((Ipv4Addr::LOCALHOST, mapped)),
            Err(error) => panic!("port {port} of pod {} is nowhere: {error}", self.index),
        }
    }

    /// One look by a probe of the manifests; `false` if there is no container.
    pub(super) async fn passes(&self, manifests: &Manifests, probe: &HttpProbe) -> bool {
        let port = manifests.port(probe.port_name());
        match &self.container {
            Some(container) => match container.get_host_port_ipv4(port.tcp()).await {
                Ok(mapped) => probe.passes(mapped).await,
                Err(_) => false,
            },
            None => false,
        }
    }

    /// Tells it to stop, as Kubernetes does, and removes it; kills it after the grace period, which
    /// shows in the status.
    pub(super) async fn delete(&mut self, manifests: &Manifests) -> PodEnd {
        let grace_s = i32::try_from(manifests.grace_s()).unwrap_or(i32::MAX);
        if let Err(error) = self.container().stop_with_timeout(Some(grace_s)).await {
            panic!("cannot stop pod {}: {error}", self.index);
        }
        self.remove().await
    }

    /// SIGKILL, and removes it.
    pub(super) async fn kill(&mut self, docker: &Docker) -> PodEnd {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        let killed = docker.kill_container(self.container().id(), Some(options));
        if let Err(error) = killed.await {
            panic!("cannot kill pod {}: {error}", self.index);
        }
        self.remove().await
    }

    /// Removes it with its process, in any state; prints a failure.
    pub(super) async fn kill_quietly(&mut self, docker: &Docker) {
        let Some(container) = self.container.take() else {
            return;
        };
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        let removed = docker.remove_container(container.id(), Some(options)).await;
        if let Err(error) = removed {
            eprintln!(
                "the container of pod {} is left behind: {error}",
                self.index
            );
        }
    }

    async fn remove(&mut self) -> PodEnd {
        let Some(container) = self.container.take() else {
            panic!("pod {} has no container", self.index);
        };
        let ended = ended(&container).await;
        if let Err(error) = container.rm().await {
            panic!("cannot remove pod {}: {error}", self.index);
        }
        ended
    }

    /// Removes its volumes; the next container gets new ones.
    pub(super) async fn remove_volumes(&mut self, docker: &Docker) {
        for name in std::mem::take(&mut self.volumes).into_values() {
            let removed = docker.remove_volume(&name, None::<RemoveVolumeOptions>);
            if let Err(error) = removed.await {
                eprintln!("the volume {name} is left behind: {error}");
            }
        }
    }
}

/// Runs the image once, without a network, to its end.
pub async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> PodEnd {
    image::build().await;
    let mut request = GenericImage::new(IMAGE.0, IMAGE.1)
        .with_cmd(arguments.iter().copied())
        .with_network("none")
        .with_labels(labels());
    for (name, value) in variables {
        request = request.with_env_var(*name, *value);
    }
    let container = match request.start().await {
        Ok(container) => container,
        Err(error) => panic!("cannot start a container: {error}"),
    };
    eventually("the container ends", async || {
        matches!(container.is_running().await, Ok(false))
    })
    .await;
    let ended = ended(&container).await;
    if let Err(error) = container.rm().await {
        panic!("cannot remove a container: {error}");
    }
    ended
}

/// How a container ended that did.
async fn ended(container: &ContainerAsync<GenericImage>) -> PodEnd {
    let mut status = None;
    eventually("a container that was told to end does", async || {
        status = container.exit_code().await.ok().flatten();
        status.is_some()
    })
    .await;
    PodEnd {
        status: status.unwrap_or(-1),
        output: output(container).await,
    }
}

/// The output of a container.
pub(super) async fn output(container: &ContainerAsync<GenericImage>) -> String {
    let mut output = Vec::new();
    for part in [
        container.stdout_to_vec().await,
        container.stderr_to_vec().await,
    ] {
        output.extend(part.unwrap_or_default());
    }
    String::from_utf8_lossy(&output).into_owned()
}

/// Maps ports to free ones of 127.0.0.1: by itself the library maps them on every address. Limits the memory too, swap
/// included.
fn with_ports_of_this_machine(
    ports: &[u16],
    memory_bytes: Option<i64>,
) -> ContainerRequest<GenericImage> {
    let mut image = GenericImage::new(IMAGE.0, IMAGE.1);
    let mut bindings = HashMap::new();
    for &port in ports {
        image = image.with_exposed_port(port.tcp());
        let binding = PortBinding {
            host_ip: Some(Ipv4Addr::LOCALHOST.to_string()),
            host_port: None,
        };
        bindings.insert(format!("{port}/tcp"), Some(vec![binding]));
    }
    image.with_host_config_modifier(move |config| {
        config.publish_all_ports = Some(false);
        config.port_bindings = Some(bindings.clone());
        config.memory = memory_bytes;
        config.memory_swap = memory_bytes;
    })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
