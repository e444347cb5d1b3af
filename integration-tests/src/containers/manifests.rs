//! The manifests in `k8s/`.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, PodSpec, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::{Deserialize, Serialize};

use super::typed::{folder, typed};

/// The key of the topology in its ConfigMap.
const TOPOLOGY_KEY: &str = "topology";

/// A kustomization, as far as ours go.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kustomization {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    kind: String,
    resources: Vec<String>,
    #[serde(default)]
    components: Vec<String>,
    #[serde(default)]
    labels: Vec<Labels>,
    #[serde(default)]
    images: Vec<Image>,
    #[serde(default)]
    replicas: Vec<Replicas>,
    #[serde(default)]
    config_map_generator: Vec<ConfigMapGenerator>,
    #[serde(default)]
    patches: Vec<Patch>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Image {
    name: String,
    new_tag: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Labels {
    pairs: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Replicas {
    name: String,
    count: usize,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ConfigMapGenerator {
    name: String,
    files: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    path: String,
}

/// The objects of `k8s/kustomization.yaml`, and its changes to them.
#[derive(Clone, Debug)]
pub struct Manifests {
    /// The files that it deploys, in order.
    pub resources: Vec<String>,
    /// The servers.
    pub stateful_set: StatefulSet,
    /// For clients.
    pub service: Service,
    /// For links.
    pub peer_service: Service,
    /// The disruption budget for drained nodes.
    pub disruption_budget: PodDisruptionBudget,
    /// The allowed connections.
    pub network_policy: NetworkPolicy,
    /// The identity of the pods.
    pub service_account: ServiceAccount,
    /// The labels that all objects and pods have.
    pub labels: BTreeMap<String, String>,
    /// How many servers.
    pub replicas: usize,
    /// The tag of the image, by its name.
    pub images: BTreeMap<String, String>,
    /// The generated ConfigMap: its name, and its texts by their keys.
    pub config_map: (String, BTreeMap<String, String>),
}

/// The component of `k8s/online-places`.
#[derive(Clone, Debug)]
pub struct OnlinePlaces {
    /// The way out.
    pub network_policy: NetworkPolicy,
    /// The patch of the StatefulSet.
    pub patch: StatefulSet,
}

fn read(path: &str) -> anyhow::Result<String> {
    let path = folder().join(path);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn object<T: serde::de::DeserializeOwned + Serialize>(path: &str) -> anyhow::Result<T> {
    typed(&read(path)?).with_context(|| path.to_owned())
}

impl Manifests {
    /// Reads them.
    ///
    /// # Errors
    /// If a file is missing, is not the object that it should be, or has a field that is unknown.
    pub fn read() -> anyhow::Result<Manifests> {
        let kustomization: Kustomization =
            serde_saphyr::from_str(&read("kustomization.yaml")?).context("kustomization.yaml")?;
        ensure!(kustomization.kind == "Kustomization", "not a kustomization");
        let [replicas] = &kustomization.replicas[..] else {
            anyhow::bail!("not one number of replicas");
        };
        let [generator] = &kustomization.config_map_generator[..] else {
            anyhow::bail!("not one ConfigMap");
        };
        let mut texts = BTreeMap::new();
        for file in &generator.files {
            texts.insert(file.clone(), read(file)?);
        }
        let [labels] = &kustomization.labels[..] else {
            anyhow::bail!("not one list of labels");
        };
        ensure!(
            kustomization.components.is_empty(),
            "components are for others to choose"
        );
        let manifests = Manifests {
            resources: kustomization.resources,
            stateful_set: object("statefulset.yaml")?,
            service: object("service.yaml")?,
            peer_service: object("service-peers.yaml")?,
            disruption_budget: object("poddisruptionbudget.yaml")?,
            network_policy: object("networkpolicy.yaml")?,
            service_account: object("serviceaccount.yaml")?,
            labels: labels.pairs.clone(),
            replicas: replicas.count,
            images: kustomization
                .images
                .into_iter()
                .map(|image| (image.name, image.new_tag))
                .collect(),
            config_map: (generator.name.clone(), texts),
        };
        let own_name = manifests.stateful_set.metadata.name.as_deref();
        ensure!(
            own_name == Some(&replicas.name),
            "the number of replicas is not that of the StatefulSet"
        );
        Ok(manifests)
    }

    /// The template of a pod.
    pub fn pod(&self) -> &PodSpec {
        let template = self.stateful_set.spec.as_ref().map(|spec| &spec.template);
        match template.and_then(|template| template.spec.as_ref()) {
            Some(pod) => pod,
            None => panic!("the StatefulSet has no pod"),
        }
    }

    /// The one container of a pod.
    pub fn container(&self) -> &Container {
        match &self.pod().containers[..] {
            [container] => container,
            _ => panic!("a pod has not one container"),
        }
    }

    /// The topology file.
    pub fn topology(&self) -> &str {
        match self.config_map.1.get(TOPOLOGY_KEY) {
            Some(text) => text,
            None => panic!("the ConfigMap has no {TOPOLOGY_KEY}"),
        }
    }

    /// Takes another topology, and as many servers as it has.
    pub fn set_topology(&mut self, text: &str) {
        self.replicas = server_names(text).len();
        let texts = &mut self.config_map.1;
        texts.insert(TOPOLOGY_KEY.to_owned(), text.to_owned());
    }

    /// The number of a named port of the container.
    pub fn port(&self, name: &str) -> u16 {
        let mut ports = self.container().ports.iter().flatten();
        let port = ports.find(|port| port.name.as_deref() == Some(name));
        match port.and_then(|port| u16::try_from(port.container_port).ok()) {
            Some(port) => port,
            None => panic!("the container has no port {name}"),
        }
    }

    /// The name of a pod.
    pub fn pod_name(&self, index: usize) -> String {
        let set = self.stateful_set.metadata.name.as_deref();
        format!("{}-{index}", set.unwrap_or_default())
    }

    /// The name that the headless service gives a pod, inside its namespace.
    pub fn host_name(&self, index: usize) -> String {
        let spec = self.stateful_set.spec.as_ref();
        let service = spec.and_then(|spec| spec.service_name.as_deref());
        format!("{}.{}", self.pod_name(index), service.unwrap_or_default())
    }

    /// How long a pod may take to stop, in seconds.
    pub fn grace_s(&self) -> i64 {
        // Kubernetes' own default.
        self.pod().termination_grace_period_seconds.unwrap_or(30)
    }
}

impl OnlinePlaces {
    /// Reads them.
    ///
    /// # Errors
    /// As [`Manifests::read`].
    pub fn read() -> anyhow::Result<OnlinePlaces> {
        let path = "online-places/kustomization.yaml";
        let component: Kustomization = serde_saphyr::from_str(&read(path)?).context(path)?;
        ensure!(component.kind == "Component", "not a component");
        let [resource] = &component.resources[..] else {
            anyhow::bail!("not one resource");
        };
        let [patch] = &component.patches[..] else {
            anyhow::bail!("not one patch");
        };
        Ok(OnlinePlaces {
            network_policy: object(&format!("online-places/{resource}"))?,
            patch: object(&format!("online-places/{}", patch.path))?,
        })
    }
}

/// The servers of a topology file, in order.
pub(super) fn server_names(topology: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in topology.lines() {
        let mut words = line.split_whitespace();
        if let (Some("server"), Some(name)) = (words.next(), words.next()) {
            names.push(name.to_owned());
        }
    }
    names
}
