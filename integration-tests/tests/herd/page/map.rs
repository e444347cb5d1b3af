//! The map: circles that open, names, streets from tiles.

use std::sync::{Arc, Mutex};

use herd_integration_tests::{Browser, Herd, HerdBuilder, Topology, browser, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::protocol::now_ns;
use crate::{NAMES, ids};

async fn two(arguments: &[&str]) -> Herd {
    let topology = Topology::new(&["Hill", "Jaquez"], &[("Hill", "Jaquez")]);
    let builder = Herd::builder(topology).argument("--http-locations");
    let add = |builder: HerdBuilder, argument: &&str| builder.argument(argument);
    arguments.iter().fold(builder, add).start().await
}

fn page(herd: &Herd) -> String {
    format!("http://{}/", herd.server("Hill").addresses().http)
}

async fn drawn(browser: &Browser, what: &str) -> u64 {
    let script = format!("return Number(document.getElementById('map').dataset.{what})");
    browser.run(&script).await.as_u64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_clients_are_circles_that_open() {
    if browser::skipped() {
        return;
    }
    let herd = two(&[]).await;
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
    browser.open_live(&page(&herd)).await;
    browser.shows("#clients", |text| text == "100,000").await;
    eventually("circles stand for all of them", async || {
        let (circles, seen) = (
            drawn(&browser, "circles").await,
            drawn(&browser, "seen").await,
        );
        (5..=100).contains(&circles) && seen == 100_000
    })
    .await;
    // At the closest zoom a thousand at one point are still one circle, and each is known.
    browser.open("about:blank").await;
    browser
        .open_live(&format!("{}#map=18/0.0/0.0", page(&herd)))
        .await;
    eventually("one circle has those of its point", async || {
        (
            drawn(&browser, "circles").await,
            drawn(&browser, "seen").await,
        ) == (1, 1_000)
    })
    .await;
    browser
        .shows("#in-view-title", |text| text == "Clients in view: 1,000")
        .await;
    // One of them moves.
    let mut jaquez = herd.client("Jaquez").await;
    jaquez.report("at0-0", "-40-60", "2").await;
    let found = "document.getElementById('find-id').value = 'at0-0';
                 document.getElementById('find').requestSubmit()";
    browser.run(found).await;
    browser
        .shows("#client [data-field=location]", |text| text == "-40-60")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circle_opens_and_the_map_fits_down_to_streets() {
    if browser::skipped() {
        return;
    }
    let herd = two(&[]).await;
    let mut hill = herd.client("Hill").await;
    for van in 0..30 {
        let location = format!("+60.17{:02}+24.94{:02}", van * 3 % 100, van * 7 % 100);
        hill.report(&format!("van-{van}"), &location, "1").await;
    }
    let browser = Browser::start().await;
    browser.open_live(&page(&herd)).await;
    // All are within some hundred metres.
    eventually("the map fits them down to streets", async || {
        drawn(&browser, "zoom").await >= 14 && drawn(&browser, "seen").await == 30
    })
    .await;
    browser.click("#world").await;
    eventually("they are one circle", async || {
        (drawn(&browser, "dots").await, drawn(&browser, "seen").await) == (1, 30)
    })
    .await;
    browser.open("about:blank").await;
    browser
        .open_live(&format!("{}#map=5/60.17/24.94", page(&herd)))
        .await;
    eventually("a click opens the circle", async || {
        if drawn(&browser, "dots").await == 1 {
            browser.click("#map").await;
        }
        drawn(&browser, "dots").await > 5 && drawn(&browser, "zoom").await >= 14
    })
    .await;
    browser.click("#fit").await;
    eventually("it fits again", async || {
        drawn(&browser, "zoom").await >= 14 && drawn(&browser, "seen").await == 30
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colours_are_by_age_or_by_server() {
    if browser::skipped() {
        return;
    }
    let herd = two(&[]).await;
    let mut hill = herd.client("Hill").await;
    hill.report("long-ago", "+60.17+24.94", "1520023934").await;
    let browser = Browser::start().await;
    browser.open_live(&page(&herd)).await;
    browser
        .shows("#legend", |text| {
            text.lines().count() == 3 && text.contains("1 min") && text.contains("15 min or older")
        })
        .await;
    let age = "return document.querySelector('#in-view-rows [data-age]')?.dataset.age";
    eventually("a client of 2018 is old", async || {
        browser.run(age).await == json!("old")
    })
    .await;
    let now = now_ns() / 1_000_000_000;
    hill.report("long-ago", "+60.17+24.94", &now.to_string())
        .await;
    eventually("it is fresh", async || {
        browser.run(age).await == json!("fresh")
    })
    .await;
    let by_server = "const select = document.getElementById('colour');
        select.value = 'server'; select.dispatchEvent(new Event('change'))";
    browser.run(by_server).await;
    browser
        .shows("#legend", |text| text.starts_with("Hill\nJaquez\n"))
        .await;
    eventually("the address remembers it", async || {
        let address = browser.run("return location.search").await;
        address == json!("?colour=server")
    })
    .await;
}

/// A 1 by 1 pixel.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\
    \x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

/// A server of tiles: its port, and what it was asked for.
async fn tiles() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let noted = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let noted = noted.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 4_096];
                let length = connection.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                noted
                    .lock()
                    .unwrap()
                    .push(text.lines().next().unwrap_or_default().to_owned());
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    PNG.len()
                );
                let _ = connection.write_all(&[head.as_bytes(), PNG].concat()).await;
            });
        }
    });
    (port, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streets_come_from_the_tiles_of_the_operator_and_nothing_else_does() {
    if browser::skipped() {
        return;
    }
    let ((port, asked), (other_port, asked_elsewhere)) = (tiles().await, tiles().await);
    let template = format!("--map-tiles=http://127.0.0.1:{port}/{{z}}/{{x}}/{{y}}.png");
    let herd = two(&[&template, "--map-attribution=Them & <b>us</b>"]).await;
    let mut hill = herd.client("Hill").await;
    hill.report("kiwi", "+60.17+24.94", "1").await;
    let browser = Browser::start().await;
    browser.open_live(&page(&herd)).await;
    browser.shows("#streets", |text| text == "Streets").await;
    assert!(
        asked.lock().unwrap().is_empty(),
        "tiles are asked for when a person wants them"
    );
    browser.click("#streets").await;
    let loaded = "return [...document.querySelectorAll('img.leaflet-tile')].some((tile) => tile.naturalWidth === 1)";
    eventually("tiles are shown", async || {
        browser.run(loaded).await == Value::Bool(true)
    })
    .await;
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|line| line.starts_with("GET /"))
    );
    browser
        .shows(".leaflet-control-attribution", |text| {
            text.contains("Them & <b>us</b>")
        })
        .await;
    let elsewhere = format!(
        "return new Promise((done) => {{
            document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
            new Image().src = 'http://127.0.0.1:{other_port}/1/1/1.png';
        }})"
    );
    assert_eq!(browser.run(&elsewhere).await, json!("img-src"));
    assert!(asked_elsewhere.lock().unwrap().is_empty());
    browser.click("#streets").await;
    eventually("the map of this server is back", async || {
        browser
            .run("return document.querySelectorAll('canvas.leaflet-tile').length > 0")
            .await
            == json!(true)
    })
    .await;
}
