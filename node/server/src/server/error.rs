//! Why a server ends.

use std::time::Duration;

use crate::control::ControlSocketError;
use crate::wire_log::WireLogError;
use herd_places::online::ClientError;
use herd_storage::DataFolderError;
use herd_tls::TlsError;

/// The reason why a server ended without a signal to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A part panicked: a defect. The panic was logged.
    #[error(
        "BUG: a part of the server panicked, so the server ends: see the lines before. Reports on disk or at \
         a neighbour are safe. Start it again, and report this"
    )]
    Panicked,
    /// A part ended by itself: a defect.
    #[error(
        "BUG: {0} ended by itself, so the server ends. Reports on disk or at a \
         neighbour are safe. Start it again, and report this"
    )]
    Ended(&'static str),
    /// The wire log cannot be written. Nothing was served.
    #[error("nothing was served: cannot keep the wire log: {0}")]
    WireLog(#[from] WireLogError),
    /// The disk of the data folder, the wire log or the control socket hangs. Nothing was served.
    #[error(
        "nothing was served: the disk of the data folder, the wire log or the control socket does not answer within \
         {} s; mend the disk", .0.as_secs()
    )]
    DiskHangs(Duration),
    /// The data folder cannot be used. Nothing was served.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// There can be no client of the provider of places. Nothing was served.
    #[error("nothing was served: cannot ask the provider of places: {0}")]
    Places(#[from] ClientError),
    /// Certificates cannot be used any more, which could be when settings were read. Nothing was served.
    #[error(
        "cannot use certificates: {}",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Certificates(Vec<TlsError>),
    /// There can be no control socket. Nothing was served.
    #[error(transparent)]
    ControlSocket(#[from] ControlSocketError),
    /// A newer process of the same name is alive; the herd talks to that one.
    #[error(
        "a newer process of this server's name is alive, so this one ends; its reports are with its \
         neighbours. If both are meant to run, give each a name of its own"
    )]
    Superseded,
}
