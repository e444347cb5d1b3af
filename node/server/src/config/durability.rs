//! Settings about durability: the place of data, and the promise of a reply.

use std::path::PathBuf;
use std::time::Duration;

use crate::settings::{Mistake, Origin, Resolver, Setting, Values};
use herd_acknowledgement::AckLevel;

/// The place of data, and the promise of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// The folder for data; nothing if nothing is to be written to disk.
    pub data_dir: Option<PathBuf>,
    /// How safe a report is before its reply goes out.
    pub ack: AckLevel,
    /// How long that may take before the error reply goes out.
    pub ack_timeout: Duration,
}

/// `data_dir` is the folder unless something else is said.
pub(super) fn resolve(
    resolver: &mut Resolver<'_>,
    values: &Values,
    data_dir: PathBuf,
) -> Durability {
    if values.ephemeral {
        if values.data_dir.is_some() {
            let reason = "an ephemeral server writes nothing to disk";
            contradict_ephemeral(resolver, Setting::DataDir, reason);
        } else {
            let origin = resolver.origin(Setting::Ephemeral);
            resolver.show(Setting::DataDir, "none", &origin);
        }
        if values.ack.needs_disk() {
            let reason = "nothing is on disk that a reply could wait for";
            contradict_ephemeral(resolver, Setting::Ack, reason);
        }
    } else if values.data_dir.is_none() {
        let shown = data_dir.display().to_string();
        resolver.show(Setting::DataDir, shown, &Origin::Default);
    }
    let folder = values.data_dir.clone().unwrap_or(data_dir);
    Durability {
        data_dir: (!values.ephemeral).then_some(folder),
        ack: values.ack,
        ack_timeout: values.ack_timeout,
    }
}

fn contradict_ephemeral(resolver: &mut Resolver<'_>, second: Setting, reason: &'static str) {
    resolver.mistake(Mistake::Contradiction {
        first: Setting::Ephemeral,
        first_origin: resolver.origin(Setting::Ephemeral),
        second,
        second_origin: resolver.origin(second),
        reason,
    });
}
