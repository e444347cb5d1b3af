//! The page at `/v1/` for people: the paths of the interface, made of its description.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use super::document::document;

/// The page has a little style of its own, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const BEGIN: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>herd: HTTP/JSON</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color-scheme: light dark }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .3em 1em .3em 0; border-bottom: 1px solid #8886 }
</style>
<h1>herd: HTTP/JSON, version 1</h1>
<p>Where is X now, and what is near X? For programs: <a href=\"/v1/openapi.json\">openapi.json</a>. Try it:</p>
<pre>curl -X PUT --json '{\"latitude\": 34.06893, \"longitude\": -118.445127}' HERE/v1/clients/kiwi
curl HERE/v1/clients/kiwi
curl 'HERE/v1/nearby?latitude=34&amp;longitude=-118&amp;radius_km=100'</pre>
<table><tr><th>method and path<th>parameters<th>effect
";

/// The page, which is made once.
pub(super) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    static HTML: LazyLock<String> = LazyLock::new(html);
    (headers, HTML.as_str()).into_response()
}

fn html() -> String {
    let mut html = BEGIN.to_owned();
    let document = serde_json::to_value(document()).unwrap_or_default();
    let paths = document["paths"].as_object().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let text = |value: &serde_json::Value| escaped(value.as_str().unwrap_or_default());
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_query = parameters.filter(|parameter| parameter["in"] == "query");
            let names: Vec<String> = in_query.map(|parameter| text(&parameter["name"])).collect();
            // Writing to a String does not fail.
            let _ = writeln!(
                html,
                "<tr><td><code>{} {}</code><td>{}<td>{}",
                method.to_ascii_uppercase(),
                escaped(path),
                names.join(", "),
                text(&operation["summary"])
            );
        }
    }
    html.push_str("</table>\n");
    html
}

/// The texts are the program's own, and are escaped all the same.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
