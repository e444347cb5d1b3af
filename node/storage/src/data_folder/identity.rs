//! Whose data folder it is.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::DataFolderError;

/// The format of data folders that this version writes. It covers the identity and the store.
pub const FORMAT_VERSION: u64 = 1;

/// Version 1 of `identity.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    format: u64,
    pub(super) cluster: String,
    pub(super) server: String,
}

/// The part that every version has.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

impl Identity {
    pub(super) fn new(server: &str, cluster: &str) -> Self {
        Identity {
            format: FORMAT_VERSION,
            cluster: cluster.to_owned(),
            server: server.to_owned(),
        }
    }

    pub(super) fn to_json(&self) -> String {
        // Two texts and a number cannot fail to be JSON.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// Reads an identity of any version up to this one.
pub(super) fn parse(bytes: &[u8], file: &Path, folder: &Path) -> Result<Identity, DataFolderError> {
    let garbled = |what: String| DataFolderError::Garbled {
        path: file.to_owned(),
        what,
    };
    let version: Version = serde_json::from_slice(bytes).map_err(|e| garbled(e.to_string()))?;
    match version.format {
        0 => Err(garbled("there is no format 0".to_owned())),
        1 => serde_json::from_slice(bytes).map_err(|e| garbled(e.to_string())),
        found => Err(DataFolderError::Newer {
            path: folder.to_owned(),
            found,
        }),
    }
}
