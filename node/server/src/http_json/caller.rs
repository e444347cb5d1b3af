//! Who asks.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::time::Instant;

use super::api::HttpApi;
use super::problem::{Kind, Problem};
use crate::access::{Principal, TokenHash};
use crate::http::{PeerAddress, shown_token};

/// Who asks: a request that was let in.
pub(super) struct Caller {
    /// With its rights at the time of the request.
    pub(super) principal: Principal,
    /// The token that it showed, if tokens are needed.
    pub(super) token: Option<TokenHash>,
    /// Where it comes from.
    pub(super) address: IpAddr,
}

impl FromRequestParts<Arc<HttpApi>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<HttpApi>) -> Result<Self, Problem> {
        let address = parts.extensions.get::<PeerAddress>();
        // Connections that come from nowhere are those of tests.
        let address = address.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
        if let Some(limiter) = api.addresses.rate_limiter(address, Instant::now())
            && !limiter.lock().take(Instant::now())
        {
            return Err(Problem::new(Kind::TooMany));
        }
        let token = match &api.access {
            Some(_) => shown_token(&parts.headers),
            None => None,
        };
        let Some(principal) = api.principal(token.as_ref()) else {
            if let Some(access) = &api.access {
                let forbidden = &access.statistics().requests_forbidden;
                forbidden.fetch_add(1, Ordering::Relaxed);
            }
            return Err(Problem::new(Kind::TokenNeeded));
        };
        Ok(Caller {
            principal,
            token,
            address,
        })
    }
}
