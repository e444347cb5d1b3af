//! Applied reports: how far a server has merged what each incarnation published.

use herd_crdt::codec::{self, CodecError};
use std::collections::BTreeMap;

use super::incarnation::Incarnation;

/// The most incarnations that one report speaks of. The newest of each server come first.
pub const REPORT_ENTRIES_MAX: usize = 1_000;

/// How far a server has got with what one incarnation published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The version up to which everything is merged into its map.
    pub merged: u64,
    /// The version up to which everything is on its disk, whatever happens to its machine; 0 for a
    /// server without a disk.
    pub durable: u64,
}

/// For each incarnation how far the sender has got. Acknowledgement by a peer, lag and
/// back-pressure read these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedReport {
    applied: BTreeMap<Incarnation, Applied>,
}

/// A report as it goes over a link: server, generation, version merged, version durable.
type EncodedReport<'a> = Vec<(&'a str, u64, u64, u64)>;

impl AppliedReport {
    /// A report of these versions.
    #[must_use]
    pub fn new(versions: impl IntoIterator<Item = (Incarnation, Applied)>) -> Self {
        AppliedReport {
            applied: versions.into_iter().collect(),
        }
    }

    /// How far the sender has got with `incarnation`; nowhere if it knows nothing of it.
    #[must_use]
    pub fn of(&self, incarnation: &Incarnation) -> Applied {
        self.get(incarnation).unwrap_or_default()
    }

    /// The same; `None` if the report does not speak of it.
    #[must_use]
    pub fn get(&self, incarnation: &Incarnation) -> Option<Applied> {
        self.applied.get(incarnation).copied()
    }

    /// It without what it says of some incarnations.
    #[must_use]
    pub fn without(&self, left_out: impl Fn(&Incarnation) -> bool) -> Self {
        let kept = self
            .iter()
            .filter(|(incarnation, _)| !left_out(incarnation));
        AppliedReport::new(kept.map(|(incarnation, applied)| (incarnation.clone(), applied)))
    }

    /// All versions of the report.
    pub fn iter(&self) -> impl Iterator<Item = (&Incarnation, Applied)> {
        self.applied
            .iter()
            .map(|(incarnation, &applied)| (incarnation, applied))
    }

    /// A number that rises whenever the sender has merged something.
    #[must_use]
    pub fn progress(&self) -> u64 {
        self.applied
            .values()
            .fold(0, |sum, applied| sum.wrapping_add(applied.merged))
    }

    /// Appends the encoding of the report to `out`. If there are more than [`REPORT_ENTRIES_MAX`]
    /// incarnations, the older ones of servers that have several are left out first.
    ///
    /// # Errors
    /// None in practice; see [`codec::encode_into`].
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut entries: EncodedReport<'_> = self
            .applied
            .iter()
            .map(|(incarnation, applied)| {
                let Incarnation { server, generation } = incarnation;
                (&**server, *generation, applied.merged, applied.durable)
            })
            .collect();
        if entries.len() > REPORT_ENTRIES_MAX {
            // In order of server and generation: the last of each server is its newest.
            let newest: BTreeMap<&str, u64> = entries
                .iter()
                .map(|&(server, generation, ..)| (server, generation))
                .collect();
            entries.sort_by_key(|&(server, generation, ..)| {
                (
                    newest.get(server) != Some(&generation),
                    std::cmp::Reverse(generation),
                )
            });
            entries.truncate(REPORT_ENTRIES_MAX);
        }
        codec::encode_into(&entries, out)
    }

    /// Decodes a report. `reported` says which incarnations it may speak of; others are left out, and all beyond
    /// [`REPORT_ENTRIES_MAX`]. Bytes behind it are ignored.
    ///
    /// # Errors
    /// If the bytes are not a report.
    pub fn decode(
        bytes: &[u8],
        reported: impl Fn(&str, u64) -> Option<Incarnation>,
    ) -> Result<Self, CodecError> {
        let (entries, _): (EncodedReport<'_>, _) = codec::decode_prefix(bytes)?;
        let entries = entries.into_iter().take(REPORT_ENTRIES_MAX);
        Ok(AppliedReport::new(entries.filter_map(
            |(server, generation, merged, durable)| {
                let incarnation = reported(server, generation)?;
                Some((incarnation, Applied { merged, durable }))
            },
        )))
    }

    /// The same, but nobody has got further than `version` with `incarnation`.
    #[must_use]
    pub fn limited(mut self, incarnation: &Incarnation, version: u64) -> Self {
        if let Some(applied) = self.applied.get_mut(incarnation) {
            applied.merged = applied.merged.min(version);
            applied.durable = applied.durable.min(version);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hill(generation: u64) -> Incarnation {
        Incarnation {
            server: "Hill".into(),
            generation,
        }
    }

    fn any(server: &str, generation: u64) -> Option<Incarnation> {
        let server = server.into();
        Some(Incarnation { server, generation })
    }

    fn merged(merged: u64) -> Applied {
        Applied { merged, durable: 3 }
    }

    #[test]
    fn a_report_comes_back_as_it_was() {
        let report = AppliedReport::new([(hill(1), merged(7)), (hill(2), merged(u64::MAX))]);
        let mut bytes = Vec::new();
        report.encode_into(&mut bytes).unwrap();
        assert_eq!(AppliedReport::decode(&bytes, any).unwrap(), report);
        assert_eq!(report.of(&hill(1)), merged(7));
        assert_eq!(report.of(&hill(3)), Applied::default());
        bytes.pop();
        assert!(AppliedReport::decode(&bytes, any).is_err());
    }

    #[test]
    fn a_report_is_read_up_to_its_bound() {
        let many = REPORT_ENTRIES_MAX as u64 + 10;
        let entries: EncodedReport<'_> = (0..many).map(|number| ("Hill", number, 1, 1)).collect();
        let mut bytes = Vec::new();
        codec::encode_into(&entries, &mut bytes).unwrap();
        let decoded = AppliedReport::decode(&bytes, any).unwrap();
        assert_eq!(decoded.iter().count(), REPORT_ENTRIES_MAX);
    }

    #[test]
    fn a_long_report_keeps_the_newest_of_each_server() {
        // Smith has run for long; Hill has restarted again and again since.
        let smith = Incarnation {
            server: "Smith".into(),
            generation: 1,
        };
        let restarts = REPORT_ENTRIES_MAX as u64 + 10;
        let many = (100..100 + restarts).map(|generation| (hill(generation), merged(1)));
        let mut bytes = Vec::new();
        AppliedReport::new(many.chain([(smith.clone(), merged(7))]))
            .encode_into(&mut bytes)
            .unwrap();
        let decoded = AppliedReport::decode(&bytes, any).unwrap();
        assert_eq!(decoded.iter().count(), REPORT_ENTRIES_MAX);
        assert_eq!(decoded.of(&smith).merged, 7);
        assert_eq!(decoded.of(&hill(99 + restarts)).merged, 1);
        assert_eq!(decoded.of(&hill(100)).merged, 0);
    }
}
