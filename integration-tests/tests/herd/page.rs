//! The live page, in a real browser.

use std::time::Duration;

use herd_integration_tests::{Browser, Herd, Passage, Topology, browser, eventually};
use tokio::time::sleep;

use crate::UCLA;

mod clients;
mod map;
mod states;

/// WebDriver's codes of two keys.
const ESCAPE: char = '\u{e00c}';
const ENTER: char = '\u{e007}';

/// The client that the page shows, and the fields of its record.
const CHOSEN: &str = "#client [data-field=location]";
const HEARD_BY: &str = "#client [data-field=server]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_shows_a_client_move_a_link_cut_and_its_server_lost() {
    if browser::skipped() {
        return;
    }
    let builder = Herd::builder(Topology::five()).argument("--http-locations");
    let mut herd = builder.proxied().start().await;
    let mut campbell = herd.client("Campbell").await;
    campbell.report("kiwi", UCLA, "1520023934.9").await;
    let at = campbell.find("kiwi").await.unwrap();
    let browser = Browser::start().await;
    let hill = format!("http://{}/", herd.server("Hill").addresses().http);
    browser.open_live(&hill).await;
    // Gone if the page were loaded again.
    browser.run("window.isTheSame = true").await;
    browser.shows("#clients", |text| text == "1").await;
    assert_eq!(browser.text("#server").await, "Hill");
    assert!(browser.text("h1").await.ends_with("Hill"));

    a_click_shows_the_record(&browser, &at).await;
    a_move_is_followed(&browser, &herd).await;
    an_id_is_text_and_found_by_keyboard(&browser, &herd).await;
    links_are_seen_cut_and_healed(&browser, &herd).await;
    the_page_fits_a_phone(&browser).await;
    the_page_outlives_its_server(&browser, &mut herd).await;
}

/// The only client is in the middle of the map, once the page shows the part around it.
async fn a_click_shows_the_record(browser: &Browser, at: &str) {
    eventually("a click on its dot shows the client's record", async || {
        browser.click("#map").await;
        for _ in 0..40 {
            if browser.text(CHOSEN).await == UCLA {
                return true;
            }
            sleep(Duration::from_millis(50)).await;
        }
        false
    })
    .await;
    assert_eq!(browser.text(HEARD_BY).await, "Campbell");
    let difference = browser.text("#client [data-field=difference]").await;
    assert_eq!(difference, format!("{} s", at.split(' ').nth(2).unwrap()));
    assert!(browser.text("#places").await.contains("Bel Air"));
}

/// The chosen client moves, and is heard elsewhere.
async fn a_move_is_followed(browser: &Browser, herd: &Herd) {
    let drawn = async || {
        browser
            .run("const { chosenX, chosenY } = document.getElementById('map').dataset; return [chosenX, chosenY]")
            .await
    };
    let before = drawn().await;
    let mut singleton = herd.client("Singleton").await;
    singleton.report("kiwi", "+36.5-120.25", "1520023935").await;
    browser.shows(CHOSEN, |text| text == "+36.5-120.25").await;
    assert_eq!(browser.text(HEARD_BY).await, "Singleton");
    eventually("its dot is elsewhere", async || drawn().await != before).await;
}

/// Every ID is shown as text. By keyboard alone a person lets one client go, and finds another by its ID.
async fn an_id_is_text_and_found_by_keyboard(browser: &Browser, herd: &Herd) {
    let script = "<img/src=x/onerror=document.body.remove()>";
    let mut singleton = herd.client("Singleton").await;
    singleton
        .report(script, "+36.501-120.251", "1520023935")
        .await;
    let cut = &script[..40];
    browser
        .shows("#in-view-rows", |text| text.contains(cut))
        .await;
    assert_eq!(
        browser.run("return document.images.length").await,
        0,
        "an id was taken for HTML"
    );
    let focus = "document.getElementById('map').focus()";
    browser.run(focus).await;
    browser.press(&[ESCAPE]).await;
    eventually("it is let go", async || {
        browser.text("#client").await.is_empty()
    })
    .await;
    let focus = "document.getElementById('find-id').focus()";
    browser.run(focus).await;
    let keys: Vec<char> = script.chars().chain([ENTER]).collect();
    browser.press(&keys).await;
    browser.shows("#client-title", |text| text == script).await;
    browser
        .shows(CHOSEN, |text| text == "+36.501-120.251")
        .await;
}

/// The state of a link as the page draws it; empty if the page has no such link.
async fn link_state(browser: &Browser, link: &str) -> String {
    let script = format!("return document.querySelector('[data-link={link}]')?.dataset.state");
    let state = browser.run(&script).await;
    state.as_str().unwrap_or_default().to_owned()
}

/// A link of the page's own server is cut and healed; so is one between two others, which report it.
async fn links_are_seen_cut_and_healed(browser: &Browser, herd: &Herd) {
    let becomes = async |link: &str, state: &str| {
        eventually(format!("the page shows {link} {state}"), async || {
            link_state(browser, link).await == state
        })
        .await;
    };
    herd.set_link("Hill", "Smith", Passage::Cut);
    becomes("Hill-Smith", "down").await;
    assert_eq!(link_state(browser, "Hill-Jaquez").await, "up");
    browser
        .shows("#herd-summary", |text| text.contains("1 link down"))
        .await;
    herd.set_link("Hill", "Smith", Passage::Open);
    becomes("Hill-Smith", "up").await;

    becomes("Campbell-Singleton", "up").await;
    herd.set_link("Singleton", "Campbell", Passage::Cut);
    becomes("Campbell-Singleton", "down").await;
    assert_eq!(link_state(browser, "Smith-Singleton").await, "up");
    herd.set_link("Singleton", "Campbell", Passage::Open);
    becomes("Campbell-Singleton", "up").await;
    browser
        .shows("#herd-summary", |text| text == "All 5 servers are up.")
        .await;
}

/// On a phone nothing is cut off at the side, and nothing lies over the map or over each other.
async fn the_page_fits_a_phone(browser: &Browser) {
    browser.be_phone(true).await;
    let width = "return [innerWidth, document.documentElement.scrollWidth]";
    eventually("the page is as wide as a phone", async || {
        browser.run(width).await == serde_json::json!([390, 390])
    })
    .await;
    let overlaps = "const parts = ['header', '.count', '#map', '.tools', '.legend', 'aside'];
        const boxes = parts.map((part) => document.querySelector(part).getBoundingClientRect());
        const found = [];
        boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, j) => {
            if (a.left < b.right && b.left < a.right && a.top < b.bottom - 1 && b.top < a.bottom - 1)
                found.push(`${parts[i]} and ${parts[i + 1 + j]}`);
        }));
        return found";
    assert_eq!(browser.run(overlaps).await, serde_json::json!([]));
    browser.be_phone(false).await;
}

/// Hill dies; when it is back, so is the page, by itself.
async fn the_page_outlives_its_server(browser: &Browser, herd: &mut Herd) {
    herd.server_mut("Hill").kill();
    eventually("the page says that it lost Hill", async || {
        browser.connection().await == "lost"
    })
    .await;
    browser
        .shows("#banner", |text| text.starts_with("Lost Hill:"))
        .await;
    herd.server_mut("Hill").restart().await;
    eventually("the page has Hill again", async || {
        browser.connection().await == "live"
    })
    .await;
    browser.shows("#banner", str::is_empty).await;
    browser.shows("#clients", |text| text == "2").await;
    assert_eq!(browser.run("return window.isTheSame").await, true);
}
