//! `/status`: how a server sees itself and its herd.

use std::net::SocketAddr;

use herd_integration_tests::{Herd, Topology, eventually};
use serde_json::{Value, json};

use crate::{NAMES, TIME, UCLA};

async fn status(http: &reqwest::Client, at: SocketAddr) -> Value {
    let reply = http
        .get(format!("http://{at}/status"))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status().as_u16(), 200);
    assert_eq!(reply.headers()["content-type"], "application/json");
    serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
}

/// The entry of an array whose `field` is `name`.
fn entry<'a>(entries: &'a Value, field: &str, name: &str) -> &'a Value {
    let mut entries = entries.as_array().unwrap().iter();
    entries.find(|entry| entry[field] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_reports_its_view_of_the_others() {
    // The client wants to be able to encrypt. Fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let builder = Herd::builder(Topology::five()).argument("--http-locations");
    let mut herd = builder.start().await;
    herd.client("Hill").await.report("kiwi", UCLA, TIME).await;
    herd.agree(&NAMES, &["kiwi".to_owned()]).await;

    let [hill, smith] = ["Hill", "Smith"].map(|name| herd.server(name).addresses().http);
    eventually("Hill sees all servers, and none lags", async || {
        sees_everyone(&status(&http, hill).await)
    })
    .await;
    let seen = status(&http, hill).await;
    tells_of_itself(&seen);
    let mut watcher = herd.client("Hill").await;
    watcher.send(b"WATCH CLIENT kiwi\n").await;
    assert!(watcher.line().await.starts_with(b"AT Hill "));
    assert_eq!(watcher.line().await, b"LIVE 1");
    let watches = status(&http, hill).await["watches"].clone();
    let told = serde_json::json!({"under_way": 1, "begun": 1, "too_slow": 0, "lines": 2});
    assert_eq!(watches, told);
    let link = entry(&seen["links"], "neighbour", "Smith");
    assert!(link["frames_in"].as_u64() > Some(0) && link["bytes_out"].as_u64() > Some(0));
    // One machine, one clock: the offset is the age of a report's arrival.
    assert!(link["clock_offset_ms"].as_i64().unwrap().abs() < 60_000);
    let of_smith = status(&http, smith).await["incarnation"].clone();
    assert_eq!(
        entry(&seen["servers"], "name", "Smith")["incarnation"],
        of_smith
    );
    assert_eq!(link["incarnation"], of_smith);

    herd.server_mut("Smith").kill();
    eventually("Hill holds Smith for dead", async || {
        let status = status(&http, hill).await;
        entry(&status["servers"], "name", "Smith")["alive"] == false
            && entry(&status["links"], "neighbour", "Smith")["up"] == false
    })
    .await;
    herd.server_mut("Smith").restart().await;
    eventually("Hill sees Smith under its new incarnation", async || {
        let new = status(&http, smith).await["incarnation"].clone();
        let status = status(&http, hill).await;
        let smith = entry(&status["servers"], "name", "Smith");
        new != of_smith && smith["incarnation"] == new && smith["alive"] == true
    })
    .await;
    let again = status(&http, hill).await;
    let reconnects = &entry(&again["links"], "neighbour", "Smith")["reconnects"];
    assert!(reconnects.as_u64() >= Some(1), "{reconnects}");
}

/// Whether four others are alive, all links are up, those that others report too, and no server lags.
fn sees_everyone(status: &Value) -> bool {
    let all_up = |links: &[Value]| {
        let mut links = links.iter();
        links.all(|link| link["up"] == true && link["lag_groups"] == 0)
    };
    let servers = status["servers"].as_array().unwrap();
    let all_well = servers.iter().all(|server| {
        let told = server["links"].as_array().unwrap();
        server["alive"] == true && server["lag_groups"] == 0 && told.len() >= 2 && all_up(told)
    });
    servers.len() == 4 && all_well && all_up(status["links"].as_array().unwrap())
}

/// The document of Hill, in a herd that holds one client in memory only.
fn tells_of_itself(seen: &Value) {
    assert_eq!(seen["version"], 1);
    assert_eq!(seen["server"], "Hill");
    assert_eq!(seen["map"]["clients"], 1);
    assert_eq!(seen["topology"]["servers"], json!(NAMES));
    assert_eq!(seen["topology"]["links"].as_array().unwrap().len(), 6);
    assert_eq!(seen["storage"]["state"], "ephemeral");
    assert_eq!(
        seen["places"],
        json!({"provider": "embedded", "fallback": null})
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_status_names_the_setting() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let herd = Herd::five().await;
    let at = herd.server("Hill").addresses().http;
    let reply = reqwest::get(format!("http://{at}/status")).await.unwrap();
    assert_eq!(reply.status().as_u16(), 403);
    let text = reply.text().await.unwrap();
    assert!(
        text.contains("--http-locations") && !text.contains("Jaquez"),
        "{text}"
    );
}
