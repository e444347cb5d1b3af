use super::*;

/// The events of a watch.
struct Watching {
    pieces: axum::body::BodyDataStream,
    text: String,
}

impl Watching {
    async fn start(api: &TestApi, query: &str) -> Self {
        let mut request = Request::get(format!("/v1/watch?{query}"));
        if let Some(token) = &api.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let response = api
            .routes
            .call(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Watching {
            pieces: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next block; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let piece = self.pieces.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// The name and the data of the next event.
    async fn event(&mut self) -> (String, Value) {
        loop {
            let block = self.block().await.unwrap();
            if let Some((name, data)) = block.split_once("\ndata: ") {
                let name = name.strip_prefix("event: ").unwrap();
                return (name.to_owned(), serde_json::from_str(data).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn a_watch_tells_what_is_and_then_what_changes() {
    let api = start();
    api.report("kiwi", 1.0, 1.0).await;
    let mut watching = Watching::start(&api, "latitude=1&longitude=1&radius_km=5").await;
    let (name, record) = watching.event().await;
    assert_eq!(
        (name.as_str(), &record["client"]),
        ("enter", &json!("kiwi"))
    );
    assert_eq!(
        watching.event().await,
        ("live".to_owned(), json!({"clients": 1}))
    );
    api.report("emu", 1.001, 1.0).await;
    let (name, record) = watching.event().await;
    assert_eq!(
        (name.as_str(), &record["location"]),
        ("enter", &json!("+1.001+1"))
    );
    api.ask("DELETE", "/v1/clients/kiwi", &[], "").await;
    assert_eq!(
        watching.event().await,
        ("gone".to_owned(), json!({"client": "kiwi"}))
    );
    api.shutdown.cancel();
    assert_eq!(
        watching.event().await,
        ("end".to_owned(), json!({"reason": "stopping"}))
    );
    assert_eq!(watching.block().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_says_that_it_is_alive() {
    let api = start();
    let mut watching = Watching::start(&api, "client=nobody").await;
    assert_eq!(watching.block().await.unwrap(), "retry: 3000");
    assert_eq!(watching.event().await.0, "live");
    for _ in 0..3 {
        assert_eq!(watching.block().await.unwrap(), ": alive");
    }
}

#[tokio::test]
async fn a_watch_ends_when_its_token_is_gone() {
    let api = start_with(with_vans);
    let mut watching = Watching::start(&api, "all").await;
    assert_eq!(watching.event().await.0, "live");
    api.access.as_ref().unwrap().replace(Tokens::default());
    assert_eq!(
        watching.event().await,
        ("end".to_owned(), json!({"reason": "refused"}))
    );
    assert_eq!(watching.block().await, None);
}

#[tokio::test]
async fn watches_leave_room_for_other_requests() {
    let api = start_with(|setup| setup.api.watchers_max = 4);
    // The fourth is for other addresses.
    let held = [
        Watching::start(&api, "all").await,
        Watching::start(&api, "all").await,
        Watching::start(&api, "all").await,
    ];
    assert_eq!(api.get("/v1/watch?all").await.status, 429);
    drop(held);
    assert_eq!(api.ask("HEAD", "/v1/watch?all", &[], "").await.status, 200);
    let _again = Watching::start(&api, "all").await;
    assert_eq!(api.service.watch_figures().watchers, 1);
}
