//! The description of the interface: OpenAPI 3.1, made of the functions and types that serve it.

use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, SecurityRequirement};

use super::{batch, clients, nearby, places, watch};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "herd",
        description = "Where is X now, and what is near X? Any server of a herd takes reports and answers.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        clients::locate, clients::report, clients::forget, clients::list, batch::post_reports,
        nearby::nearby, nearby::within, places::places, watch::watch,
    ),
    tags(
        (name = "clients", description = "Reports, and where clients are"),
        (name = "searches", description = "What is near"),
        (name = "watching", description = "Being told when it changes"),
    )
)]
struct Described;

/// The name of the way in which a token is shown.
const TOKEN: &str = "token";

/// The document.
#[must_use]
pub fn document() -> Document {
    let mut document = Described::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some("Only where the server has tokens".to_owned());
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer));
    // With a token, or without one where none is needed.
    let with_token = SecurityRequirement::new(TOKEN, Vec::<String>::new());
    document.security = Some(vec![with_token, SecurityRequirement::default()]);
    document
}
