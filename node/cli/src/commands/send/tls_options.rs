//! Options about TLS to the client port.

use std::path::PathBuf;

use herd_tls::TlsError;
use herd_tls::connect::ClientTls;

#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::commands) struct TlsOptions {
    /// Connect with TLS, and trust the authorities of this machine
    #[arg(long, help_heading = "TLS")]
    tls: bool,
    /// Connect with TLS, and trust the authorities in this file (PEM)
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    ca: Option<PathBuf>,
    /// The name in the server's certificate [default: the host of --to]
    #[arg(long, value_name = "HOST", help_heading = "TLS")]
    tls_name: Option<String>,
    /// Certificate to show to the server, which asks for one if its client_tls_ca is set
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "TLS")]
    tls_cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    tls_key: Option<PathBuf>,
}

impl TlsOptions {
    /// The TLS for a connection to `to`, and the name that its certificate must have; nothing without TLS.
    pub(in crate::commands) fn client(
        &self,
        to: &str,
    ) -> Result<Option<(ClientTls, String)>, TlsError> {
        let wanted = self.tls || self.ca.is_some() || self.tls_name.is_some();
        if !(wanted || self.tls_cert.is_some()) {
            return Ok(None);
        }
        let identity = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        let client = ClientTls::new(self.ca.as_deref(), identity)?;
        let host = to.rsplit_once(':').map_or(to, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = self.tls_name.clone();
        Ok(Some((client, name.unwrap_or_else(|| host.to_owned()))))
    }
}
