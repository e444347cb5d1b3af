//! Refusals, as RFC 9457 writes them.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::CHALLENGES;
use crate::location_service::{ForgetRefusal, Refusal, SearchRefusal, WatchRefusal};

/// The media type of a refusal.
const MEDIA_TYPE: &str = "application/problem+json";

/// The most characters of a detail that repeats something of a request.
const REPEATED_CHARS_MAX: usize = 200;

/// The most mistakes that are named. Who sends a request chooses how many it has.
const FAULTS_MAX: usize = 32;

/// The most characters of a name that a request chose.
const NAME_CHARS_MAX: usize = 64;

/// What kind of refusal. A client can rely on its word and its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request breaks a rule of its format.
    Malformed,
    /// The report's time lies too far ahead of the server's clock.
    Ahead,
    /// The client ID is longer than this server allows.
    IdTooLong,
    /// No token that is known was shown.
    TokenNeeded,
    /// The token does not allow it.
    Forbidden,
    /// A page from elsewhere has sent it.
    FromElsewhere,
    /// Locations are not shown over HTTP.
    NotShown,
    /// The client is not known.
    UnknownClient,
    /// There is no such path.
    NoSuchPath,
    /// The path takes other methods.
    Method,
    /// The body did not come in time.
    Slow,
    /// The body is too large, or has too many reports.
    TooLarge,
    /// The body is of another kind.
    MediaType,
    /// As many as may be are under way, or in a second.
    TooMany,
    /// There is no room for further clients.
    Full,
    /// The floor of expiry is ahead of the server's clock.
    KeptOut,
    /// A server of the herd cannot forget.
    CannotForget,
    /// It did not become as safe as the server promises in time. It may be known all the same.
    Unconfirmed,
    /// What else would be [`Kind::Slow`] or [`Kind::TooMany`], on a path of phones.
    Later,
    /// The server stops.
    Stopping,
}

/// One mistake in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Fault {
    /// The parameter, or the member of the body; `body` for the body as a whole.
    #[schema(value_type = String)]
    pub(super) field: Cow<'static, str>,
    /// What is wrong with it.
    #[schema(value_type = String)]
    pub(super) detail: Cow<'static, str>,
}

/// A refusal. Nothing was changed, unless it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    faults: Vec<Fault>,
}

/// A refusal as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemView<'a> {
    /// The text of the status.
    title: &'a str,
    /// The status.
    status: u16,
    /// What kind of refusal, for programs.
    code: &'a str,
    /// What is wrong, for people.
    detail: &'a str,
    /// Every mistake that was found, if the request is malformed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
}

impl Kind {
    /// Its status.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Kind::Malformed | Kind::Ahead | Kind::IdTooLong => StatusCode::BAD_REQUEST,
            Kind::TokenNeeded => StatusCode::UNAUTHORIZED,
            Kind::Forbidden | Kind::FromElsewhere | Kind::NotShown => StatusCode::FORBIDDEN,
            Kind::UnknownClient | Kind::NoSuchPath => StatusCode::NOT_FOUND,
            Kind::Method => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Slow => StatusCode::REQUEST_TIMEOUT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Kind::Full
            | Kind::KeptOut
            | Kind::CannotForget
            | Kind::Unconfirmed
            | Kind::Later
            | Kind::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Its word, for programs.
    fn word(self) -> &'static str {
        match self {
            Kind::Malformed => "malformed",
            Kind::Ahead => "ahead-of-clock",
            Kind::IdTooLong => "id-too-long",
            Kind::TokenNeeded => "token-needed",
            Kind::Forbidden => "forbidden",
            Kind::FromElsewhere => "page-from-elsewhere",
            Kind::NotShown => "locations-not-shown",
            Kind::UnknownClient => "unknown-client",
            Kind::NoSuchPath => "no-such-path",
            Kind::Method => "method",
            Kind::Slow => "slow",
            Kind::TooLarge => "too-large",
            Kind::MediaType => "media-type",
            Kind::TooMany => "too-many",
            Kind::Full => "full",
            Kind::KeptOut => "kept-out",
            Kind::CannotForget => "cannot-forget",
            Kind::Unconfirmed => "unconfirmed",
            Kind::Later => "later",
            Kind::Stopping => "stopping",
        }
    }

    /// Its text, for people.
    fn text(self) -> &'static str {
        match self {
            Kind::Malformed => "the request is malformed",
            Kind::Ahead => "the time lies too far ahead of the server's clock",
            Kind::IdTooLong => "the client's id is longer than this server allows",
            Kind::TokenNeeded => "a token is needed; send it as `Authorization: Bearer TOKEN`",
            Kind::Forbidden => "the token does not allow this",
            Kind::FromElsewhere => {
                "a web page from elsewhere may not do this; http_cors_origin (--http-cors-origin, \
                 HERD_HTTP_CORS_ORIGIN) can let its origin in"
            }
            Kind::NotShown => {
                "this server neither takes nor shows locations over HTTP; start it with --http-locations \
                 (http_locations = true, HERD_HTTP_LOCATIONS=true)"
            }
            Kind::UnknownClient => "the client is not known",
            Kind::NoSuchPath => "there is no such path; /v1/ lists those that are",
            Kind::Method => {
                "the path does not take this method; the header Allow has those that it takes"
            }
            Kind::Slow => "the body did not come in time",
            Kind::TooLarge => "the body is too large",
            Kind::MediaType => "the Content-Type is none that this path takes",
            Kind::TooMany => {
                "as many of these as may be are under way, or were in this second; try again"
            }
            Kind::Full => "the server has no room for further clients",
            Kind::KeptOut => "the floor of expiry is ahead of the server's clock",
            Kind::CannotForget => {
                "a server of the herd is of a release that cannot forget; upgrade it first"
            }
            Kind::Unconfirmed => {
                "it did not become as safe as the server promises in time; it may be known all the same"
            }
            Kind::Later => "it came too slowly, or too many came in this second; try again",
            Kind::Stopping => "the server stops",
        }
    }

    /// After how many seconds it is worth another try.
    fn retry_after_s(self) -> Option<&'static str> {
        match self {
            Kind::TooMany | Kind::Unconfirmed | Kind::Later | Kind::Stopping => Some("1"),
            Kind::Full | Kind::KeptOut | Kind::CannotForget => Some("60"),
            _ => None,
        }
    }
}

impl Fault {
    /// A mistake in this field.
    pub(super) fn new(
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Fault {
            field: field.into(),
            detail: detail.into(),
        }
    }

    /// A mistake in a field whose name the request chose.
    pub(super) fn of_stranger(name: &str, detail: &'static str) -> Self {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        Fault::new(name, detail)
    }

    /// Adds it to the others, unless [`Problem::malformed`] would leave it out.
    pub(super) fn note(self, faults: &mut Vec<Fault>) {
        if faults.len() <= FAULTS_MAX {
            faults.push(self);
        }
    }

    /// The same with the text of an error, which may repeat something of the request.
    pub(super) fn of(field: impl Into<Cow<'static, str>>, error: &impl ToString) -> Self {
        let detail: String = error.to_string().chars().take(REPEATED_CHARS_MAX).collect();
        Fault::new(field, detail)
    }
}

impl Problem {
    /// A refusal of this kind, with its own text.
    pub(super) fn new(kind: Kind) -> Self {
        Problem {
            kind,
            detail: Cow::Borrowed(kind.text()),
            faults: Vec::new(),
        }
    }

    /// The same with another text.
    pub(super) fn with(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem {
            detail: detail.into(),
            ..Problem::new(kind)
        }
    }

    /// A request with these mistakes, of which there is at least one. In place of all beyond the most that are named it
    /// is said that there are some.
    pub(super) fn malformed(mut faults: Vec<Fault>) -> Self {
        faults.truncate(FAULTS_MAX + 1);
        if let Some(further) = faults.get_mut(FAULTS_MAX) {
            further.detail = Cow::Borrowed("and further ones");
        }
        Problem {
            faults,
            ..Problem::new(Kind::Malformed)
        }
    }

    /// Its kind.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The first reason, as one text.
    pub(super) fn summary(&self) -> String {
        match self.faults.first() {
            Some(Fault { field, detail }) => format!("{field}: {detail}"),
            None => self.detail.to_string(),
        }
    }

    /// Whether a mistake in this field is among it.
    #[cfg(test)]
    pub(super) fn names(&self, field: &str) -> bool {
        self.faults.iter().any(|fault| fault.field == field)
    }

    /// As it is sent.
    pub(super) fn view(&self) -> ProblemView<'_> {
        let status = self.kind.status();
        ProblemView {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.kind.word(),
            detail: &self.detail,
            errors: &self.faults,
        }
    }
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        Problem::new(kind)
    }
}

impl From<Refusal> for Kind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Forbidden => Kind::Forbidden,
            Refusal::Ahead => Kind::Ahead,
            Refusal::ClientTooLong => Kind::IdTooLong,
            Refusal::Full => Kind::Full,
            Refusal::KeptOut => Kind::KeptOut,
        }
    }
}

impl From<ForgetRefusal> for Problem {
    fn from(refusal: ForgetRefusal) -> Self {
        Problem::new(match refusal {
            ForgetRefusal::Forbidden => Kind::Forbidden,
            ForgetRefusal::Unread | ForgetRefusal::ReadersUnknown => {
                return Problem {
                    detail: Cow::Owned(refusal.to_string()),
                    ..Problem::new(Kind::CannotForget)
                };
            }
            ForgetRefusal::ClientTooLong => Kind::IdTooLong,
            ForgetRefusal::Full => Kind::Full,
            ForgetRefusal::KeptOut => Kind::KeptOut,
        })
    }
}

impl From<SearchRefusal> for Problem {
    fn from(refusal: SearchRefusal) -> Self {
        match refusal {
            SearchRefusal::UnknownCenter => Problem::new(Kind::UnknownClient),
            SearchRefusal::NoArea => {
                Problem::malformed(vec![Fault::new("bbox", "the corners make no rectangle")])
            }
            SearchRefusal::TooMany => Problem::new(Kind::TooMany),
        }
    }
}

impl From<WatchRefusal> for Problem {
    fn from(refusal: WatchRefusal) -> Self {
        match refusal {
            WatchRefusal::Forbidden => Problem::new(Kind::Forbidden),
            WatchRefusal::NoArea => {
                Problem::malformed(vec![Fault::new("bbox", "the corners make no rectangle")])
            }
            WatchRefusal::TooMany => Problem::new(Kind::TooMany),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let json = serde_json::to_vec(&self.view()).unwrap_or_default();
        let mut response = (self.kind.status(), json).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.kind.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if self.kind == Kind::TokenNeeded {
            for challenge in CHALLENGES {
                headers.append(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static(challenge),
                );
            }
        }
        if self.kind == Kind::Slow {
            // What comes of the body after all would be taken for a request.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
