//! Settings about what survives: where data is kept, and what a reply promises.

use std::path::PathBuf;
use std::time::Duration;

use super::report::Row;
use super::resolver::Resolver;
use super::{Mistake, Setting, values};
use herd_acknowledgement::AckLevel;

/// How long a report may take to become as safe as a reply promises, unless something else is said.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest such wait.
const ACK_TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// Where data is kept, and what a reply promises.
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
pub(super) fn resolve(resolver: &mut Resolver<'_>, data_dir: PathBuf) -> (Durability, [Row; 4]) {
    let given = resolver.given(Setting::DataDir);
    let ephemeral = resolver.checked_or(Setting::Ephemeral, false, values::switch);
    let ack = resolver.checked_or(Setting::Ack, AckLevel::default(), str::parse);
    let wait = |text: &str| values::wait(text, ACK_TIMEOUT_MAX);
    let ack_timeout = resolver.checked_or(Setting::AckTimeout, ACK_TIMEOUT, wait);
    if let (true, Some(folder)) = (ephemeral.value, &given) {
        resolver.mistake(Mistake::Contradiction {
            first: Setting::Ephemeral,
            first_origin: ephemeral.origin.clone(),
            second: Setting::DataDir,
            second_origin: folder.origin.clone(),
            reason: "what is ephemeral writes nothing to disk",
        });
    }
    if ephemeral.value && ack.value.needs_disk() {
        resolver.mistake(Mistake::Contradiction {
            first: Setting::Ephemeral,
            first_origin: ephemeral.origin.clone(),
            second: Setting::Ack,
            second_origin: ack.origin.clone(),
            reason: "nothing is on disk that a reply could wait for",
        });
    }
    let folder = given
        .as_ref()
        .map_or(data_dir, |given| PathBuf::from(&given.text));
    let folder_row = match (&given, ephemeral.value) {
        (Some(given), _) => Row::new(Setting::DataDir, &given.text, &given.origin),
        (None, true) => Row::new(Setting::DataDir, "none", &ephemeral.origin),
        (None, false) => Row::new(
            Setting::DataDir,
            folder.display().to_string(),
            &super::Origin::Default,
        ),
    };
    let rows = [
        folder_row,
        Row::new(
            Setting::Ephemeral,
            ephemeral.value.to_string(),
            &ephemeral.origin,
        ),
        Row::new(Setting::Ack, ack.value.to_string(), &ack.origin),
        Row::new(
            Setting::AckTimeout,
            humantime::format_duration(ack_timeout.value).to_string(),
            &ack_timeout.origin,
        ),
    ];
    let durability = Durability {
        data_dir: (!ephemeral.value).then_some(folder),
        ack: ack.value,
        ack_timeout: ack_timeout.value,
    };
    (durability, rows)
}
