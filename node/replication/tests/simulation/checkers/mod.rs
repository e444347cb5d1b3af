//! What must be true of a herd, each by itself, of what was seen of it. Pure: each is shown to fail on what
//! it is there to find.

pub(super) mod convergence;
pub(super) mod copies;
pub(super) mod erasure;
pub(super) mod index;
pub(super) mod monotony;
pub(super) mod oblivion;
pub(super) mod publication;
pub(super) mod survival;
pub(super) mod truth;

/// What a checker found wrong.
pub(super) type Found = Result<(), String>;

#[cfg(test)]
pub(super) mod samples {
    use herd_crdt::Record;

    use super::super::ledger::{Map, join};

    /// A record of a client at this second, heard by Hill.
    pub(in super::super) fn record(client: &str, time: &str) -> Record {
        Record::new(
            client.as_bytes(),
            b"+1+1",
            time.as_bytes(),
            "Hill".into(),
            0,
        )
        .unwrap()
    }

    /// The map of these.
    pub(in super::super) fn map(records: &[Record]) -> Map {
        let mut map = Map::new();
        records.iter().for_each(|record| join(&mut map, record));
        map
    }
}
