//! The two networks of a herd.

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{
    EndpointSettings, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest,
};

use super::docker::{labels, unique};

/// A network that no other herd uses.
#[derive(Clone, Debug)]
pub(super) struct Network {
    name: String,
}

impl Network {
    /// Makes one; `internal` if it has no way out of this machine.
    pub(super) async fn create(docker: &Docker, what: &str, internal: bool) -> Network {
        let name = unique(what);
        let request = NetworkCreateRequest {
            name: name.clone(),
            internal: Some(internal),
            labels: Some(labels()),
            ..Default::default()
        };
        if let Err(error) = docker.create_network(request).await {
            panic!("cannot make the network {name}: {error}");
        }
        Network { name }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Joins a container, under a name that the others find it by. The name has to be given at each
    /// join: it goes with the connection.
    pub(super) async fn join(&self, docker: &Docker, container: &str, alias: &str) {
        let request = NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(EndpointSettings {
                aliases: Some(vec![alias.to_owned()]),
                ..Default::default()
            }),
        };
        if let Err(error) = docker.connect_network(&self.name, request).await {
            panic!("cannot join {alias} to {}: {error}", self.name);
        }
    }

    pub(super) async fn leave(&self, docker: &Docker, container: &str) {
        let request = NetworkDisconnectRequest {
            container: container.to_owned(),
            force: Some(true),
        };
        if let Err(error) = docker.disconnect_network(&self.name, request).await {
            panic!("cannot cut {container} off from {}: {error}", self.name);
        }
    }

    pub(super) async fn remove(&self, docker: &Docker) {
        if let Err(error) = docker.remove_network(&self.name).await {
            eprintln!("the network {} is left behind: {error}", self.name);
        }
    }
}
