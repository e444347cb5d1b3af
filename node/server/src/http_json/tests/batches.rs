use super::*;

#[tokio::test]
async fn each_report_has_its_answer_in_the_same_form() {
    let api = start();
    let lines = "{\"client\":\"a\",\"latitude\":1,\"longitude\":2,\"time\":\"1520023934.918963997\"}\r\n\n\
                 {\"client\":\"b\",\"latitude\":91}\nnothing\n{\"client\":\"c\",\"location\":\"+1+1\",\"time\":9000000000}";
    let answer = api.post("application/x-ndjson; charset=utf-8", lines).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (207, "application/x-ndjson")
    );
    let answers: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected = json!({"status": 200, "server": "Hill", "difference_s": "+0.263873386"});
    assert_eq!((answers.len(), &answers[0]), (4, &expected));
    let fields: Vec<&Value> = answers[1]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| &fault["field"])
        .collect();
    assert_eq!(fields, ["longitude", "latitude"]);
    assert_eq!(answers[2]["errors"][0]["field"], "body");
    assert_eq!(answers[3]["code"], "ahead-of-clock");
    assert_eq!(api.get("/v1/clients/a").await.json()["location"], "+1+2");
    let array =
        "[{\"client\":\"d\",\"location\":\"+1+1\"} , {\"client\":\"e\",\"location\":\"+1+1\"}]";
    let answer = api.post("application/json", array).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(answer.json().as_array().unwrap().len(), 2);
    assert_eq!(ids(&api.get("/v1/clients").await), ["a", "d", "e"]);
}

#[tokio::test]
async fn a_body_without_reports_is_answered_with_none() {
    let api = start();
    for (body, expected) in [("", ""), ("\n \n", ""), ("[]", "[]\n"), (" [ ] ", "[]\n")] {
        let answer = api.post("application/json", body).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, expected),
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn a_broken_body_keeps_the_reports_before() {
    let api = start();
    let answer = api
        .post(
            "application/json",
            "[{\"client\":\"a\",\"location\":\"+1+1\"},{\"client\":",
        )
        .await;
    assert_eq!(answer.status, 207);
    let answers = answer.json();
    assert_eq!(
        (&answers[0]["status"], &answers[1]["status"]),
        (&json!(200), &json!(400))
    );
    assert!(answers[1].to_string().contains("no end"));
    let long = format!(
        "{{\"client\":\"b\",\"location\":\"+1+1\"}}\n{}",
        "x".repeat(70_000)
    );
    let answer = api.post("application/x-ndjson", &long).await;
    assert_eq!(answer.status, 207);
    assert!(answer.text.contains("\"status\":413"));
    assert_eq!(ids(&api.get("/v1/clients").await), ["a", "b"]);
}

#[tokio::test]
async fn a_body_has_bounds() {
    let api = start();
    let announced = [
        ("content-type", "application/json"),
        ("content-length", "16777217"),
    ];
    assert_eq!(
        api.ask("POST", "/v1/reports", &announced, "").await.status,
        413
    );
    let line = "{\"client\":\"a\",\"location\":\"+1+1\",\"time\":1}\n";
    let answer = api.post("application/x-ndjson", &line.repeat(50_001)).await;
    assert_eq!((answer.status, answer.text.lines().count()), (207, 50_001));
    assert!(
        answer
            .text
            .lines()
            .last()
            .unwrap()
            .contains("\"too-large\"")
    );
    let answer = api.post("application/x-ndjson", &line.repeat(50_000)).await;
    assert_eq!((answer.status, answer.text.lines().count()), (200, 50_000));
    let malformed = api
        .post("application/x-ndjson", &"{}\n".repeat(1_000))
        .await;
    assert_eq!(
        (
            malformed.status,
            malformed.text.matches("\"errors\"").count()
        ),
        (400, 100)
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_is_given_up() {
    let api = start();
    let first = Ok::<_, std::io::Error>(Bytes::from_static(
        b"{\"client\":\"a\",\"location\":\"+1+1\"}\n",
    ));
    let pieces = futures_util::stream::iter([first]).chain(futures_util::stream::pending());
    let request = Request::post("/v1/reports").header("content-type", "application/x-ndjson");
    let answer = api
        .send(request.body(Body::from_stream(pieces)).unwrap())
        .await;
    assert_eq!(answer.status, 207);
    assert!(answer.text.contains("\"status\":408"), "{}", answer.text);
    assert_eq!(ids(&api.get("/v1/clients").await), ["a"]);
}

#[tokio::test]
async fn of_two_reports_without_time_the_later_one_holds() {
    let api = start();
    let lines = (1..=9).map(|degrees| {
        let location = format!("+{degrees}+{}", 10 - degrees);
        json!({"client": "a", "location": location}).to_string() + "\n"
    });
    let answer = api
        .post("application/x-ndjson", &lines.collect::<String>())
        .await;
    let same = answer
        .text
        .lines()
        .filter(|line| line.contains("\"+0.000000000\""));
    assert_eq!((answer.status, same.count()), (200, 9), "{}", answer.text);
    let record = api.get("/v1/clients/a").await.json();
    assert_eq!(record["location"], "+9+1");
    // The clock stands still.
    for location in ["+1+9", "+9+1", "+1+8"] {
        let record = api
            .put("/v1/clients/a", &json!({"location": location}))
            .await;
        assert_eq!(record.json()["location"], location);
        assert_eq!(record.json()["difference_s"], "+0.000000000");
    }
}
