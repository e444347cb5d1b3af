//! The groups of settings.

/// What a setting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Which server it is, where it listens, what it logs, and what survives.
    Server,
    /// Certificates.
    Tls,
    /// Who answers what is near.
    Places,
    /// What a stranger may use up.
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
