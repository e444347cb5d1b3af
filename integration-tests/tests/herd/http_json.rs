//! HTTP/JSON, over real sockets: what comes in by one way is told by every other, and is as it is described.

use std::net::SocketAddr;
use std::time::Duration;

use herd_integration_tests::{Herd, Topology, eventually, within};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{NAMES, TIME, UCLA};

fn http() -> Client {
    // The client wants to be able to encrypt. Fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

async fn herd_with_http() -> Herd {
    let builder = Herd::builder(Topology::five()).argument("--http-locations");
    builder.start().await
}

async fn get(http: &Client, at: SocketAddr, path: &str) -> Response {
    within(path, http.get(format!("http://{at}{path}")).send())
        .await
        .unwrap()
}

async fn json(response: Response) -> Value {
    let bytes = response.bytes().await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

async fn put(http: &Client, at: SocketAddr, client: &str, report: &Value) -> Response {
    let request = http.put(format!("http://{at}/v1/clients/{client}"));
    let request = request.header("content-type", "application/json");
    within("a report", request.body(report.to_string()).send())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_over_http_is_told_by_each_way_out() {
    let (http, herd) = (http(), herd_with_http().await);
    let [hill, campbell] = ["Hill", "Campbell"].map(|name| herd.server(name).addresses().http);
    let mut watching = get(&http, campbell, "/v1/watch?client=kiwi").await;
    let reported = put(
        &http,
        hill,
        "kiwi",
        &json!({"location": UCLA, "time": TIME}),
    )
    .await;
    assert_eq!(reported.status(), StatusCode::OK);
    let reported = json(reported).await;
    assert_eq!(
        (&reported["location"], &reported["time"]),
        (&json!(UCLA), &json!(TIME))
    );
    let difference = reported["difference_s"].as_str().unwrap();
    let line = format!("AT Hill {difference} kiwi {UCLA} {TIME}");
    herd.knows("Campbell", "kiwi", &line).await;
    // And the other way.
    let at = herd
        .client("Hill")
        .await
        .report("moa", "+34.0797-118.4453", "1520023999")
        .await;
    herd.knows("Campbell", "moa", &at).await;
    let moa = json(get(&http, campbell, "/v1/clients/moa").await).await;
    assert_eq!(
        (&moa["server"], &moa["location"]),
        (&json!("Hill"), &json!("+34.0797-118.4453"))
    );
    let near = json(get(&http, campbell, "/v1/nearby?client=kiwi&radius_km=5").await).await;
    assert_eq!(
        (
            &near["clients"][0]["client"],
            &near["clients"][0]["distance_km"]
        ),
        (&json!("moa"), &json!(1.197677))
    );
    let mut events = String::new();
    let told = async {
        while !events.contains("event: record") {
            let piece = watching.chunk().await.unwrap().unwrap();
            events.push_str(std::str::from_utf8(&piece).unwrap());
        }
    };
    within("the watcher is told", told).await;
    assert!(
        events.contains(&format!("\"location\":\"{UCLA}\"")),
        "{events}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reports_are_known_by_all() {
    let (http, herd) = (http(), herd_with_http().await);
    let hill = herd.server("Hill").addresses().http;
    let lines: String = (0..5_000)
        .map(|number| {
            format!(
                "{{\"client\":\"van{number}\",\"latitude\":{},\"longitude\":1}}\n",
                number % 90
            )
        })
        .collect();
    let request = http.post(format!("http://{hill}/v1/reports"));
    let request = request
        .header("content-type", "application/x-ndjson")
        .body(lines);
    let response = within("the answers", request.send()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let answers = response.text().await.unwrap();
    assert_eq!(answers.matches("\"status\":200").count(), 5_000);
    let ids: Vec<String> = (0..5_000).map(|number| format!("van{number}")).collect();
    herd.agree(&NAMES, &ids).await;
    let mut listed = 0;
    let mut after = String::new();
    loop {
        let path = format!("/v1/clients?prefix=van&limit=1000{after}");
        let page = json(get(&http, hill, &path).await).await;
        listed += page["clients"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(listed, 5_000);
}

/// The schema of an answer in the document.
fn schema<'a>(
    document: &'a Value,
    path: &str,
    method: &str,
    status: &str,
    media_type: &str,
) -> &'a Value {
    let responses = &document["paths"][path][method]["responses"];
    let response = match &responses[status] {
        Value::Null => &responses["default"],
        response => response,
    };
    let schema = &response["content"][media_type]["schema"];
    assert!(
        schema.is_object(),
        "{method} {path} {status} {media_type} is not described"
    );
    schema
}

/// A schema with everything that it refers to.
fn closed(document: &Value, schema: &Value) -> Value {
    json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema], "components": document["components"]})
}

const GEO: &str = "application/geo+json";
const REPORT: &str = "{\"latitude\": 1, \"longitude\": 2}";
const REPORTS: &str = "[{\"client\": \"a\", \"location\": \"+1+1\"}, {}]";
const KIWI: &str = "/v1/clients/kiwi";
const EMU: &str = "/v1/clients/emu";
const CLIENT: &str = "/v1/clients/{id}";
const CLIENTS: &str = "/v1/clients";

/// A request: method, path, its path in the document, its body, and the media type that it asks for.
type Described = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const DESCRIBED: [Described; 14] = [
    ("get", KIWI, CLIENT, "", ""),
    ("get", "/v1/clients/nobody", CLIENT, "", ""),
    ("put", EMU, CLIENT, REPORT, ""),
    ("put", EMU, CLIENT, REPORTS, ""),
    ("delete", EMU, CLIENT, "", ""),
    ("get", "/v1/clients?limit=1", CLIENTS, "", ""),
    ("get", "/v1/clients?limit=1", CLIENTS, "", GEO),
    ("get", "/v1/clients?limit=x", CLIENTS, "", ""),
    ("get", "/v1/nearby?client=kiwi", "/v1/nearby", "", ""),
    (
        "get",
        "/v1/nearby?latitude=34&longitude=-118",
        "/v1/nearby",
        "",
        GEO,
    ),
    (
        "get",
        "/v1/within?bbox=-180,-90,180,90",
        "/v1/within",
        "",
        "",
    ),
    ("get", "/v1/places?client=kiwi", "/v1/places", "", ""),
    ("post", "/v1/reports", "/v1/reports", REPORTS, ""),
    ("get", "/v1/watch", "/v1/watch", "", ""),
];

/// Sends a request, and checks the answer against the document.
async fn is_as_described(http: &Client, hill: SocketAddr, document: &Value, request: Described) {
    let (method, path, described, body, accept) = request;

    let url = format!("http://{hill}{path}");
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
    let mut request = http.request(method.clone(), url).header("accept", accept);
    if !body.is_empty() {
        request = request
            .header("content-type", "application/json")
            .body(body);
    }
    let response = within(path, request.send()).await.unwrap();
    let status = response.status().as_str().to_owned();
    let media_type = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let answer = json(response).await;
    let method = method.as_str().to_ascii_lowercase();
    let schema = schema(document, described, &method, &status, &media_type);
    let validator = jsonschema::validator_for(&closed(document, schema)).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(&answer)
        .map(|fault| fault.to_string())
        .collect();
    assert!(faults.is_empty(), "{method} {path}: {answer}\n{faults:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_as_they_are_described() {
    let (http, herd) = (http(), herd_with_http().await);
    let hill = herd.server("Hill").addresses().http;
    let document = json(get(&http, hill, "/v1/openapi.json").await).await;
    for component in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .values()
    {
        assert!(jsonschema::meta::is_valid(component), "{component}");
    }
    put(
        &http,
        hill,
        "kiwi",
        &json!({"location": UCLA, "time": TIME}),
    )
    .await;
    for described in DESCRIBED {
        is_as_described(&http, hill, &document, described).await;
    }
    let problem = closed(&document, &json!({"$ref": "#/components/schemas/Problem"}));
    let validator = jsonschema::validator_for(&problem).unwrap();
    assert!(
        !validator.is_valid(&json!({"status": "x"})),
        "it would take anything"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_ends_watches_and_answers() {
    let (http, mut herd) = (http(), herd_with_http().await);
    let hill = herd.server("Hill").addresses().http;
    let watching = get(&http, hill, "/v1/watch?all").await;
    let (events, status) = tokio::join!(watching.text(), herd.server_mut("Hill").terminate());
    assert!(status.success(), "{status}");
    let events = events.unwrap();
    assert!(
        events.ends_with("event: end\ndata: {\"reason\":\"stopping\"}\n\n"),
        "{events}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_http_locations_nothing_is_taken_or_told() {
    let http = http();
    let herd = Herd::builder(Topology::new(&["Hill"], &[])).start().await;
    let hill = herd.server("Hill").addresses().http;
    let refused = put(&http, hill, "kiwi", &json!({"location": UCLA})).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(json(refused).await["code"], "locations-not-shown");
    assert_eq!(
        get(&http, hill, "/v1/clients").await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(herd.client("Hill").await.find("kiwi").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_reads_nothing_is_cut_off() {
    use tokio::io::AsyncWriteExt as _;
    let (http, herd) = (http(), herd_with_http().await);
    let hill = herd.server("Hill").addresses().http;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // As little as the system lets it be.
    socket.set_recv_buffer_size(1_024).unwrap();
    let mut greedy = socket.connect(hill).await.unwrap();
    greedy
        .write_all(b"GET /v1/watch?all HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let watchers = async || herd_integration_tests::series(hill, "herd_watchers").await;
    eventually("it watches", async || watchers().await == 1.0).await;
    let ids: Vec<String> = (0..20_000)
        .map(|number| format!("{{\"client\":\"van{number:0200}\",\"location\":\"+1+1\"}}\n"))
        .collect();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while watchers().await > 0.0 {
        assert!(tokio::time::Instant::now() < deadline, "it watches on");
        let request = http.post(format!("http://{hill}/v1/reports"));
        let request = request
            .header("content-type", "application/x-ndjson")
            .body(ids.concat());
        let answer = within("reports", request.send()).await.unwrap();
        assert!(answer.status().is_success());
    }
}
