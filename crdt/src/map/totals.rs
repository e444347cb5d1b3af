//! Sums that a map keeps, so that nobody has to look at all records.

use crate::record::Record;

/// Sums over all records of a map.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// The bytes of their texts.
    pub(super) texts_bytes: usize,
    /// How many are tombstones.
    pub(super) tombstones: usize,
}

impl Totals {
    #[inline]
    pub(super) fn add(&mut self, record: &Record) {
        self.texts_bytes += record.texts_bytes();
        self.tombstones += usize::from(record.is_tombstone());
    }

    #[inline]
    pub(super) fn remove(&mut self, record: &Record) {
        self.texts_bytes -= record.texts_bytes();
        self.tombstones -= usize::from(record.is_tombstone());
    }
}
