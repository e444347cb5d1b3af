//! The settings and limits of the frontend.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::limits::Limits;
use crate::access::Access;
use crate::settings::Values;
use herd_tls::client_port::ClientPortCredentials;

/// The settings of the frontend.
#[derive(Clone, Debug)]
pub struct FrontendSettings {
    /// The threads that serve connections which send many commands at a time; without them, those that accept
    /// serve these too.
    pub bulk: Option<Handle>,
    /// The longest line, in bytes before its LF.
    pub line_bytes_max: usize,
    /// How long a client may leave replies waiting without taking any of them before it is dropped.
    pub reply_write_timeout: Duration,
    /// After this time without a line a watch says that the server is alive.
    pub watch_alive: Duration,
    /// How many commands of a connection may wait for their replies before reading stops.
    pub unanswered_max: usize,
    /// How many connections may be open; further ones are closed at once.
    pub connections_max: usize,
    /// How long connections may take to finish their replies when the server stops.
    pub drain_timeout: Duration,
    /// The TLS of clients' connections, if they have any.
    pub tls: Option<Arc<ClientPortCredentials>>,
    /// How long a client may take for the handshake of TLS.
    pub tls_handshake_timeout: Duration,
    /// Further limits on clients.
    pub limits: Limits,
    /// The tokens that clients must show, if they must.
    pub access: Option<Arc<Access>>,
}

impl FrontendSettings {
    /// Those that were set, without threads for bulk, TLS and tokens; the rest are defaults.
    #[must_use]
    pub fn new(values: &Values) -> Self {
        FrontendSettings {
            bulk: None,
            line_bytes_max: values.line_bytes_max,
            reply_write_timeout: Duration::from_secs(30),
            watch_alive: values.watch_alive,
            unanswered_max: 1_024,
            connections_max: values.connections_max,
            drain_timeout: Duration::from_secs(5),
            tls: None,
            tls_handshake_timeout: Duration::from_secs(10),
            limits: Limits::new(values),
            access: None,
        }
    }
}
