use axum::body::{Body, to_bytes};
use axum::routing::get;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use super::*;
use crate::access::{Grant, Token, Tokens, grant_line};

/// A server with one page behind the guard; it opens for `token` if that has the scope.
fn server(token: &Token, http: bool) -> (TowerToHyperService<Router>, Arc<Access>) {
    let mut grant = Grant::new("some").unwrap();
    grant.http = http;
    grant.ask.add("*").unwrap();
    let text = grant_line(&grant, &token.hash());
    let access = Access::new("tokens".into(), Tokens::parse(text.as_bytes()).unwrap());
    let routes = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(async || "ready"))
        .route("/data", get(async || "where everyone is"));
    let guarded = guarded(routes, Some(access.clone()));
    (TowerToHyperService::new(guarded), access)
}

async fn ask(server: &TowerToHyperService<Router>, path: &str, shown: &[&str]) -> (u16, String) {
    let mut request = Request::get(path);
    for shown in shown {
        request = request.header(AUTHORIZATION, *shown);
    }
    let response = server.call(request.body(Body::empty()).unwrap()).await;
    let response = response.unwrap();
    let status = response.status().as_u16();
    if status == 401 {
        let challenges = response.headers().get_all(WWW_AUTHENTICATE);
        assert_eq!(challenges.iter().count(), 2);
    }
    let body = to_bytes(response.into_body(), 1_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn basic(user: &str, token: &Token) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{user}:{}", token.reveal()))
    )
}

/// As for [`crate::access::Session`].
#[tokio::test]
async fn a_short_token_opens_no_page() {
    let text = format!("all {} http", TokenHash::of(b"abc"));
    let access = Access::new("tokens".into(), Tokens::parse(text.as_bytes()).unwrap());
    let routes = Router::new().route("/data", get(async || "where everyone is"));
    let server = TowerToHyperService::new(guarded(routes, Some(access)));
    assert_eq!(ask(&server, "/data", &["Bearer abc"]).await.0, 401);
}

#[tokio::test]
async fn pages_open_for_a_token_with_the_scope_alone() {
    let token = Token::random();
    let bearer = format!("Bearer {}", token.reveal());
    let (server, access) = server(&token, true);
    for shown in [
        bearer.clone(),
        bearer.replace("Bearer", "bearer"),
        basic("", &token),
        basic("me", &token),
    ] {
        let (status, text) = ask(&server, "/data", &[&shown]).await;
        assert_eq!((status, text.as_str()), (200, "where everyone is"));
    }
    let other = format!("Bearer {}", Token::random().reveal());
    let nowhere = ask(&server, "/nowhere", &[]).await;
    assert_eq!(nowhere.0, 401);
    for shown in [
        &[][..],
        &[&*other],
        &["Bearer"],
        &["Bearer "],
        &["Basic !"],
        &["Digest x"],
        &[token.reveal()],
        &[&*bearer, &*bearer],
    ] {
        assert_eq!(ask(&server, "/data", shown).await, nowhere, "{shown:?}");
    }
    assert_eq!(
        access
            .statistics()
            .requests_forbidden
            .load(Ordering::Relaxed),
        9
    );
}

#[tokio::test]
async fn health_is_for_everyone_and_other_scopes_open_nothing() {
    let token = Token::random();
    let (server, _access) = server(&token, false);
    assert_eq!(ask(&server, "/healthz", &[]).await.0, 200);
    assert_eq!(ask(&server, "/readyz", &["Bearer x"]).await.0, 200);
    for path in [
        "/data",
        "/healthz/",
        "//healthz",
        "/healthz/../data",
        "/HEALTHZ",
    ] {
        let shown = format!("Bearer {}", token.reveal());
        assert_eq!(ask(&server, path, &[&shown]).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn events_end_when_their_token_is_gone() {
    let token = Token::random();
    let mut grant = Grant::new("some").unwrap();
    grant.http = true;
    let text = grant_line(&grant, &token.hash()) + "\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, &text).unwrap();
    let access = Access::new(file.clone(), Tokens::parse(text.as_bytes()).unwrap());
    let stop = tokio_util::sync::CancellationToken::new();
    let following = tokio::spawn(access.clone().follow(stop.clone()));
    let events = async || {
        let ticks = tokio::time::interval(std::time::Duration::from_millis(10));
        let events = futures_util::stream::unfold(ticks, |mut ticks| async {
            ticks.tick().await;
            Some((Ok::<_, std::convert::Infallible>("data:\n\n"), ticks))
        });
        (
            [(CONTENT_TYPE, "text/event-stream")],
            Body::from_stream(events),
        )
            .into_response()
    };
    let routes = Router::new().route("/events", get(events));
    let server = TowerToHyperService::new(guarded(routes, Some(access)));
    let bearer = format!("Bearer {}", token.reveal());
    let request = Request::get("/events").header(AUTHORIZATION, &bearer);
    let response = server.call(request.body(Body::empty()).unwrap()).await;
    let mut pieces = response.unwrap().into_body().into_data_stream();
    for _ in 0..5 {
        assert_eq!(pieces.next().await.unwrap().unwrap(), "data:\n\n");
    }
    std::fs::write(&file, "").unwrap();
    let rest = async { while pieces.next().await.is_some() {} };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(60), rest).await;
    assert!(ended.is_ok(), "they go on");
    stop.cancel();
    following.await.unwrap();
}
