//! A page of somebody else, in a real browser, that tries to report a client at the ports of a server.

use std::net::SocketAddr;

use herd_integration_tests::{Browser, Herd, Topology, browser, eventually, series};

use crate::elsewhere::Elsewhere;

/// The page. Forms are submitted to a frame, so that the page stays.
const PAGE: &str = "<!doctype html><title>elsewhere</title><iframe name=sink></iframe>";

/// A report, as lines within the parts that the browser adds before and behind it.
const REPORT: &str = "\\n\\nIAMAT victim +34.0-118.4 1520023934\\n";

/// Each way in which a page can make the browser speak to a port: its name, and the script that does so.
fn ways(port: SocketAddr) -> [(&'static str, String); 8] {
    let fetch = |path: &str, options: &str| {
        format!("fetch('http://{port}/{path}', {{ mode: 'no-cors', {options} }}).catch(() => {{}})")
    };
    let form = |kind: &str| {
        format!(
            "const form = document.createElement('form');
             form.action = 'http://{port}/'; form.method = 'POST'; form.enctype = '{kind}'; form.target = 'sink';
             const field = document.createElement('textarea');
             field.name = '{REPORT}x'; field.value = '{REPORT}'; form.append(field);
             document.body.append(form); form.submit(); form.remove()"
        )
    };
    [
        (
            "fetch with a text",
            fetch("", &format!("method: 'POST', body: '{REPORT}'")),
        ),
        (
            "fetch with bytes",
            fetch(
                "",
                &format!("method: 'POST', body: new Blob(['{REPORT}'.repeat(1000)])"),
            ),
        ),
        (
            "fetch of a path",
            fetch("%0aIAMAT%20victim%20+1+1%201%0a", "method: 'GET'"),
        ),
        ("a form of plain text", form("text/plain")),
        ("a form of parts", form("multipart/form-data")),
        (
            "a beacon",
            format!("navigator.sendBeacon('http://{port}/', '{REPORT}')"),
        ),
        (
            "a WebSocket",
            format!("new WebSocket('ws://{port}/', 'IAMAT')"),
        ),
        (
            "an image",
            format!("new Image().src = 'http://{port}/?' + Math.random()"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_reports_nothing_for_a_page() {
    if browser::skipped() {
        return;
    }
    let herd = Herd::builder(Topology::new(&["Hill"], &[])).start().await;
    let addresses = herd.server("Hill").addresses();
    let mut client = herd.client("Hill").await;
    let page = Elsewhere::serve(PAGE).await;
    let browser = Browser::start().await;
    eventually("the page is loaded", async || {
        browser.open(&page.origin).await;
        browser.run("return document.title").await == "elsewhere"
    })
    .await;
    let closed = async |protocol: &str| {
        let name = format!("herd_client_connections_foreign_total{{protocol=\"{protocol}\"}}");
        series(addresses.http, &name).await
    };
    let hello = format!("fetch('https://{}/').catch(() => {{}})", addresses.client);
    let ways = ways(addresses.client).map(|(name, script)| (name, script, "http"));
    for (name, script, protocol) in ways.into_iter().chain([("TLS", hello, "tls")]) {
        let before = closed(protocol).await;
        browser.run(&script).await;
        eventually(format!("{name}: came, and was closed"), async || {
            let known = client.find("victim").await;
            assert_eq!(known, None, "{name}: a page has reported a client");
            closed(protocol).await > before
        })
        .await;
        assert_eq!(client.find("victim").await, None, "{name}");
    }
    assert_eq!(series(addresses.http, "herd_clients").await, 0.0);
}
