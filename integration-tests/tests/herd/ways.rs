//! A record that is reported by each way in is answered by each way out, byte for byte where both carry the text.

use std::net::SocketAddr;

use herd_integration_tests::redis::resp_address;
use herd_integration_tests::{Client, Herd, Topology, within};
use redis::FromRedisValue;
use reqwest::Response;
use serde_json::{Value, json};

use crate::{TIME, UCLA};

/// The coordinates of a location that goes in as numbers, and its time in whole seconds.
const NUMBERS: &str = "+34.06893-118.445127";
const SECONDS: &str = "1520023934";

/// A record as it has to be told: its ID, its texts, and the AT line of the server that heard it. All IDs have a slash, so
/// that Redis clients can name them.
struct Reported {
    client: String,
    location: String,
    /// `None` where the server's clock gives the time.
    time: Option<String>,
    at: String,
}

/// Where a server listens.
#[derive(Clone, Copy)]
struct Ports {
    http: SocketAddr,
    resp: SocketAddr,
}

impl Ports {
    fn of(herd: &Herd, name: &str) -> Self {
        Ports {
            http: herd.server(name).addresses().http,
            resp: resp_address(herd.server(name)),
        }
    }
}

fn http() -> reqwest::Client {
    // The client wants to be able to encrypt. Fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

async fn send(
    http: SocketAddr,
    method: &str,
    path: &str,
    media_type: &str,
    body: &str,
) -> Response {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = self::http().request(method, format!("http://{http}{path}"));
    let request = request.header("content-type", media_type);
    let request = request
        .header("x-limit-u", "ada")
        .header("x-limit-d", "phone");
    let response = within(path, request.body(body.to_owned()).send())
        .await
        .unwrap();
    assert!(
        response.status().is_success(),
        "{path}: {}",
        response.status()
    );
    response
}

async fn ask(http: SocketAddr, path: &str) -> Value {
    let response = send(http, "GET", path, "", "").await;
    let bytes = within(path, response.bytes()).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// The reply to a command of a Redis client.
fn redis<T: FromRedisValue>(resp: SocketAddr, arguments: &[&str]) -> T {
    let client = redis::Client::open(format!("redis://{resp}")).unwrap();
    let mut connection = client.get_connection().unwrap();
    let mut command = redis::cmd(arguments[0]);
    command.arg(&arguments[1..]).query(&mut connection).unwrap()
}

const JSON: &str = "application/json";

/// Reports one client by each way of HTTP/JSON.
async fn report_by_json(http: SocketAddr) {
    let texts = json!({"location": UCLA, "time": TIME}).to_string();
    send(http, "PUT", "/v1/clients/in/put", JSON, &texts).await;
    let texts = format!(
        "{{\"client\":\"in/ndjson\",\"latitude\":\"+34.068930\",\"longitude\":\"-118.445127\",\"time\":\"{TIME}\"}}\n"
    );
    send(http, "POST", "/v1/reports", "application/x-ndjson", &texts).await;
    let numbers = format!(
        "[{{\"client\":\"in/array\",\"latitude\":34.068930,\"longitude\":-1.18445127e2,\"time\":{TIME}}}]"
    );
    send(http, "POST", "/v1/reports", JSON, &numbers).await;
}

/// Reports one client by each way of phones and trackers. Returns their IDs.
async fn report_by_phones(http: SocketAddr) -> [&'static str; 5] {
    let (latitude, longitude) = (34.068_93, -118.445_127);
    let message =
        json!({"_type": "location", "lat": latitude, "lon": longitude, "tst": 1_520_023_934});
    send(http, "POST", "/owntracks", JSON, &message.to_string()).await;
    let query = format!("id=in/osmand&lat={latitude}&lon={longitude}&timestamp={SECONDS}");
    send(http, "GET", &format!("/osmand?{query}"), "", "").await;
    let form = "application/x-www-form-urlencoded";
    let query = query.replace("in/osmand", "in/form");
    send(http, "POST", "/osmand", form, &query).await;
    let message = json!({"device_id": "in/traccar",
        "location": {"timestamp": "2018-03-02T20:52:14.000Z", "coords": {"latitude": latitude, "longitude": longitude}}});
    send(http, "POST", "/osmand", JSON, &message.to_string()).await;
    let batch = json!({"locations": [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        "properties": {"timestamp": "2018-03-02T12:52:14-0800", "device_id": "in/overland"}}]});
    send(http, "POST", "/overland", JSON, &batch.to_string()).await;
    [
        "owntracks/ada/phone",
        "in/osmand",
        "in/form",
        "in/traccar",
        "in/overland",
    ]
}

/// Reports one client by each way in, all at Hill.
async fn report_by_each_way(herd: &Herd) -> Vec<Reported> {
    let ports = Ports::of(herd, "Hill");
    let mut lines = herd.client("Hill").await;
    lines.report("in/lines", UCLA, TIME).await;
    report_by_json(ports.http).await;
    let phones = report_by_phones(ports.http).await;
    let [longitude, latitude] = ["-118.445127", "34.068930"];
    let added: i64 = redis(ports.resp, &["GEOADD", "in", longitude, latitude, "redis"]);
    assert_eq!(added, 1);
    let mut expected = vec![
        ("in/lines", UCLA, Some(TIME)),
        ("in/put", UCLA, Some(TIME)),
        ("in/ndjson", UCLA, Some(TIME)),
        ("in/array", NUMBERS, Some(TIME)),
        ("in/redis", UCLA, None),
    ];
    expected.extend(phones.map(|client| (client, NUMBERS, Some(SECONDS))));
    let mut reported = Vec::new();
    for (client, location, time) in expected {
        let at = lines.find(client).await;
        let at = at.unwrap_or_else(|| panic!("{client} is not known"));
        reported.push(Reported {
            client: client.to_owned(),
            location: location.to_owned(),
            time: time.map(str::to_owned),
            at,
        });
    }
    reported
}

impl Reported {
    /// The fields of the AT line: server, difference, client, location, time.
    fn fields(&self) -> [&str; 5] {
        let fields: Vec<&str> = self.at.split(' ').skip(1).collect();
        fields.try_into().unwrap()
    }

    /// The AT line has the texts of the report.
    fn check_line(&self) {
        let [server, _, client, location, time] = self.fields();
        assert_eq!(
            (server, client, location),
            ("Hill", &*self.client, &*self.location)
        );
        if let Some(reported) = &self.time {
            assert_eq!(time, reported, "{client}");
        }
    }

    /// JSON tells the texts of the AT line.
    fn check_json(&self, record: &Value) {
        let [server, difference, client, location, time] = self.fields();
        let told =
            ["server", "difference_s", "client", "location", "time"].map(|name| &record[name]);
        assert_eq!(
            told,
            [server, difference, client, location, time],
            "{record}"
        );
    }

    async fn lines_tell_it(&self, client: &mut Client) {
        assert_eq!(client.find(&self.client).await.as_ref(), Some(&self.at));
        for question in [
            format!("NEARBY POINT {UCLA} 0 1000"),
            format!("WITHIN {UCLA} {UCLA} 1000"),
            "NEARBY CLIENT in/lines 0 1000".to_owned(),
        ] {
            if question.starts_with("NEARBY CLIENT") && self.client == "in/lines" {
                continue;
            }
            client.send(format!("{question}\n").as_bytes()).await;
            let mut is_told = false;
            loop {
                let line = String::from_utf8(client.line().await).unwrap();
                if line.is_empty() {
                    break;
                }
                is_told |= line.trim_start_matches("0.000000 ") == self.at;
            }
            assert!(is_told, "{question} does not tell {}", self.at);
        }
        client
            .send(format!("WATCH CLIENT {}\n", self.client).as_bytes())
            .await;
        assert_eq!(client.line().await, self.at.as_bytes());
        assert_eq!(client.line().await, b"LIVE 1");
        client.send(b"UNWATCH\n").await;
        assert_eq!(client.line().await, b"END unwatched");
    }

    async fn http_tells_it(&self, http: SocketAddr) {
        self.check_json(&ask(http, &format!("/v1/clients/{}", self.client)).await);
        let point = "latitude=34.06893&longitude=-118.445127&radius_km=0";
        for path in [
            format!("/v1/clients?prefix={}", self.client),
            format!("/v1/nearby?{point}"),
            "/v1/within?bbox=-118.445127,34.06893,-118.445127,34.06893".to_owned(),
        ] {
            let told = ask(http, &path).await;
            let clients = told["clients"].as_array().unwrap();
            let record = clients
                .iter()
                .find(|record| record["client"] == *self.client);
            self.check_json(record.unwrap_or_else(|| panic!("{path}: {told}")));
        }
        let mut events = send(
            http,
            "GET",
            &format!("/v1/watch?client={}", self.client),
            "",
            "",
        )
        .await;
        let mut text = String::new();
        while !text.contains("event: live") {
            let piece = within("events", events.chunk()).await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        let data = text.lines().find_map(|line| line.strip_prefix("data: "));
        self.check_json(&serde_json::from_str(data.unwrap()).unwrap());
    }

    fn redis_tells_it(&self, resp: SocketAddr) {
        type Position = (String, String);
        let (key, member) = self.client.split_once('/').unwrap();
        let middle = self.location.rfind(['+', '-']).unwrap();
        let (latitude, longitude) = self.location.split_at(middle);
        let position = (longitude.to_owned(), latitude[1..].to_owned());
        let told: Vec<Option<Position>> = redis(resp, &["GEOPOS", key, member]);
        assert_eq!(told, [Some(position.clone())]);
        let around = ["FROMMEMBER", member, "BYRADIUS", "0", "m", "WITHCOORD"];
        let search = [&["GEOSEARCH", key], &around[..]].concat();
        let told: Vec<(String, Position)> = redis(resp, &search);
        assert!(told.contains(&(member.to_owned(), position)), "{told:?}");
    }
}

/// The friends of an app, at another server than its own: the record is that of the app's own report.
async fn friends_are_told(http: SocketAddr) {
    let message = json!({"_type": "location", "lat": 1, "lon": 1, "tst": 1});
    let response = send(
        http,
        "POST",
        "/owntracks",
        "application/json",
        &message.to_string(),
    )
    .await;
    let bytes = within("friends", response.bytes()).await.unwrap();
    let friends: Value = serde_json::from_slice(&bytes).unwrap();
    let friend = json!({"_type": "location", "tid": "ne", "lat": 34.06893, "lon": -118.445_127,
        "tst": 1_520_023_934, "topic": "owntracks/ada/phone"});
    assert_eq!(friends, json!([friend]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_in_is_told_by_each_way_out() {
    let builder = Herd::builder(Topology::five()).argument("--http-locations");
    let herd = builder.argument("--resp-listen=127.0.0.1:0").start().await;
    let all = report_by_each_way(&herd).await;
    for reported in &all {
        reported.check_line();
        herd.knows("Campbell", &reported.client, &reported.at).await;
    }
    // Where it was heard, and two links away.
    for name in ["Hill", "Campbell"] {
        let ports = Ports::of(&herd, name);
        let mut client = herd.client(name).await;
        for reported in &all {
            reported.lines_tell_it(&mut client).await;
            reported.http_tells_it(ports.http).await;
            reported.redis_tells_it(ports.resp);
        }
        friends_are_told(ports.http).await;
    }
}
