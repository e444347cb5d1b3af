//! A digest: every incarnation that the sender knows, and how far.

use super::bounds::NUMBER_MAX;
use super::fault::Fault;
use super::names::Names;
use super::standpoint::Standpoint;
use super::wire::Reader;

/// A digest that was read and checked. All of it passes: which of its ids chitchat may know is decided when chitchat
/// takes up the message (`known_ids`).
#[derive(Debug)]
pub(super) struct Digest<'a> {
    /// As it was written.
    pub(super) bytes: &'a [u8],
    /// How many incarnations it names.
    pub(super) entries: usize,
}

impl<'a> Digest<'a> {
    pub(super) fn read(
        reader: &mut Reader<'a>,
        names: &Names,
        standpoint: &Standpoint<'_>,
    ) -> Result<Self, Fault> {
        let whole = reader.rest();
        let entries = reader.u16()?;
        // chitchat writes them by name and generation.
        let mut last = None;
        for _ in 0..entries {
            let id = read_entry(reader, names, standpoint)?;
            if last.is_some_and(|last| last >= id) {
                return Err(Fault::IdOrder);
            }
            last = Some(id);
        }
        let length = whole.len() - reader.rest().len();
        Ok(Digest {
            bytes: whole.get(..length).ok_or(Fault::CutOff)?,
            entries: usize::from(entries),
        })
    }
}

/// The name and generation of an entry that is in order.
fn read_entry<'a>(
    reader: &mut Reader<'a>,
    names: &Names,
    standpoint: &Standpoint<'_>,
) -> Result<(&'a str, u64), Fault> {
    let id = reader.id()?;
    let heartbeat = reader.u64()?;
    let last_gc_version = reader.u64()?;
    let max_version = reader.u64()?;
    names.check(&id)?;
    standpoint.check(&id)?;
    if heartbeat.max(last_gc_version).max(max_version) > NUMBER_MAX {
        return Err(Fault::Version);
    }
    if standpoint.is_own(&id) && last_gc_version.max(max_version) > standpoint.own_version {
        return Err(Fault::Own);
    }
    Ok((id.name, id.generation))
}
