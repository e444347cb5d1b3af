//! The Docker engine of this machine, and the leftovers of tests in it.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::rights::required;

/// The label of everything that a test makes; its value names machine and process.
const LABEL: &str = "herd-test-process";

/// Makes a missing engine a failure.
const REQUIRE: &str = "HERD_REQUIRE_DOCKER";

/// How long the engine may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Whether tests of containers have to be left out, because no engine answers. Prints this once, even where the test
/// runner hides the output of tests that pass. With `HERD_REQUIRE_DOCKER=1` it fails the test instead.
pub async fn skipped() -> bool {
    static ANSWERS: OnceCell<bool> = OnceCell::const_new();
    let answers = ANSWERS.get_or_init(async || match ask().await {
        Ok(docker) => {
            sweep(&docker).await;
            true
        }
        Err(reason) => {
            // Not `eprintln!`, which the test runner catches.
            let _ = writeln!(
                std::io::stderr(),
                "tests of containers are skipped: no Docker engine answers ({reason})"
            );
            false
        }
    });
    let answers = *answers.await;
    if required(REQUIRE) && !answers {
        panic!("no Docker engine answers, and {REQUIRE}=1 says that one must");
    }
    !answers
}

async fn ask() -> Result<Docker, String> {
    let docker = Docker::connect_with_defaults().map_err(|error| error.to_string())?;
    match timeout(ANSWER_MAX, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {ANSWER_MAX:?}")),
    }
}

/// A connection to the engine.
pub fn engine() -> Docker {
    match Docker::connect_with_defaults() {
        Ok(docker) => docker,
        Err(error) => panic!("cannot talk to Docker: {error}"),
    }
}

/// The labels of the objects that this process makes.
pub(super) fn labels() -> HashMap<String, String> {
    HashMap::from([(LABEL.to_owned(), owner(std::process::id()))])
}

fn owner(pid: u32) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}/{pid}", host.trim())
}

/// A name that no other herd has.
pub(super) fn unique(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("herd-test-{}-{count}-{what}", std::process::id())
}

/// Whether the process that made this runs no more. One on another machine may.
fn is_left_over(labels: Option<&HashMap<String, String>>) -> bool {
    let Some(owner_of_it) = labels.and_then(|labels| labels.get(LABEL)) else {
        return false;
    };
    let Some((_, pid)) = owner_of_it.rsplit_once('/') else {
        return false;
    };
    let Ok(pid) = pid.parse::<i32>() else {
        return false;
    };
    *owner_of_it == owner(pid.unsigned_abs())
        && kill(Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH)
}

/// Removes the leftovers of processes that were killed in the middle of a test.
async fn sweep(docker: &Docker) {
    let labelled = HashMap::from([("label", vec![LABEL])]);
    let containers = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&labelled)
        .build();
    let containers = docker.list_containers(Some(containers)).await;
    for container in containers.unwrap_or_default() {
        if let (true, Some(id)) = (is_left_over(container.labels.as_ref()), container.id) {
            let options = RemoveContainerOptionsBuilder::new()
                .force(true)
                .v(true)
                .build();
            let _ = docker.remove_container(&id, Some(options)).await;
        }
    }
    let networks = ListNetworksOptionsBuilder::new().filters(&labelled).build();
    for network in docker
        .list_networks(Some(networks))
        .await
        .unwrap_or_default()
    {
        if let (true, Some(name)) = (is_left_over(network.labels.as_ref()), network.name) {
            let _ = docker.remove_network(&name).await;
        }
    }
    let volumes = ListVolumesOptionsBuilder::new().filters(&labelled).build();
    let volumes = docker.list_volumes(Some(volumes)).await;
    for volume in volumes
        .ok()
        .and_then(|list| list.volumes)
        .unwrap_or_default()
    {
        if is_left_over(Some(&volume.labels)) {
            let _ = docker
                .remove_volume(&volume.name, None::<RemoveVolumeOptions>)
                .await;
        }
    }
}

/// Runs `work` to its end from where nothing can be awaited: in a thread and a runtime of its own.
pub(super) fn block_on(work: impl Future<Output = ()> + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(work),
                Err(error) => eprintln!("nothing is tidied up: {error}"),
            }
        });
    });
}
