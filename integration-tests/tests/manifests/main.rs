//! The manifests, the image's files, the compose file and the unit of systemd: parsed as their types, and compared with
//! each other and with the program. Needs no Docker.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod agreement;
mod cert_manager;
mod chart;
mod components;
mod compose;
mod image;
mod kustomized;
mod policies;
mod systemd;

/// The text of a file, by its path from the top of the repository.
fn file(path: &str) -> String {
    let path = herd_integration_tests::containers::folder()
        .join("..")
        .join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
