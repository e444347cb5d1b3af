use super::*;

#[tokio::test]
async fn the_nearest_come_first_with_their_distances() {
    let api = start();
    api.report("kiwi", 34.06893, -118.445127).await;
    api.report("moa", 34.0797, -118.4453).await;
    let near = api
        .get("/v1/nearby?latitude=34.068930&longitude=-118.445127&radius_km=5")
        .await;
    assert_eq!(ids(&near), ["kiwi", "moa"]);
    let near = near.json();
    assert_eq!(near["clients"][1]["distance_km"], 1.197677);
    assert_eq!(
        (&near["clients"][0]["distance_km"], &near["more"]),
        (&json!(0.0), &json!(false))
    );
    let around = api.get("/v1/nearby?client=kiwi&limit=0").await.json();
    assert_eq!(around, json!({"clients": [], "more": true}));
    assert_eq!(api.get("/v1/nearby?client=nobody").await.status, 404);
    for (query, fields) in [
        ("", &["latitude"][..]),
        ("latitude=1", &["longitude"]),
        ("latitude=1&longitude=1&client=kiwi", &["client"]),
        (
            "client=kiwi&radius_km=20101&limit=-1",
            &["radius_km", "limit"],
        ),
    ] {
        let answer = api.get(&format!("/v1/nearby?{query}")).await;
        assert_eq!(
            (answer.status, answer.fields()),
            (400, fields.iter().map(|&field| field.to_owned()).collect()),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_box_may_cross_180_degrees() {
    let api = start();
    api.report("east", -10.0, 179.0).await;
    api.report("west", 10.0, -179.0).await;
    api.report("far", 0.0, 0.0).await;
    let within = api.get("/v1/within?bbox=178,-11,-178,11").await;
    assert_eq!(ids(&within), ["east", "west"]);
    assert_eq!(within.json()["clients"][0].get("distance_km"), None);
    let geo = [("accept", "application/geo+json")];
    let map = api
        .ask("GET", "/v1/within?bbox=178,-11,-178,11&limit=1", &geo, "")
        .await
        .json();
    assert_eq!(
        (&map["more"], map["features"].as_array().unwrap().len()),
        (&json!(true), 1)
    );
    assert_eq!(map["features"][0]["id"], "east");
    assert_eq!(within.header("vary"), "Accept");
    for query in ["", "bbox=1,2,3,1", "bbox=1,2,3", "bbox=a,0,0,0"] {
        let answer = api.get(&format!("/v1/within?{query}")).await;
        assert_eq!(
            (answer.status, answer.fields()),
            (400, vec!["bbox".to_owned()]),
            "{query}"
        );
    }
}

#[tokio::test]
async fn places_are_those_of_the_provider() {
    let api = start();
    api.report("kiwi", 1.0, 2.0).await;
    let places = api.get("/v1/places?client=kiwi").await;
    assert_eq!(places.text, "{\"radius_m\":10000,\"max\":20}");
    let places = api
        .get("/v1/places?client=kiwi&radius_km=2.5&limit=3")
        .await;
    assert_eq!(places.text, "{\"radius_m\":2500,\"max\":3}");
    assert_eq!(api.get("/v1/places?client=nobody").await.status, 404);
    let wrong = api.get("/v1/places?radius_km=51&limit=21").await;
    assert_eq!(
        wrong.fields(),
        ["client", "radius_km", "limit"].map(str::to_owned)
    );
}

#[tokio::test]
async fn too_many_long_searches_are_refused() {
    let api = start_with(|setup| setup.service.searches_in_flight_max = 0);
    for number in 0..2_000 {
        let record = herd_crdt::Record::new(
            format!("van{number}").as_bytes(),
            b"+1+1",
            b"1",
            "Hill".into(),
            0,
        );
        api.service.locations().report(record.unwrap());
    }
    let answer = api.get("/v1/clients").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
}

#[tokio::test]
async fn an_answer_is_counted_as_it_is_written() {
    let api = start();
    // A control character takes six in JSON, and an ID is there twice in GeoJSON.
    let long = "\u{1}".repeat(8_000);
    for number in 0..900 {
        let client = format!("{number}{long}");
        let record = herd_crdt::Record::new(client.as_bytes(), b"+1+1", b"1", "Hill".into(), 0);
        api.service.locations().report(record.unwrap());
    }
    let accept = [("accept", "application/geo+json")];
    for path in [
        "/v1/clients?limit=1000",
        "/v1/within?bbox=0,0,2,2&limit=1000",
    ] {
        let answer = api.ask("GET", path, &accept, "").await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
        let less = path.replace("1000", "100");
        assert_eq!(api.ask("GET", &less, &accept, "").await.status, 200);
    }
}
