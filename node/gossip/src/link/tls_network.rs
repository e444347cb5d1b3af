//! Links over TLS, on top of any network.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use super::network::{ConnectError, Connected, LinkStream, Network, Secured};
use herd_tls::link::LinkCredentials;
use herd_tls::{Side, TlsFault};

/// A network all of whose connections prove by certificates who is at their ends.
pub struct TlsNetwork<N> {
    below: N,
    credentials: Arc<LinkCredentials>,
}

impl<N: Network> TlsNetwork<N> {
    /// TLS with these credentials over the connections of `below`.
    #[must_use]
    pub fn new(below: N, credentials: Arc<LinkCredentials>) -> Self {
        TlsNetwork { below, credentials }
    }
}

#[async_trait]
impl<N: Network> Network for TlsNetwork<N> {
    async fn connect(&self, address: &str) -> Result<Connected, ConnectError> {
        self.below.connect(address).await
    }

    async fn accept(&self) -> io::Result<Connected> {
        self.below.accept().await
    }

    async fn secure(&self, stream: Box<dyn LinkStream>, side: Side) -> Result<Secured, TlsFault> {
        let (stream, peer) = self.credentials.secure(stream, side).await?;
        Ok(Secured {
            stream: Box::new(stream),
            peer: Some(peer),
        })
    }
}
