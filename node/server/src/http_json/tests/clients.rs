use super::*;

#[tokio::test]
async fn a_report_is_answered_as_it_was_sent() {
    let api = start();
    let report = json!({"latitude": "34.068930", "longitude": -118.445127, "time": TIME});
    let put = api.put("/v1/clients/fleet%2Fvan7", &report).await;
    assert_eq!(put.status, 200, "{}", put.text);
    let expected = json!({
        "client": "fleet/van7", "latitude": 34.06893, "longitude": -118.445127,
        "location": "+34.068930-118.445127", "time": TIME, "time_utc": "2018-03-02T20:52:14.918963997Z",
        "server": "Hill", "difference_s": "+0.263873386", "age_s": 0.263873386,
    });
    assert_eq!(put.json(), expected);
    for path in ["/v1/clients/fleet%2Fvan7", "/v1/clients/fleet/van7"] {
        assert_eq!(api.get(path).await.json(), expected, "{path}");
    }
    let found = api.service.locations().find(b"fleet/van7").unwrap();
    assert_eq!(found.location_text(), b"+34.068930-118.445127");
}

#[tokio::test]
async fn an_older_report_is_answered_with_the_later_one() {
    let api = start();
    api.report("kiwi", 1.0, 2.0).await;
    let older = json!({"latitude": 3, "longitude": 4, "time": "2018-03-02T20:52:14Z"});
    let answer = api.put("/v1/clients/kiwi", &older).await;
    assert_eq!(answer.json()["location"], "+1+2");
    let now = api
        .put("/v1/clients/kiwi", &json!({"location": "+5+6"}))
        .await;
    assert_eq!(now.json()["time"], "1520023935.182837383");
}

#[tokio::test]
async fn an_id_may_be_any_bytes() {
    let api = start();
    let report = json!({"location": "+1+1", "time": 1});
    let answer = api.put("/v1/clients/%ff%2e%20x", &report).await;
    assert_eq!(
        (answer.status, answer.fields()),
        (400, vec!["id".to_owned()])
    );
    let answer = api.put("/v1/clients/%ff%A0%2f%2e", &report).await;
    assert_eq!(answer.json()["client_base64"], "/6AvLg==");
    assert_eq!(api.get("/v1/clients/%FF%a0/.").await.status, 200);
    let listed = api.get("/v1/clients?limit=1&prefix=%ff").await.json();
    assert_eq!(listed["clients"][0]["client_base64"], "/6AvLg==");
}

#[tokio::test]
async fn mistakes_of_a_report_are_told_all_together() {
    let api = start();
    let answer = api
        .put(
            "/v1/clients/kiwi",
            &json!({"latitude": 91, "longitude": "x", "time": "soon"}),
        )
        .await;
    assert_eq!(
        (answer.status, answer.fields()),
        (
            400,
            ["latitude", "longitude", "time"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    let ahead = json!({"location": "+1+1", "time": 9_000_000_000_u64});
    let answer = api.put("/v1/clients/kiwi", &ahead).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (400, &json!("ahead-of-clock"))
    );
    let plain = [("content-type", "text/plain")];
    let answer = api
        .ask("PUT", "/v1/clients/kiwi", &plain, "{\"location\":\"+1+1\"}")
        .await;
    assert_eq!(answer.status, 415);
    let large = json!({"location": "+1+1", "time": "1".repeat(70_000)});
    assert_eq!(api.put("/v1/clients/kiwi", &large).await.status, 413);
    assert_eq!(api.get("/v1/clients/kiwi").await.status, 404);
    assert_eq!(api.service.locations().len(), 0);
}

#[tokio::test]
async fn a_report_that_is_not_safe_in_time_is_unavailable() {
    // Nobody writes to a disk here.
    let api = start_with(|setup| setup.ack = AckLevel::Disk);
    let report = json!({"location": "+1+1", "time": 1});
    let answer = api.put("/v1/clients/kiwi", &report).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (503, &json!("unconfirmed"))
    );
    assert_eq!(answer.header("retry-after"), "1");
    let answer = api.ask("DELETE", "/v1/clients/kiwi", &[], "").await;
    assert_eq!(answer.status, 503);
    let lines = "{\"client\":\"kiwi\",\"location\":\"+1+1\"}\n".repeat(300);
    let answer = api.post("application/x-ndjson", &lines).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.text.matches("\"code\":\"unconfirmed\"").count(), 300);
}

#[tokio::test]
async fn a_full_server_takes_known_clients_only() {
    let api = start_with(|setup| setup.service.room.clients_max = Some(1));
    api.report("kiwi", 1.0, 2.0).await;
    let answer = api
        .put("/v1/clients/emu", &json!({"location": "+1+1"}))
        .await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (503, &json!("full"))
    );
    assert_eq!(answer.header("retry-after"), "60");
    api.report("kiwi", 1.0, 2.0).await;
}

#[tokio::test]
async fn a_forgotten_client_is_unknown() {
    let api = start();
    api.report("kiwi", 1.0, 2.0).await;
    let gone = api.ask("DELETE", "/v1/clients/kiwi", &[], "").await;
    let expected = json!({
        "client": "kiwi", "server": "Hill", "time": "1520023935.182837383",
        "time_utc": "2018-03-02T20:52:15.182837383Z",
    });
    assert_eq!((gone.status, gone.json()), (200, expected));
    assert_eq!(api.get("/v1/clients/kiwi").await.status, 404);
    assert_eq!(
        api.ask("DELETE", "/v1/clients/nobody", &[], "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_known_record_is_not_sent_again() {
    let api = start();
    api.report("kiwi", 1.0, 2.0).await;
    let first = api.get("/v1/clients/kiwi").await;
    let tag = first.header("etag").to_owned();
    assert_eq!(tag, "W/\"1520023934.918963997-Hill\"");
    for known in [
        tag.clone(),
        format!("\"x\", {tag}"),
        tag.replace("W/", ""),
        "*".to_owned(),
    ] {
        let again = api
            .ask("GET", "/v1/clients/kiwi", &[("if-none-match", &known)], "")
            .await;
        assert_eq!(
            (again.status, again.text.as_str(), again.header("etag")),
            (304, "", tag.as_str())
        );
    }
    let other = api
        .ask("GET", "/v1/clients/kiwi", &[("if-none-match", "\"x\"")], "")
        .await;
    assert_eq!(other.status, 200);
    let head = api.ask("HEAD", "/v1/clients/kiwi", &[], "").await;
    assert_eq!(
        (head.status, head.text.as_str(), head.header("etag")),
        (200, "", tag.as_str())
    );
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let api = start();
    for client in ["bus1", "van1", "van2", "van%FF", "van3"] {
        api.report(client, 1.0, 2.0).await;
    }
    let first = api.get("/v1/clients?prefix=van&limit=2").await;
    assert_eq!(ids(&first), ["van1", "van2"]);
    assert_eq!(first.json()["next"], "van2");
    let second = api
        .get("/v1/clients?prefix=van&limit=2&after=van2")
        .await
        .json();
    assert_eq!(second["clients"][1]["client_base64"], "dmFu/w==");
    assert_eq!(second.get("next"), None);
    let to_last = api.get("/v1/clients?limit=5&after=bus0").await.json();
    assert_eq!(to_last.get("next"), None);
    let before_last = api.get("/v1/clients?prefix=van%FF&limit=0").await.json();
    assert_eq!(before_last["clients"], json!([]));
    let rest = api.get("/v1/clients?after_base64=dmFuMg==").await;
    assert_eq!(rest.json()["clients"].as_array().unwrap().len(), 2);
    let map = api
        .ask(
            "GET",
            "/v1/clients?limit=1",
            &[("accept", "application/geo+json")],
            "",
        )
        .await;
    assert_eq!(map.header("content-type"), "application/geo+json");
    let map = map.json();
    assert_eq!(
        (&map["type"], &map["next"]),
        (&json!("FeatureCollection"), &json!("bus1"))
    );
    assert_eq!(
        map["features"][0]["geometry"]["coordinates"],
        json!([2.0, 1.0])
    );
    let wrong = api
        .get("/v1/clients?limit=1001&after=a&after_base64=YQ==&prefx=v")
        .await;
    assert_eq!(
        wrong.fields(),
        ["after_base64", "limit", "prefx"].map(str::to_owned)
    );
}
