//! The content of the image.

use herd_integration_tests::containers::{IMAGE, engine, run, skipped};

/// The most that the image may weigh.
const BYTES_MAX: i64 = 28_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_small_says_its_version_and_has_no_privileges() {
    if skipped().await {
        return;
    }
    // Builds it.
    let ended = run(&["--version"], &[]).await;
    assert_eq!(
        ended.output.trim(),
        concat!("herd ", env!("CARGO_PKG_VERSION"))
    );
    let name = format!("{}:{}", IMAGE.0, IMAGE.1);
    let image = engine().inspect_image(&name).await.unwrap();
    let bytes = image.size.unwrap();
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
    let config = image.config.unwrap();
    assert_eq!(config.user.as_deref(), Some("65532:65532"));
    let labels = config.labels.unwrap();
    let label = |name: &str| &*labels[&format!("org.opencontainers.image.{name}")];
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), "MIT OR Apache-2.0");
    assert!(!label("revision").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_has_the_certificates_of_providers() {
    if skipped().await {
        return;
    }
    let arguments = ["check-config", "--name=Hill", "--places=google"];
    let key = ("HERD_PLACES_KEY", "AIzaSyAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let ended = run(&arguments, &[key]).await;
    assert_eq!(ended.status, 0, "{}", ended.output);
    // It is these certificates that it found.
    let ended = run(&arguments, &[key, ("SSL_CERT_FILE", "/no/such/file")]).await;
    assert_eq!(ended.status, 64, "{}", ended.output);
    assert!(
        ended.output.contains("no certificate authorities"),
        "{}",
        ended.output
    );
}
