//! A page of somebody else, in a real browser, that tries to report a client.

use herd_integration_tests::{Browser, Herd, Topology, browser, eventually, series};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_reports_nothing_for_a_page() {
    if browser::skipped() {
        return;
    }
    let herd = Herd::builder(Topology::new(&["Hill"], &[])).start().await;
    let addresses = herd.server("Hill").addresses();
    let browser = Browser::start().await;
    // The empty page that a browser begins with is of no server's origin.
    let client_port = addresses.client;
    let post = format!(
        "fetch('http://{client_port}/', {{
            method: 'POST', mode: 'no-cors', body: '\\nIAMAT victim +34.0-118.4 1520023934\\n'
        }}).catch(() => {{}})"
    );
    let foreign = "herd_client_connections_foreign_total{protocol=\"http\"}";
    eventually(
        "the browser's request has come and was closed",
        async || {
            browser.run(&post).await;
            series(addresses.http, foreign).await > 0.0
        },
    )
    .await;
    assert!(herd.client("Hill").await.find("victim").await.is_none());
}
