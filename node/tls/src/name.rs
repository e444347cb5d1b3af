//! The name of a server in its certificate.

use std::fmt;

const SCHEME: &str = "herd://";

/// A server of a herd, as `herd://CLUSTER/SERVER`. A URI, since names of a topology need not be valid
/// host names; both parts are letters, digits, `-`, `_` and `.`, so nothing in it is ever escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkName(String);

impl LinkName {
    /// The name of this server of this herd.
    #[must_use]
    pub fn new(cluster: &str, server: &str) -> Self {
        LinkName(format!("{SCHEME}{cluster}/{server}"))
    }

    /// The name as a certificate has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a certificate's URI is meant as the name of a server.
    pub(super) fn is_one(uri: &str) -> bool {
        uri.starts_with(SCHEME)
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
