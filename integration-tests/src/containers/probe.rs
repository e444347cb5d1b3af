//! Probes, run as the kubelet would run them.

use std::time::Duration;

use k8s_openapi::api::core::v1::Probe;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::sync::OnceCell;
use tokio::time::sleep;

/// An HTTP client for this machine.
pub(super) async fn http() -> &'static reqwest::Client {
    static CLIENT: OnceCell<reqwest::Client> = OnceCell::const_new();
    CLIENT
        .get_or_init(async || {
            // No request here is encrypted, but the client wants to be able to. Fails if one is set.
            let _ = rustls::crypto::ring::default_provider().install_default();
            reqwest::Client::new()
        })
        .await
}

/// An HTTP probe of the manifests.
#[derive(Clone, Debug)]
pub(super) struct HttpProbe {
    path: String,
    port_name: String,
    period: Duration,
    timeout: Duration,
    failures_max: u32,
}

impl HttpProbe {
    /// Reads it, with Kubernetes' own defaults.
    pub(super) fn new(probe: Option<&Probe>) -> HttpProbe {
        let Some((probe, get)) = probe.and_then(|p| Some((p, p.http_get.as_ref()?))) else {
            panic!("no HTTP probe");
        };
        let IntOrString::String(port_name) = &get.port else {
            panic!("the probe's port has no name");
        };
        let number = |value: Option<i32>, default: i32| value.unwrap_or(default).unsigned_abs();
        let seconds = |value, default| Duration::from_secs(number(value, default).into());
        HttpProbe {
            path: get.path.clone().unwrap_or_else(|| "/".to_owned()),
            port_name: port_name.clone(),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            failures_max: number(probe.failure_threshold, 3),
        }
    }

    pub(super) fn port_name(&self) -> &str {
        &self.port_name
    }

    /// One look. A reply from 200 to 399 counts as success.
    pub(super) async fn passes(&self, host_port: u16) -> bool {
        let url = format!("http://127.0.0.1:{host_port}{}", self.path);
        let reply = http().await.get(url).timeout(self.timeout).send().await;
        reply.is_ok_and(|reply| (200..400).contains(&reply.status().as_u16()))
    }

    /// Looks until it passes, or has failed as often in a row as it may.
    pub(super) async fn passes_in_time(&self, host_port: u16) -> bool {
        for _ in 0..self.failures_max {
            if self.passes(host_port).await {
                return true;
            }
            sleep(self.period).await;
        }
        false
    }
}
