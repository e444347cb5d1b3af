//! The groups of settings.

/// The subject of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The server: its identity, addresses, log and data.
    Server,
    /// Certificates.
    Tls,
    /// Places.
    Places,
    /// Limits on strangers.
    Limits,
    /// Whom a client talks to.
    Client,
}

impl Group {
    /// All of them, in the order of the table.
    pub const ALL: [Group; 5] = [
        Group::Server,
        Group::Tls,
        Group::Places,
        Group::Limits,
        Group::Client,
    ];

    /// The heading in documents.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Group::Server => "Server",
            Group::Tls => "TLS",
            Group::Places => "Places",
            Group::Limits => "Limits",
            Group::Client => "Client",
        }
    }
}
