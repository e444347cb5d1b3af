use super::*;

/// What the app for Android sends, with a topic of another user.
const OWNTRACKS: &str = r#"{"_type":"location","BSSID":"02:00:00:00:00:00","SSID":"home","acc":12,"alt":103,"batt":87,
    "bs":1,"conn":"w","created_at":1520023940,"lat":34.0689301,"lon":-118.445127,"m":1,"tid":"ne","topic":"owntracks/x/y",
    "tst":1520023934,"vac":3,"vel":0,"_id":"abc"}"#;

impl TestApi {
    async fn owntracks(&self, user: &str, device: &str, body: &str) -> Answer {
        let headers = [
            ("x-limit-u", user),
            ("x-limit-d", device),
            ("content-type", "application/json"),
        ];
        self.ask("POST", "/owntracks", &headers, body).await
    }
}

#[tokio::test]
async fn owntracks_reports_and_shows_the_friends() {
    let api = start();
    let first = api.owntracks("ada", "phone", OWNTRACKS).await;
    let own = json!([{"_type": "location", "tid": "ne", "lat": 34.0689301, "lon": -118.445127, "tst": 1520023934, "topic": "owntracks/ada/phone"}]);
    assert_eq!((first.status, first.json()), (200, own), "{}", first.text);
    let record = api
        .service
        .locations()
        .find(b"owntracks/ada/phone")
        .unwrap();
    assert_eq!(
        (record.location_text(), record.time_text()),
        (&b"+34.0689301-118.445127"[..], &b"1520023934"[..])
    );
    api.report("van7", 1.0, 2.0).await;
    let later = OWNTRACKS.replace("\"tst\":1520023934", "\"tst\":1520023935");
    let friends = api.owntracks("bob", "phone", &later).await.json();
    let topics: Vec<&Value> = friends
        .as_array()
        .unwrap()
        .iter()
        .map(|friend| &friend["topic"])
        .collect();
    assert_eq!(topics, ["owntracks/bob/phone", "owntracks/ada/phone"]);
    assert_ne!(friends[0]["tid"], friends[1]["tid"]);
    api.ask("DELETE", "/v1/clients/owntracks/bob/phone", &[], "")
        .await;
    let friends = api
        .ask(
            "POST",
            "/pub?u=eve&d=tab",
            &[],
            &OWNTRACKS.replace("owntracks/x/y", ""),
        )
        .await
        .json();
    let topics: Vec<&Value> = friends
        .as_array()
        .unwrap()
        .iter()
        .map(|friend| &friend["topic"])
        .collect();
    assert_eq!(topics.len(), 2, "{friends}");
    assert!(topics.contains(&&json!("owntracks/eve/tab")));
}

#[tokio::test]
async fn owntracks_is_told_200_where_it_would_send_again_for_ever() {
    let api = start();
    for body in [
        "",
        " \n",
        r#"{"_type":"encrypted","data":"x"}"#,
        r#"{"_type":"waypoint","lat":1,"lon":1,"tst":1}"#,
        r#"{"_type":"lwt","tst":1}"#,
        "{}",
    ] {
        let answer = api.owntracks("ada", "phone", body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "[]"), "{body}");
    }
    let ahead = OWNTRACKS.replace("\"tst\":1520023934", "\"tst\":9000000000");
    assert_eq!(api.owntracks("ada", "phone", &ahead).await.status, 200);
    assert_eq!(api.service.locations().len(), 0);
    let no_place = api
        .owntracks("ada", "phone", r#"{"_type":"location","lat":91,"tst":1}"#)
        .await;
    assert_eq!(no_place.status, 400);
    let nobody = api
        .ask(
            "POST",
            "/owntracks",
            &[],
            &OWNTRACKS.replace("owntracks/x/y", "x"),
        )
        .await;
    assert_eq!(
        (nobody.status, nobody.fields()),
        (400, vec!["topic".to_owned()])
    );
    let slow = start_with(|setup| setup.ack = AckLevel::Disk);
    assert_eq!(slow.owntracks("ada", "phone", OWNTRACKS).await.status, 503);
    let full = start_with(|setup| setup.service.room.clients_max = Some(0));
    assert_eq!(full.owntracks("ada", "phone", OWNTRACKS).await.status, 503);
}

#[tokio::test]
async fn a_phone_sees_the_friends_of_its_token() {
    let mut grant = Grant::new("ada").unwrap();
    grant.report.add("owntracks/ada/*").unwrap();
    grant.ask.add("owntracks/ada/*").unwrap();
    let mut api = start_with(|setup| setup.token = Some((Token::random(), grant)));
    let other =
        herd_crdt::Record::new(b"owntracks/bob/phone", b"+1+1", b"1", "Smith".into(), 0).unwrap();
    api.service.locations().report(other);
    let friends = api.owntracks("ada", "phone", OWNTRACKS).await.json();
    assert_eq!(friends.as_array().unwrap().len(), 1, "{friends}");
    assert_eq!(api.owntracks("bob", "phone", OWNTRACKS).await.status, 403);
    // As the app shows it: the password of its user.
    let token = api.token.take().unwrap();
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("ada:{}", token.reveal()));
    let headers = [
        ("x-limit-u", "ada"),
        ("x-limit-d", "phone"),
        ("authorization", &*format!("Basic {basic}")),
    ];
    assert_eq!(
        api.ask("POST", "/owntracks", &headers, OWNTRACKS)
            .await
            .status,
        200
    );
    assert_eq!(api.owntracks("ada", "phone", OWNTRACKS).await.status, 401);
}

#[tokio::test]
async fn osmand_reports_in_address_form_and_json() {
    let api = start();
    let old = "/osmand?id=van7&lat=34.06893&lon=-118.445127&timestamp=1520023934918&hdop=3&altitude=103&speed=0&batt=87.0";
    let answer = api.ask("GET", old, &[("user-agent", "OsmAnd")], "").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    let record = api.service.locations().find(b"van7").unwrap();
    assert_eq!(
        (record.location_text(), record.time_text()),
        (&b"+34.06893-118.445127"[..], &b"1520023934.918"[..])
    );
    let form = "deviceid=van8&lat=1.5&lon=2.5&timestamp=2018-03-02T20:52:14Z";
    assert_eq!(
        api.ask(
            "POST",
            "/osmand",
            &[("content-type", "application/x-www-form-urlencoded")],
            form
        )
        .await
        .status,
        200
    );
    let new = r#"{"location":{"timestamp":"2018-03-02T20:52:14.918Z","coords":{"latitude":34.06893,"longitude":-118.445127,
        "accuracy":3.8,"speed":0,"heading":-1,"altitude":103},"is_moving":true,"event":"motionchange",
        "battery":{"level":0.87,"is_charging":false},"activity":{"type":"still"},"extras":{}},"device_id":"van9"}"#;
    assert_eq!(
        api.ask(
            "POST",
            "/osmand",
            &[("content-type", "application/json")],
            new
        )
        .await
        .status,
        200
    );
    for client in ["van8", "van9"] {
        assert_eq!(
            api.get(&format!("/v1/clients/{client}")).await.status,
            200,
            "{client}"
        );
    }
    let ahead = "/osmand?id=van7&lat=1&lon=1&timestamp=9000000000";
    assert_eq!(api.ask("GET", ahead, &[], "").await.status, 200);
    for wrong in [
        "/osmand",
        "/osmand?id=van7&lat=x&lon=1",
        "/osmand?lat=1&lon=1",
        "/osmand?id=a&lat=1&lon=1&timestamp=soon",
    ] {
        assert_eq!(api.ask("GET", wrong, &[], "").await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_page_reports_nothing_as_a_phone() {
    let api = start();
    let address = "/osmand?id=victim&lat=1&lon=1";
    let image = api
        .ask("GET", address, &[("user-agent", "Mozilla/5.0 (X11)")], "")
        .await;
    assert_eq!(image.status, 403);
    let form = api
        .ask("POST", address, &[("origin", "http://evil.example")], "")
        .await;
    assert_eq!(form.status, 403);
    let text = api
        .ask(
            "POST",
            "/owntracks?u=a&d=b",
            &[("origin", "null"), ("content-type", "text/plain")],
            OWNTRACKS,
        )
        .await;
    assert_eq!(text.status, 403);
    assert_eq!(api.service.locations().len(), 0);
}

/// What Overland sends.
fn overland(times: &[&str], device: &str) -> String {
    let locations = times.iter().map(|time| {
        json!({
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [-118.445127, 34.06893]},
            "properties": {"timestamp": time, "device_id": device, "altitude": 103, "speed": 4, "horizontal_accuracy": 30,
                "motion": ["driving"], "battery_level": 0.87, "wifi": "home"}
        })
    });
    let mut locations: Vec<Value> = locations.collect();
    locations.push(json!({"type": "Feature", "geometry": null, "properties": {"type": "trip"}}));
    json!({"locations": locations, "trip": {}}).to_string()
}

#[tokio::test]
async fn overland_is_told_ok_when_all_is_safe() {
    let api = start();
    let headers = [("content-type", "application/json")];
    let batch = overland(
        &[
            "2018-03-02T12:52:13-0800",
            "2018-03-02T12:52:14-0800",
            "9999-01-01T00:00:00Z",
            "soon",
        ],
        "bike",
    );
    let answer = api.ask("POST", "/overland", &headers, &batch).await;
    let told = json!({
        "result": "ok", "refused": 2,
        "reason": "time: is neither seconds since 1970 nor a time of RFC 3339 with its distance from UTC"
    });
    assert_eq!((answer.status, answer.json()), (200, told));
    let record = api.service.locations().find(b"bike").unwrap();
    assert_eq!(
        (record.location_text(), record.time_text()),
        (&b"+34.06893-118.445127"[..], &b"1520023934"[..])
    );
    assert_eq!(
        api.ask("POST", "/overland", &headers, "{").await.status,
        400
    );
    let slow = start_with(|setup| setup.ack = AckLevel::Disk);
    assert_eq!(
        slow.ask("POST", "/overland", &headers, &batch).await.status,
        503
    );
    let full = start_with(|setup| setup.service.room.clients_max = Some(0));
    assert_eq!(
        full.ask("POST", "/overland", &headers, &batch).await.status,
        503
    );
}

/// A location of an Overland batch, and one that can never be taken in.
fn overland_location(device: &str) -> Value {
    json!({
        "geometry": {"coordinates": [1, 1]},
        "properties": {"timestamp": "2018-03-02T12:52:13Z", "device_id": device}
    })
}

#[tokio::test]
async fn overland_takes_no_batch_without_a_bound() {
    let api = start();
    let batch = |count: usize| format!("{{\"locations\":[{}1]}}", "1,".repeat(count - 1));
    let ask = async |body: &str| api.ask("POST", "/overland", &[], body).await;
    let whole = ask(&batch(5_000)).await;
    assert_eq!(
        (whole.status, &whole.json()["refused"]),
        (200, &json!(5_000))
    );
    assert_eq!(ask(&batch(5_001)).await.status, 413);
    assert_eq!(ask(&batch(1_000_000)).await.status, 413);
    assert_eq!(ask(r#"{"locations":{}}"#).await.status, 400);
    assert_eq!(
        ask(&batch(6_000).replace("]}", "")).await.status,
        400,
        "it is no JSON"
    );
}

#[tokio::test]
async fn overland_goes_on_behind_what_will_never_be_taken_in() {
    let api = start();
    let good = overland_location("bike");
    let mut far = good.clone();
    far["geometry"]["coordinates"] = json!([1, 91]);
    let mut strange = good.clone();
    strange["properties"]["timestamp"] = json!(1_520_023_934);
    let long = overland_location(&"b".repeat(9_000));
    for (bad, reason) in [
        (overland_location(""), "client: device_id: "),
        (overland_location("my bike"), "client: device_id: "),
        (far, "latitude: "),
        (strange, "locations: invalid type: integer"),
        (json!("nothing"), "locations: invalid type: string"),
        (long, "client: device_id: "),
    ] {
        // Before a good one, behind one, and alone.
        for batch in [
            vec![bad.clone(), good.clone()],
            vec![good.clone(), bad.clone()],
            vec![bad.clone()],
        ] {
            let body = json!({"locations": batch}).to_string();
            let answer = api.ask("POST", "/overland", &[], &body).await;
            let told = answer.json();
            assert_eq!(
                (answer.status, &told["result"]),
                (200, &json!("ok")),
                "{told}"
            );
            assert_eq!(told["refused"], 1, "{told}");
            assert!(
                told["reason"].as_str().unwrap().starts_with(reason),
                "{told}"
            );
        }
        assert!(api.service.locations().find(b"bike").is_some());
    }
    assert_eq!(api.service.locations().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_phone_is_told_to_send_again_where_a_limit_is_met() {
    let api = start_with(|setup| setup.per_second = NonZeroU32::new(2));
    for status in [200, 200, 503] {
        let address = "/osmand?id=a&lat=1&lon=1";
        let answer = api.ask("POST", address, &[], "").await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    for path in [
        "/owntracks",
        "/osmand?id=a&lat=1&lon=1",
        "/pub",
        "/overland",
    ] {
        let answer = api.ask("POST", path, &[], "").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.json()["code"], "later");
    }
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_is_cut_off_sends_again() {
    let api = start();
    for path in super::super::phones::PATHS {
        let never = Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>());
        let answer = api.send(Request::post(path).body(never).unwrap()).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.header("connection"), "close");
    }
}

#[tokio::test]
async fn a_page_that_is_let_in_is_no_phone_either() {
    for allowed in ["*", "http://maps.example"] {
        let api = start_with(|setup| setup.api.cors_origins = vec![allowed.into()]);
        let page = ("origin", "http://maps.example");
        for path in super::super::phones::PATHS {
            let answer = api.ask("POST", path, &[page], OWNTRACKS).await;
            let code = &answer.json()["code"];
            assert_eq!((answer.status, code), (403, &json!("page-from-elsewhere")));
            let asks = [page, ("access-control-request-method", "POST")];
            let preflight = api.ask("OPTIONS", path, &asks, "").await;
            assert_eq!(preflight.header("access-control-allow-methods"), "");
        }
        assert_eq!(api.service.locations().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn overland_has_the_rate_of_its_address() {
    let api = start_with(|setup| setup.per_second = NonZeroU32::new(100));
    let batch = overland(&["2018-03-02T12:52:13Z"; 1_000], "bike");
    let begin = tokio::time::Instant::now();
    let answer = api.ask("POST", "/overland", &[], &batch).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(begin.elapsed() > Duration::from_secs(5));
}

#[tokio::test]
async fn overland_stops_where_it_is_not_safe() {
    let api = start_with(|setup| setup.ack = AckLevel::Disk);
    let devices = (0..1_000).map(|device| {
        json!({
            "geometry": {"coordinates": [1, 1]},
            "properties": {"timestamp": "2018-03-02T12:52:13Z", "device_id": format!("bike{device}")}
        })
    });
    let batch = json!({"locations": devices.collect::<Vec<_>>()}).to_string();
    let answer = api.ask("POST", "/overland", &[], &batch).await;
    assert_eq!(answer.json()["code"], "unconfirmed");
    assert_eq!(api.service.locations().len(), 128);
}
