//! A digest: every incarnation that the sender knows, and how far.

use tokio::time::Instant;

use super::bounds::NUMBER_MAX;
use super::fault::{Fault, LeftOut};
use super::ledger::Ledger;
use super::standpoint::Standpoint;
use super::wire::{RawId, Reader};

/// A line of a digest.
#[derive(Debug)]
struct Entry<'a> {
    id: RawId<'a>,
    /// As it was written.
    bytes: &'a [u8],
    is_own: bool,
}

/// A digest that was read, in the order of chitchat's: by name and generation.
#[derive(Debug)]
pub(super) struct Digest<'a>(Vec<Entry<'a>>);

impl<'a> Digest<'a> {
    /// Reads and checks a digest.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        ledger: &Ledger,
        standpoint: &Standpoint<'_>,
    ) -> Result<Self, Fault> {
        let count = reader.u16()?;
        // The count may lie: the entries say how many there are.
        let mut entries: Vec<Entry<'a>> = Vec::new();
        for _ in 0..count {
            let entry = Entry::read(reader, ledger, standpoint)?;
            if let Some(last) = entries.last() {
                let (last, id) = (&last.id, &entry.id);
                if (last.name, last.generation) >= (id.name, id.generation) {
                    return Err(Fault::IdOrder);
                }
            }
            entries.push(entry);
        }
        Ok(Digest(entries))
    }

    /// Appends what chitchat may know of it. Of many incarnations of one server the newest come first.
    pub(super) fn write(
        &self,
        ledger: &mut Ledger,
        now: Instant,
        out: &mut Vec<u8>,
        mut left_out: impl FnMut(LeftOut),
    ) {
        let newest_first = self.0.iter().rev();
        let mut kept: Vec<&[u8]> = newest_first
            .filter_map(|entry| {
                if !entry.is_own
                    && let Err(why) = ledger.admit(entry.id.name, entry.id.generation, now)
                {
                    left_out(why);
                    return None;
                }
                Some(entry.bytes)
            })
            .collect();
        kept.reverse();
        // No more than were read, of which there were as many as two bytes can say.
        out.extend_from_slice(&(kept.len() as u16).to_le_bytes());
        out.extend(kept.concat());
    }
}

impl<'a> Entry<'a> {
    fn read(
        reader: &mut Reader<'a>,
        ledger: &Ledger,
        standpoint: &Standpoint<'_>,
    ) -> Result<Self, Fault> {
        let whole = reader.rest();
        let id = reader.id()?;
        let heartbeat = reader.u64()?;
        let last_gc_version = reader.u64()?;
        let max_version = reader.u64()?;
        let length = whole.len() - reader.rest().len();
        let bytes = whole.get(..length).ok_or(Fault::CutOff)?;
        ledger.check(&id)?;
        standpoint.check(&id)?;
        if heartbeat.max(last_gc_version).max(max_version) > NUMBER_MAX {
            return Err(Fault::Version);
        }
        let is_own = standpoint.is_own(&id);
        if is_own && last_gc_version.max(max_version) > standpoint.own_version {
            return Err(Fault::Own);
        }
        Ok(Entry { id, bytes, is_own })
    }
}
