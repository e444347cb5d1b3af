//! The example `map.html` in a real browser, on a page of another origin than the herd.

use herd_integration_tests::{Browser, Herd, Topology, browser, eventually};

use crate::elsewhere::Elsewhere;
use crate::forgetting::forget;

const MAP: &str = include_str!("../../../examples/map.html");

/// The rows of the table, each a van, its nearest depot and the distance to it.
const ROWS: &str = "return [...document.querySelectorAll('#vans tr')].map((row) =>
     [...row.cells].map((cell) => cell.textContent).join(' '))";

/// Where the map has a van.
fn dot(van: &str) -> String {
    format!(
        "const dot = document.querySelector('circle[data-id=\"{van}\"]');
         return dot && [dot.cx.baseVal.value, dot.cy.baseVal.value]"
    )
}

async fn shows(browser: &Browser, rows: &[&str]) {
    eventually(format!("it shows {rows:?}"), async || {
        browser.run(ROWS).await == serde_json::json!(rows)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_in_html_shows_the_nearest_depots() {
    assert!(
        !MAP.contains("src=") && !MAP.contains("href=") && !MAP.contains("import "),
        "it needs something else"
    );
    if browser::skipped() {
        return;
    }
    let page = Elsewhere::serve(MAP).await;
    let mut herd = Herd::builder(Topology::five())
        .argument("--http-locations")
        .argument(&format!("--http-cors-origin={}", page.origin))
        .start()
        .await;
    let [hill, smith] = ["Hill", "Smith"].map(|name| herd.server(name).addresses().http);
    let mut campbell = herd.client("Campbell").await;
    for (client, place) in [
        ("depot-north", "+60.2+024.9"),
        ("depot-south", "+60.0+024.9"),
        ("van-1", "+60.19+024.9"),
        ("van-2", "+60.05+024.9"),
        ("other", "+10+10"),
    ] {
        campbell.report(client, place, "1").await;
    }
    let browser = Browser::start().await;
    let url = format!("{}/?herd=http://{hill},http://{smith}", page.origin);
    browser.open_live(&url).await;
    shows(
        &browser,
        &["van-1 depot-north 1.1", "van-2 depot-south 5.6"],
    )
    .await;
    assert_eq!(browser.text("#state").await, "2 vans");
    let squares = "return document.querySelectorAll('rect.depot').length";
    assert_eq!(browser.run(squares).await, 2);
    let before = browser.run(&dot("van-1")).await;
    assert!(before.is_array(), "{before}");

    // It moves, as another server hears, and has another depot.
    campbell.report("van-1", "+60.06+024.8", "2").await;
    let rows = ["van-1 depot-south 8.7", "van-2 depot-south 5.6"];
    shows(&browser, &rows).await;
    assert_ne!(browser.run(&dot("van-1")).await, before);

    // An ID is text.
    let evil = "van-<img/src=x/onerror=document.body.remove()>";
    campbell.report(evil, "+60.2+024.9", "1").await;
    let row = format!("{evil} depot-north 0.0");
    shows(&browser, &[rows[0], rows[1], &row]).await;
    assert_eq!(browser.run("return document.images.length").await, 0);

    // The next server is asked when this one is lost, and all that has changed meanwhile is shown.
    herd.server_mut("Hill").kill();
    forget(&herd, "Campbell", evil).await;
    campbell.report("van-2", "+60.2+024.9", "2").await;
    shows(&browser, &[rows[0], "van-2 depot-north 0.0"]).await;
    assert_eq!(browser.connection().await, "live");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_in_html_needs_to_be_let_in() {
    if browser::skipped() {
        return;
    }
    let page = Elsewhere::serve(MAP).await;
    let builder = Herd::builder(Topology::new(&["Hill"], &[]));
    let herd = builder.argument("--http-locations").start().await;
    let hill = herd.server("Hill").addresses().http;
    herd.client("Hill").await.report("van-1", "+1+1", "1").await;
    let browser = Browser::start().await;
    eventually("the page says that it is not connected", async || {
        browser
            .open(&format!("{}/?herd=http://{hill}", page.origin))
            .await;
        browser.connection().await == "lost"
    })
    .await;
    assert_eq!(browser.run(ROWS).await, serde_json::json!([]));
}
