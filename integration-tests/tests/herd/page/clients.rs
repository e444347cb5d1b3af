//! Clients are found, followed, listed, shared, watched and forgotten.

use herd_integration_tests::{Browser, Client, Herd, Topology, browser, eventually};
use serde_json::json;

/// WebDriver's codes of keys.
const ENTER: char = '\u{e007}';
const DOWN: char = '\u{e015}';

const CHOSEN: &str = "#client [data-field=location]";
const TITLE: &str = "#client-title";

/// A herd with some vans in Helsinki, and a page of Hill.
async fn vans() -> (Herd, Browser, String) {
    let topology = Topology::new(&["Hill", "Jaquez"], &[("Hill", "Jaquez")]);
    let builder = Herd::builder(topology).argument("--http-locations");
    let herd = builder.start().await;
    let mut jaquez = herd.client("Jaquez").await;
    for (van, location) in [
        ("Van-1", "+60.170+24.940"),
        ("van-2", "+60.180+24.950"),
        ("van-3", "+60.190+24.990"),
        ("caravan", "+60.160+24.900"),
    ] {
        jaquez.report(van, location, "1520023934").await;
    }
    let browser = Browser::start().await;
    let page = format!("http://{}/", herd.server("Hill").addresses().http);
    browser.open_live(&page).await;
    browser.shows("#clients", |text| text == "4").await;
    (herd, browser, page)
}

async fn focus(browser: &Browser, id: &str) {
    let focus = format!("document.getElementById('{id}').focus()");
    browser.run(&focus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_found_followed_and_shared() {
    if browser::skipped() {
        return;
    }
    let (herd, browser, page) = vans().await;
    // As one types, in any case; the list by arrow keys.
    focus(&browser, "find-id").await;
    browser.press(&['v', 'a', 'N', '-']).await;
    browser
        .shows("#found", |text| text == "Van-1\nvan-2\nvan-3")
        .await;
    browser.press(&[DOWN, DOWN, ENTER]).await;
    browser.shows(TITLE, |text| text == "van-2").await;
    browser.shows(CHOSEN, |text| text == "+60.180+24.950").await;
    let utc = browser.text("#client [data-field=time]").await;
    assert!(utc.starts_with("2018-03-02 20:52:14 UTC"), "{utc}");

    let mut hill = herd.client("Hill").await;
    it_is_followed_until_the_map_is_moved(&browser, &mut hill).await;
    its_address_brings_it_back(&browser, &page).await;
}

async fn it_is_followed_until_the_map_is_moved(browser: &Browser, hill: &mut Client) {
    let is_in_view = "const { chosenX: x, chosenY: y } = document.getElementById('map').dataset;
        const { width, height } = document.getElementById('map').getBoundingClientRect();
        return x > 0 && x < width && y > 0 && y < height";
    hill.report("van-2", "+61.5+23.8", "1520023935").await;
    browser.shows(CHOSEN, |text| text == "+61.5+23.8").await;
    eventually("the map has followed", async || {
        browser.run(is_in_view).await == json!(true)
    })
    .await;
    let trail = "return document.querySelector('.leaflet-overlay-pane path').getAttribute('d')";
    eventually("its trail is drawn", async || {
        let trail = browser.run(trail).await;
        trail.as_str().is_some_and(|trail| trail.contains('L'))
    })
    .await;
    focus(browser, "map").await;
    browser.press(&[DOWN]).await;
    let follows = "return document.getElementById('follow').getAttribute('aria-pressed')";
    eventually("it is followed no more", async || {
        browser.run(follows).await == json!("false")
    })
    .await;
    hill.report("van-2", "+65.0+25.5", "1520023936").await;
    browser.shows(CHOSEN, |text| text == "+65.0+25.5").await;
    eventually("the map stays", async || {
        browser.run(is_in_view).await == json!(false)
    })
    .await;
}

async fn its_address_brings_it_back(browser: &Browser, page: &str) {
    let mut address = String::new();
    eventually("the address has view and choice", async || {
        let said = browser.run("return location.href").await;
        address = said.as_str().unwrap_or_default().to_owned();
        address.starts_with(&format!("{page}?client=van-2#map="))
    })
    .await;
    browser.open("about:blank").await;
    browser.open_live(&address).await;
    browser.shows(TITLE, |text| text == "van-2").await;
    browser.shows(CHOSEN, |text| text == "+65.0+25.5").await;
    let hash = "return location.href";
    assert_eq!(
        browser.run(hash).await,
        json!(address),
        "the view is the same"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_in_view_are_listed_sorted_and_chosen_by_keyboard() {
    if browser::skipped() {
        return;
    }
    let (herd, browser, _) = vans().await;
    let mut hill = herd.client("Hill").await;
    hill.report("van-3", "+60.190+24.990", "1520023999").await;
    browser
        .shows("#in-view-title", |text| text == "Clients in view: 4")
        .await;
    let names =
        "return [...document.querySelectorAll('#in-view-rows th')].map((row) => row.innerText)";
    let sort = async |order: &str, expected: serde_json::Value| {
        let focus = format!("document.querySelector('[data-order={order}]').focus()");
        browser.run(&focus).await;
        browser.press(&[ENTER]).await;
        eventually(format!("the list is sorted by {order}"), async || {
            browser.run(names).await == expected
        })
        .await;
    };
    sort("label", json!(["caravan", "Van-1", "van-2", "van-3"])).await;
    sort("label", json!(["van-3", "van-2", "Van-1", "caravan"])).await;
    eventually("the youngest is first", async || {
        browser
            .run("document.querySelector('[data-order=age]').click()")
            .await;
        browser.run(names).await[0] == "van-3"
    })
    .await;
    browser
        .run("document.querySelector('#in-view-rows button').focus()")
        .await;
    browser.press(&[ENTER]).await;
    browser.shows(TITLE, |text| text == "van-3").await;
    // From van-3 on, the distances are from there, and the nearest others are named.
    browser
        .shows("#neighbours", |text| {
            text.starts_with("van-2") && text.contains("km")
        })
        .await;
    let copied = "return new Promise((done) => {
        navigator.clipboard.writeText = async (text) => { done(text); };
        document.getElementById('copy').click();
    })";
    assert_eq!(browser.run(copied).await, json!("60.19, 24.99"));
    let link = "return document.getElementById('geo').href";
    assert_eq!(browser.run(link).await, json!("geo:60.19,24.99"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circle_tells_who_enters_and_leaves_it() {
    if browser::skipped() {
        return;
    }
    let (herd, browser, page) = vans().await;
    browser.open("about:blank").await;
    browser
        .open_live(&format!("{page}#map=14/60.18/24.95"))
        .await;
    browser.shows("#clients", |text| text == "4").await;
    browser.click("#draw").await;
    // From the middle of the map, where van-2 is, some way out.
    browser.drag("#map", (120, 0)).await;
    browser
        .shows("#circle-state", |text| text == "1 client is inside.")
        .await;
    let mut jaquez = herd.client("Jaquez").await;
    jaquez
        .report("van-3", "+60.1801+24.9501", "1520023935")
        .await;
    browser
        .shows("#circle-state", |text| text == "2 clients are inside.")
        .await;
    jaquez.report("van-2", "+61+24.95", "1520023935").await;
    browser
        .shows("#circle-log", |text| {
            let lines: Vec<&str> = text.lines().collect();
            lines.first() == Some(&"van-2") && text.contains("went out") && text.contains("came in")
        })
        .await;
    browser.click("#circle-close").await;
    browser.shows("#circle", str::is_empty).await;
    // By keyboard, around the middle.
    focus(&browser, "map").await;
    browser.press(&['c']).await;
    browser
        .shows("#circle-state", |text| text == "1 client is inside.")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_forgotten_after_a_question() {
    if browser::skipped() {
        return;
    }
    let (herd, browser, page) = vans().await;
    browser.open("about:blank").await;
    browser.open_live(&format!("{page}?client=caravan")).await;
    browser.shows(CHOSEN, |text| text == "+60.160+24.900").await;
    browser.click("#forget").await;
    browser
        .shows("#forget-question", |text| {
            text.starts_with("Forget caravan?")
        })
        .await;
    browser.click("#forget-confirm").await;
    browser.shows("#unknown", |text| !text.is_empty()).await;
    browser.shows("#clients", |text| text == "3").await;
    let mut jaquez = herd.client("Jaquez").await;
    eventually("the herd has forgotten it", async || {
        jaquez.find("caravan").await.is_none()
    })
    .await;
}
