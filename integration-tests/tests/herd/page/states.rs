//! What a page says of a herd that is empty, cut off, or large.

use std::collections::BTreeSet;

use herd_integration_tests::{Browser, Herd, Passage, Topology, browser, eventually};
use serde_json::json;

use super::link_state;

fn page(herd: &Herd, server: &str) -> String {
    format!("http://{}/", herd.server(server).addresses().http)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_herd_says_so_also_after_a_restart() {
    if browser::skipped() {
        return;
    }
    let topology = Topology::new(&["Hill"], &[]);
    let builder = Herd::builder(topology).argument("--http-locations");
    let mut herd = builder.start().await;
    let browser = Browser::start().await;
    browser.open_live(&page(&herd, "Hill")).await;
    browser.shows("#clients", |text| text == "0").await;
    browser
        .shows("#empty", |text| text.contains("IAMAT kiwi"))
        .await;
    let mut hill = herd.client("Hill").await;
    hill.report("kiwi", "+60.17+24.94", "1").await;
    browser.shows("#clients", |text| text == "1").await;
    browser.shows("#empty", str::is_empty).await;
    browser
        .shows("#in-view-rows", |text| text.contains("kiwi"))
        .await;
    // It keeps nothing on disk here.
    herd.server_mut("Hill").kill();
    herd.server_mut("Hill").restart().await;
    browser.shows("#clients", |text| text == "0").await;
    browser
        .shows("#empty", |text| text.contains("IAMAT kiwi"))
        .await;
    browser.shows("#in-view-rows", str::is_empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_cut_off_says_what_it_cannot_know() {
    if browser::skipped() {
        return;
    }
    let builder = Herd::builder(Topology::five()).argument("--http-locations");
    let mut herd = builder.proxied().start().await;
    herd.linked().await;
    let mut campbell = herd.client("Campbell").await;
    campbell.report("kiwi", "+60.17+24.94", "1").await;
    let browser = Browser::start().await;
    browser.open_live(&page(&herd, "Hill")).await;
    browser.shows("#clients", |text| text == "1").await;
    browser.shows("#state", |text| text == "Live").await;
    for neighbour in ["Jaquez", "Smith"] {
        herd.set_link("Hill", neighbour, Passage::Cut);
    }
    browser
        .shows("#banner-title", |text| {
            text.starts_with("Cut off from the other 4 since ")
        })
        .await;
    browser.shows("#state", |text| text == "Cut off").await;
    browser
        .shows("#legend", |text| text.contains("may be out of date"))
        .await;
    for (link, state) in [
        ("Hill-Jaquez", "down"),
        ("Hill-Smith", "down"),
        ("Campbell-Singleton", "unknown"),
        ("Jaquez-Singleton", "unknown"),
    ] {
        eventually(format!("{link} is {state}"), async || {
            link_state(&browser, link).await == state
        })
        .await;
    }
    for neighbour in ["Jaquez", "Smith"] {
        herd.set_link("Hill", neighbour, Passage::Open);
    }
    browser.shows("#banner", str::is_empty).await;
    browser
        .shows("#herd-summary", |text| text == "All 5 servers are up.")
        .await;
    browser.shows("#state", |text| text == "Live").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_servers_have_names_and_colours_of_their_own() {
    if browser::skipped() {
        return;
    }
    let names: Vec<String> = (0..12)
        .map(|number| format!("Server-number-{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let links: Vec<(&str, &str)> = names.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let builder = Herd::builder(Topology::new(&names, &links)).argument("--http-locations");
    let herd = builder.start().await;
    let browser = Browser::start().await;
    let address = format!("{}?colour=server", page(&herd, names[0]));
    browser.open_live(&address).await;
    browser
        .shows("#legend", |text| {
            names.iter().all(|name| text.contains(name))
        })
        .await;
    let colours = "return [...document.querySelectorAll('#legend .chip')].map((chip) => getComputedStyle(chip).backgroundColor)";
    let colours = browser.run(colours).await;
    let colours: BTreeSet<&str> = colours
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c.as_str())
        .collect();
    assert_eq!(colours.len(), 12);
    let cut = "const page = document.querySelector('aside').getBoundingClientRect();
        const texts = [...document.querySelectorAll('#drawing text.name')];
        return texts.filter((text) => {
            const { left, right } = text.getBoundingClientRect();
            return left < page.left || right > page.right;
        }).map((text) => text.textContent)";
    assert_eq!(browser.run(cut).await, json!([]));
    let shown = "return document.querySelectorAll('#drawing text.name').length";
    assert_eq!(browser.run(shown).await, json!(12));
}
