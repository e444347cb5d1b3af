//! A digest: every incarnation that the sender knows, and how far.

use super::bounds::{NUMBER_MAX, OWN_HEARTBEAT_MAX};
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
    /// The heartbeat of this server's own incarnation that the sender knows, if it knows this incarnation.
    pub(super) own_heartbeat: Option<u64>,
}

/// An entry that was checked.
struct Entry<'a> {
    name: &'a str,
    generation: u64,
    /// If it is about this server's own incarnation.
    own_heartbeat: Option<u64>,
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
        let mut own_heartbeat = None;
        for _ in 0..entries {
            let entry = read_entry(reader, names, standpoint)?;
            let id = (entry.name, entry.generation);
            if last.is_some_and(|last| last >= id) {
                return Err(Fault::IdOrder);
            }
            last = Some(id);
            own_heartbeat = own_heartbeat.or(entry.own_heartbeat);
        }
        let length = whole.len() - reader.rest().len();
        Ok(Digest {
            bytes: whole.get(..length).ok_or(Fault::CutOff)?,
            entries: usize::from(entries),
            own_heartbeat,
        })
    }
}

/// An entry that is in order.
fn read_entry<'a>(
    reader: &mut Reader<'a>,
    names: &Names,
    standpoint: &Standpoint<'_>,
) -> Result<Entry<'a>, Fault> {
    let id = reader.id()?;
    let heartbeat = reader.u64()?;
    let last_gc_version = reader.u64()?;
    let max_version = reader.u64()?;
    names.check(&id)?;
    standpoint.check(&id)?;
    if heartbeat.max(last_gc_version).max(max_version) > NUMBER_MAX {
        return Err(Fault::Version);
    }
    let is_own = standpoint.is_own(&id);
    let is_beyond = last_gc_version.max(max_version) > standpoint.own_version;
    if is_own && (is_beyond || heartbeat > OWN_HEARTBEAT_MAX) {
        return Err(Fault::Own);
    }
    Ok(Entry {
        name: id.name,
        generation: id.generation,
        own_heartbeat: is_own.then_some(heartbeat),
    })
}
