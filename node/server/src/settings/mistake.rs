//! Mistakes in settings.

use std::fmt;
use std::path::PathBuf;

use super::{Origin, Setting};
use crate::access::TokensFileError;
use herd_places::ProviderName;
use herd_tls::TlsError;
use herd_topology::{InvalidPortBases, TopologyFileError};

/// One mistake in the settings. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum Mistake {
    /// A setting without a default was not set.
    #[error(
        "no {key} is given: set {flag}, {variable} or `{key}` in the configuration file",
        key = .0.key(), flag = .0.flag(), variable = .0.variable()
    )]
    Missing(Setting),
    /// An invalid value.
    #[error("{origin}: `{text}` {reason}")]
    Value {
        /// Where it was written.
        origin: Origin,
        /// The text.
        text: String,
        /// The mistake.
        reason: String,
    },
    /// A variable whose value is not UTF-8.
    #[error("{0}: the value is not UTF-8 text")]
    NotText(String),
    /// The configuration file cannot be read.
    #[error("{origin}: cannot read {path}: {reason}", path = .path.display())]
    ConfigFile {
        /// The source of the file's name.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        reason: String,
    },
    /// The configuration file is not TOML, or has a value of a wrong kind.
    #[error("{path} line {line}: {reason}", path = .path.display())]
    ConfigLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The mistake.
        reason: String,
    },
    /// The topology file cannot be read, or is wrong in some lines.
    #[error("{origin}: {}", TopologyFault(path, error))]
    Topology {
        /// The source of the file's name.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// The mistake.
        error: TopologyFileError,
    },
    /// The tokens file cannot be used. Nothing of its text is told.
    #[error("{origin}: tokens file {}: {error}", path.display())]
    TokensFile {
        /// The source of the file's name.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// The mistake.
        error: TokensFileError,
    },
    /// Port bases that do not fit together.
    #[error("{0}")]
    PortBases(#[from] InvalidPortBases),
    /// Two settings of which only one can hold.
    #[error("{first} ({first_origin}) and {second} ({second_origin}) contradict each other: {reason}",
        first = .first.key(), second = .second.key())]
    Contradiction {
        /// One setting.
        first: Setting,
        /// Where it was set.
        first_origin: Origin,
        /// The other.
        second: Setting,
        /// Where it was set.
        second_origin: Origin,
        /// Why not both.
        reason: &'static str,
    },
    /// The server's name is not in the topology.
    #[error("{origin}: the topology has no server `{name}`; it has {known}")]
    UnknownServer {
        /// Where the name was written.
        origin: Origin,
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The pod's number is not that of a server.
    #[error(
        "{origin}: pod `{pod}` would be server number {number} of the topology, which has {servers}: \
         give the topology a line for it, or run fewer pods"
    )]
    PodBeyondTopology {
        /// Where the pod's name was written.
        origin: Origin,
        /// The pod's name.
        pod: String,
        /// The number of its server, counted from 1.
        number: usize,
        /// How many servers there are.
        servers: usize,
    },
    /// A value that is not told with the text that was written: the text may hold a key or a password.
    #[error("{origin}: {reason}")]
    Untold {
        /// Where it was written.
        origin: Origin,
        /// The mistake.
        reason: String,
    },
    /// A provider that needs a key has none.
    #[error(
        "places provider `{provider}` needs a key: put it into a file and name that with {file_flag}, \
         {file_variable} or `{file_key}`, or set {variable}",
        file_flag = Setting::PlacesKeyFile.flag(),
        file_variable = Setting::PlacesKeyFile.variable(),
        file_key = Setting::PlacesKeyFile.key(),
        variable = Setting::PlacesKey.variable(),
    )]
    PlacesKeyMissing {
        /// The provider.
        provider: ProviderName,
    },
    /// A setting that would change nothing.
    #[error("{setting} ({origin}) changes nothing: {reason}", setting = .setting.key())]
    Meaningless {
        /// The setting.
        setting: Setting,
        /// Where it was set.
        origin: Origin,
        /// Why it changes nothing.
        reason: String,
    },
    /// Certificates, keys or authorities that cannot be used.
    #[error("{origin}: {error}")]
    Certificates {
        /// Their source.
        origin: Origin,
        /// The mistake.
        error: TlsError,
    },
    /// Links that others could read and join.
    #[error(
        "links would leave this machine without certificates: {beyond}; make certificates with `herd certs \
         new` and name their folder with {folder}, or accept that anyone on the way can read and join, with \
         {insecure}",
        folder = Setting::LinksCerts.flag(),
        insecure = Setting::InsecureLinks.flag(),
    )]
    InsecureLinks {
        /// The address beyond this machine.
        beyond: String,
    },
    /// One address for two purposes.
    #[error("{a} and {b} would both listen on {address}", a = .a.key(), b = .b.key())]
    SameAddress {
        /// One purpose.
        a: Setting,
        /// The other.
        b: Setting,
        /// The address.
        address: String,
    },
}

struct TopologyFault<'a>(&'a PathBuf, &'a TopologyFileError);

impl fmt::Display for TopologyFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.display();
        match self.1 {
            TopologyFileError::Io(error) => write!(f, "cannot read topology {path}: {error}"),
            TopologyFileError::Invalid(errors) => {
                write!(f, "topology {path} is not valid")?;
                for error in errors {
                    write!(f, "\n    {path} {error}")?;
                }
                Ok(())
            }
        }
    }
}

/// Every mistake that was found; at least one.
#[derive(Debug)]
pub struct ConfigError(pub Vec<Mistake>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "one mistake in the settings")?,
            count => write!(f, "{count} mistakes in the settings")?,
        }
        for mistake in &self.0 {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
