//! Herds of containers, deployed as the manifests in `k8s/` say.
//!
//! A [`Herd`] plays the part of Kubernetes with those manifests: arguments, variables, user, read-only root, volumes,
//! names and probes are theirs, so that the tests use the deployed settings. Pods can be killed, paused, deleted and
//! started again, and cut off from the others; clients reach them from this machine all the while, through ports on
//! 127.0.0.1.
//!
//! ```no_run
//! # use herd_integration_tests::containers::{self, Herd};
//! # async fn test() {
//! if containers::skipped().await {
//!     return;
//! }
//! let mut herd = Herd::builder().start().await;
//! let at = herd.client("Hill").await.report("kiwi", "+34.0-118.4", "1520023934.9").await;
//! herd.disconnect("Campbell").await;
//! herd.kill("Smith").await;
//! herd.pause("Jaquez").await;
//! herd.restart("Smith").await;
//! # }
//! ```
//!
//! Each container is in two networks: one that its mapped ports need, and one in which servers find
//! each other by the names that the headless service would give them. Only the second is ever cut.
//!
//! Containers, networks and volumes go with the [`Herd`]. If this process is killed, the next one that uses Docker
//! removes its leftovers.
//!
//! Tests that need a Docker engine begin with [`skipped`].

mod certificates;
mod docker;
mod herd;
mod image;
mod manifests;
mod network;
mod pod;
mod probe;
mod typed;

pub use docker::{engine, skipped};
pub use herd::{Herd, HerdBuilder};
pub use image::IMAGE;
pub use manifests::{Manifests, OnlinePlaces};
pub use pod::{PodEnd, run};
pub use typed::{documents, folder, typed};
