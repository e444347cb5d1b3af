use super::*;

#[tokio::test]
async fn each_operation_takes_the_scope_of_its_command() {
    let api = start_with(with_vans);
    api.report("van7", 1.0, 2.0).await;
    let report = json!({"location": "+1+1", "time": 1});
    for (method, path, status) in [
        ("GET", "/v1/clients/van7", 200),
        ("GET", "/v1/clients/van8", 403),
        ("DELETE", "/v1/clients/van8", 200),
        ("DELETE", "/v1/clients/van7", 403),
        ("GET", "/v1/nearby?client=van7", 200),
        ("GET", "/v1/nearby?client=bus", 403),
        ("GET", "/v1/places?client=bus", 403),
        ("GET", "/v1/watch?client=bus", 403),
        ("GET", "/v1/watch?near=bus&radius_km=1", 403),
    ] {
        let answer = api.ask(method, path, &[], "").await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
    assert_eq!(api.put("/v1/clients/bus", &report).await.status, 403);
    let batch =
        "[{\"client\":\"bus\",\"location\":\"+1+1\"},{\"client\":\"van9\",\"location\":\"+1+1\"}]";
    let answer = api.post("application/json", batch).await;
    assert_eq!(
        (
            answer.status,
            &answer.json()[0]["status"],
            &answer.json()[1]["status"]
        ),
        (207, &json!(403), &json!(200))
    );
    // Others do not exist for it.
    assert_eq!(ids(&api.get("/v1/clients").await), ["van7"]);
    assert_eq!(
        ids(&api.get("/v1/within?bbox=-180,-90,180,90").await),
        ["van7"]
    );
}

#[tokio::test]
async fn overland_goes_on_behind_what_the_token_may_not_report() {
    let api = start_with(with_vans);
    let location = |device: &str| {
        json!({"geometry": {"coordinates": [1, 1]},
            "properties": {"timestamp": "2018-03-02T12:52:13Z", "device_id": device}})
    };
    let batch = |locations: &[Value]| json!({"locations": locations}).to_string();
    let some = batch(&[location("bus"), location("van9")]);
    let answer = api.ask("POST", "/overland", &[], &some).await;
    let told = json!({"result": "ok", "refused": 1, "reason": "the token does not allow this"});
    assert_eq!((answer.status, answer.json()), (200, told));
    assert!(api.service.locations().find(b"van9").is_some());
    // None of it, which the token's owner can mend.
    let none = batch(&[location("bus"), location("")]);
    let answer = api.ask("POST", "/overland", &[], &none).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (403, &json!("forbidden"))
    );
}

#[tokio::test]
async fn who_may_not_ask_is_told_only_what_it_said() {
    let api = start_with(with_vans);
    let secret = herd_crdt::Record::new(b"van8", b"+8+8", b"1000", "Smith".into(), 0).unwrap();
    api.service.locations().report(secret);
    let report = json!({"location": "+1+1", "time": 1});
    let answer = api.put("/v1/clients/van8", &report).await;
    assert_eq!(
        (answer.status, &answer.json()["location"]),
        (200, &json!("+1+1"))
    );
}

#[tokio::test]
async fn without_a_known_token_nothing_is_told() {
    let mut api = start_with(with_vans);
    for token in [None, Some(Token::random())] {
        api.token = token;
        for (method, path) in [
            ("GET", "/v1/clients/van7"),
            ("PUT", "/v1/clients/van7"),
            ("POST", "/v1/reports"),
            ("GET", "/v1/watch?all"),
        ] {
            let answer = api
                .ask(method, path, &[("content-type", "application/json")], "{}")
                .await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (401, &json!("token-needed")),
                "{path}"
            );
            assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 2);
        }
    }
    for path in ["/v1/", "/v1/openapi.json"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_address_has_its_rate() {
    let api = start_with(|setup| setup.per_second = NonZeroU32::new(2));
    assert_eq!(api.get("/v1/clients/kiwi").await.status, 404);
    assert_eq!(api.get("/v1/clients/kiwi").await.status, 404);
    let answer = api.get("/v1/clients/kiwi").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_a_batch() {
    let api = start_with(with_vans);
    let access = api.access.clone().unwrap();
    let report = |client: &str| {
        let line = json!({"client": client, "location": "+1+1", "time": 1});
        Ok::<_, std::io::Error>(Bytes::from(format!("{line}\n")))
    };
    let (first, second) = (report("van1"), report("van2"));
    let pieces =
        futures_util::stream::iter([first]).chain(futures_util::stream::once(async move {
            access.replace(Tokens::default());
            second
        }));
    let token = api.token.as_ref().unwrap().reveal().to_owned();
    let request = Request::post("/v1/reports")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/x-ndjson")
        .body(Body::from_stream(pieces));
    let answer = api.send(request.unwrap()).await;
    assert_eq!(answer.status, 207, "{}", answer.text);
    assert!(answer.text.contains("token-needed"), "{}", answer.text);
    let is_known = |client: &[u8]| api.service.locations().find(client).is_some();
    assert!(is_known(b"van1") && !is_known(b"van2"));
}
