//! The live page, in a real browser.

use std::time::Duration;

use herd_integration_tests::{Browser, Herd, Passage, Topology, browser, eventually};
use tokio::time::sleep;

use crate::{NAMES, UCLA, ids};

/// What WebDriver calls the escape key.
const ESCAPE: char = '\u{e00c}';

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_shows_a_client_move_a_link_cut_and_its_server_lost() {
    if browser::skipped() {
        return;
    }
    let builder = Herd::builder(Topology::five()).argument("--http-locations");
    let mut herd = builder.proxied().start().await;
    let mut campbell = herd.client("Campbell").await;
    campbell.report("kiwi", UCLA, "1520023934.9").await;
    let browser = Browser::start().await;
    let hill = format!("http://{}/", herd.server("Hill").addresses().http);
    browser.open_live(&hill).await;
    // Gone if the page were loaded again.
    browser.run("window.isTheSame = true").await;
    browser.shows("#clients", |text| text == "1").await;
    assert_eq!(browser.text("#server").await, "Hill");

    // The only client is in the middle of the map, once the page shows the part around it.
    let chosen = "#client [data-field=location]";
    eventually("a click on its dot shows the client's record", async || {
        browser.click("#canvas").await;
        for _ in 0..40 {
            if browser.text(chosen).await == UCLA {
                return true;
            }
            sleep(Duration::from_millis(50)).await;
        }
        false
    })
    .await;
    let heard_by = "#client [data-field=server]";
    assert_eq!(browser.text(heard_by).await, "Campbell");
    let difference = browser.text("#client [data-field=difference]").await;
    let at = campbell.find("kiwi").await.unwrap();
    assert_eq!(difference, format!("{} s", at.split(' ').nth(2).unwrap()));
    assert!(browser.text("#places").await.contains("Bel Air"));
    let drawn = async || {
        browser
            .run("const { chosenX, chosenY } = document.getElementById('canvas').dataset; return [chosenX, chosenY]")
            .await
    };
    let before = drawn().await;

    // It moves, and is heard elsewhere.
    let mut singleton = herd.client("Singleton").await;
    singleton.report("kiwi", "+36.5-120.25", "1520023935").await;
    browser.shows(chosen, |text| text == "+36.5-120.25").await;
    assert_eq!(browser.text(heard_by).await, "Singleton");
    eventually("its dot is elsewhere", async || drawn().await != before).await;

    // An id is text, whatever is in it.
    let script = "<img/src=x/onerror=document.body.remove()>";
    singleton.report(script, "+36.5-121", "1520023935").await;
    let cut = &script[..40];
    browser.shows("#nearby", |text| text.contains(cut)).await;
    assert_eq!(
        browser.run("return document.images.length").await,
        0,
        "an id was taken for HTML"
    );
    // By keyboard alone: let it go, and find the other by its id.
    browser
        .run("document.getElementById('canvas').focus()")
        .await;
    browser.press(&[ESCAPE]).await;
    eventually("it is let go", async || {
        browser.text("#client").await.is_empty()
    })
    .await;
    browser
        .run("document.getElementById('find-id').focus()")
        .await;
    let enter = '\u{e007}';
    browser
        .press(&script.chars().chain([enter]).collect::<Vec<_>>())
        .await;
    browser.shows("#client-title", |text| text == script).await;
    browser.shows(chosen, |text| text == "+36.5-121").await;

    // A link is cut, and healed.
    let state = async |link: &str| {
        let script = format!("return document.querySelector('[data-link={link}]')?.dataset.state");
        browser
            .run(&script)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    herd.set_link("Hill", "Smith", Passage::Cut);
    eventually("the page shows the cut link", async || {
        state("Hill-Smith").await == "down"
    })
    .await;
    assert_eq!(state("Hill-Jaquez").await, "up");
    browser
        .shows("#herd-summary", |text| text.contains("1 link down"))
        .await;
    herd.set_link("Hill", "Smith", Passage::Open);
    eventually("the page shows the healed link", async || {
        state("Hill-Smith").await == "up"
    })
    .await;

    // So is one between two others, who tell of it.
    let far = "Campbell-Singleton";
    eventually("the page shows a link of others", async || {
        state(far).await == "up"
    })
    .await;
    herd.set_link("Singleton", "Campbell", Passage::Cut);
    eventually("the page shows that the others lost it", async || {
        state(far).await == "down"
    })
    .await;
    assert_eq!(state("Smith-Singleton").await, "up");
    herd.set_link("Singleton", "Campbell", Passage::Open);
    eventually("the page shows that they have it again", async || {
        state(far).await == "up"
    })
    .await;
    browser
        .shows("#herd-summary", |text| text == "All 5 servers are up.")
        .await;

    // On a phone nothing is cut off at the side.
    browser.be_phone(true).await;
    let width = "return [innerWidth, document.documentElement.scrollWidth]";
    eventually("the page is as wide as a phone", async || {
        browser.run(width).await == serde_json::json!([390, 390])
    })
    .await;
    browser.be_phone(false).await;

    // The server dies; when it is back, so is the page, by itself.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_hundred_thousand_clients_shows_them_thinned() {
    if browser::skipped() {
        return;
    }
    let topology = Topology::new(&["Hill", "Jaquez"], &[("Hill", "Jaquez")]);
    let herd = Herd::builder(topology)
        .argument("--http-locations")
        .start()
        .await;
    // A thousand clients at each of a hundred points.
    for point in 0..100 {
        let location = format!("+{}+{}", point % 10 * 6, point / 10 * 12);
        let clients = ids(&format!("at{point}-"), 1_000);
        herd.client(NAMES[point % 2])
            .await
            .report_all(&clients, &location, "1")
            .await;
    }
    let browser = Browser::start().await;
    let page = format!("http://{}/", herd.server("Hill").addresses().http);
    browser.open_live(&page).await;
    browser.shows("#clients", |text| text == "100,000").await;
    browser
        .shows("#in-view", |text| text.starts_with("100,000 in view, as "))
        .await;
    let dots = browser
        .run("return Number(document.getElementById('canvas').dataset.dots)")
        .await;
    let dots = dots.as_u64().unwrap();
    assert!((10..=100).contains(&dots), "{dots} dots");
    // One of them moves.
    herd.client("Jaquez")
        .await
        .report("at0-0", "-40-60", "2")
        .await;
    let found = "document.getElementById('find-id').value = 'at0-0';
                 document.getElementById('find').requestSubmit()";
    browser.run(found).await;
    browser
        .shows("#client [data-field=location]", |text| text == "-40-60")
        .await;
}
