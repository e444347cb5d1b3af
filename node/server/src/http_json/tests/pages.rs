use super::*;

const ELSEWHERE: (&str, &str) = ("origin", "http://maps.example");

#[tokio::test]
async fn a_page_from_elsewhere_writes_nothing() {
    let api = start();
    let body = "{\"client\":\"kiwi\",\"location\":\"+1+1\"}";
    let json = ("content-type", "application/json");
    for (method, path) in [
        ("PUT", "/v1/clients/kiwi"),
        ("DELETE", "/v1/clients/kiwi"),
        ("POST", "/v1/reports"),
    ] {
        for from in [
            ELSEWHERE,
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let answer = api.ask(method, path, &[json, from], body).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (403, &json!("page-from-elsewhere"))
            );
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
    }
    // What it could send without asking is of another type.
    assert_eq!(api.post("text/plain", body).await.status, 415);
    assert_eq!(api.service.locations().len(), 0);
    let answer = api.ask("GET", "/v1/clients", &[ELSEWHERE], "").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, "")
    );
}

#[tokio::test]
async fn a_page_that_is_let_in_may_do_all() {
    let api = start_with(|setup| setup.api.cors_origins = vec!["http://maps.example".into()]);
    let asked = [ELSEWHERE, ("access-control-request-method", "PUT")];
    let answer = api.ask("OPTIONS", "/v1/clients/kiwi", &asked, "").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (204, ELSEWHERE.1)
    );
    assert!(
        answer
            .header("access-control-allow-methods")
            .contains("DELETE")
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("Authorization")
    );
    let headers = [ELSEWHERE, ("content-type", "application/json")];
    let answer = api
        .ask(
            "PUT",
            "/v1/clients/kiwi",
            &headers,
            "{\"location\":\"+1+1\"}",
        )
        .await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, ELSEWHERE.1)
    );
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("ETag")
    );
    assert_eq!(answer.header("vary"), "Origin");
    let other = [
        ("origin", "http://evil.example"),
        ("content-type", "application/json"),
    ];
    let answer = api
        .ask("PUT", "/v1/clients/kiwi", &other, "{\"location\":\"+2+2\"}")
        .await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (403, "")
    );
}

#[tokio::test]
async fn options_names_the_methods_of_a_path() {
    let api = start();
    for (path, methods) in [
        ("/v1/clients/kiwi", &["GET", "HEAD", "PUT", "DELETE"][..]),
        ("/v1/reports", &["POST"]),
        ("/v1/nearby", &["GET", "HEAD"]),
    ] {
        let answer = api.ask("OPTIONS", path, &[], "").await;
        let mut allowed: Vec<&str> = answer.header("allow").split(',').collect();
        let mut methods = methods.to_vec();
        allowed.sort_unstable();
        methods.sort_unstable();
        assert_eq!((answer.status, allowed), (204, methods), "{path}");
    }
    let answer = api.ask("POST", "/v1/clients/kiwi", &[], "").await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (405, &json!("method"))
    );
    assert!(answer.header("allow").contains("PUT"));
    for path in ["/v1/nothing", "/v1/clients/", "/v1/clients//"] {
        let answer = api.get(path).await;
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn each_described_path_is_served_and_the_reverse() {
    let api = start();
    let document = api.get("/v1/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "kiwi");
        let allowed = api.ask("OPTIONS", &path, &[], "").await;
        let mut allowed: Vec<String> = allowed
            .header("allow")
            .split(',')
            .map(str::to_lowercase)
            .collect();
        allowed.retain(|method| !["options", "head"].contains(&method.as_str()));
        allowed.sort();
        let mut methods: Vec<String> = item.as_object().unwrap().keys().cloned().collect();
        methods.sort();
        assert_eq!(allowed, methods, "{path}");
        described += methods.len();
    }
    // The routes' source has no further ones.
    let source = include_str!("../routes.rs");
    let described_paths = document["paths"].as_object().unwrap().len();
    let further = [
        "\"/v1\"",
        "\"/v1/\"",
        "\"/v1/openapi.json\"",
        "\"/v1/{*rest}\"",
    ];
    let served = source.matches(".route(").count() - source.matches("routes.route(").count();
    assert_eq!(served, described_paths + further.len());
    assert_eq!(described, 9);
    let page = api.get("/v1/").await;
    assert_eq!(page.text.matches("<tr><td>").count(), described);
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert!(page.text.contains("PUT /v1/clients/{id}"));
}

#[tokio::test]
async fn a_closed_interface_says_how_to_open_it() {
    let closed = TowerToHyperService::new(closed_routes());
    for path in ["/v1", "/v1/", "/v1/clients/kiwi"] {
        let request = Request::put(path).body(Body::empty()).unwrap();
        let response = closed.call(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 403, "{path}");
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("--http-locations"));
    }
}
