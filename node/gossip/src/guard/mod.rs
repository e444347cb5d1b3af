//! What a neighbour's gossip message may be: looked at, purely, before chitchat sees it.
//!
//! chitchat trusts its peers: it unpacks without a bound, makes a node of every id, and asserts what a message
//! can break. So each message is read here first ([`Guard::check`]): unpacked within a bound, every id, key,
//! version and number checked. What no server sends is a [`Fault`], and the whole message is refused. What
//! a server may send and this one does not want is left out ([`LeftOut`]). The rest is written anew, in
//! chitchat's form and not compressed: chitchat has nothing left to unpack.
//!
//! A check depends on the message and the [`Standpoint`] alone. Which ids chitchat may know, and which it has
//! forgotten, is decided when it takes up the message, in `known_ids`.
//!
//! Which assertions of chitchat's a message could break, and where that is excluded:
//!
//! | chitchat asserts | excluded by |
//! |---|---|
//! | a state's version does not fall (`apply_delta`) | versions that rise, `SetMaxVersion` only without keys (`delta`) |
//! | a digest leaves room for a delta (`mtu >= 100`) | room for ids in all (`known_ids`, and an assertion in `bounds`) |
//! | an operation has at most 65,535 bytes (`append`) | names of servers, lengths of keys and values |
//! | versions and heartbeats do not overflow | `NUMBER_MAX`; nothing on our own id is taken |

mod bounds;
mod delta;
mod digest;
mod fault;
pub mod key;
mod names;
mod standpoint;
mod unpack;
mod wire;

use herd_crdt::ServerName;
use parking_lot::Mutex;

use self::delta::Delta;
use self::digest::Digest;
use self::names::Names;
use self::unpack::Unpacker;
use self::wire::Reader;
use super::incarnation::Incarnation;

pub use self::bounds::{
    BLOCK_BYTES_MAX, DELTA_BYTES_MAX, KEY_BYTES_MAX, NUMBER_MAX, OPERATIONS_MAX, OWN_HEARTBEAT_MAX,
    VALUE_BYTES_MAX,
};
pub use self::fault::{Fault, FaultKind, GuardCounts, LeftOut};
pub use self::standpoint::Standpoint;
pub use self::wire::MessageKind;

/// What an operation, or an entry of a digest, takes in memory until it is applied, beside its bytes.
const OPERATION_COST_BYTES: usize = 300;

/// A message that chitchat can take.
#[derive(Debug)]
pub struct Checked {
    /// Its kind.
    pub kind: MessageKind,
    /// It, in chitchat's encoding, without what was left out and not compressed.
    pub bytes: Vec<u8>,
    /// What its delta took on the link, in bytes; `None` if a message of this kind has none.
    pub delta_bytes: Option<usize>,
    /// The heartbeat of this server's own incarnation that the sender knows, if its digest has one. It may be higher than
    /// any that this server has had: then somebody has made it up.
    pub own_heartbeat: Option<u64>,
    /// What it takes in memory until chitchat has processed it, in bytes, roughly.
    pub cost_bytes: usize,
}

/// Checks messages, for all links of a server.
pub struct Guard {
    names: Names,
    /// Made with the first delta.
    unpacker: Mutex<Option<Unpacker>>,
    counts: GuardCounts,
}

impl Guard {
    /// `servers` are those of the topology.
    #[must_use]
    pub fn new(servers: &[ServerName]) -> Self {
        Guard {
            names: Names::new(servers),
            unpacker: Mutex::new(None),
            counts: GuardCounts::default(),
        }
    }

    /// Checks a message of a neighbour's.
    ///
    /// # Errors
    /// A [`Fault`], if no server sends such a message. Nothing was changed.
    pub fn check(&self, bytes: &[u8], standpoint: &Standpoint<'_>) -> Result<Checked, Fault> {
        let checked = self.read(bytes, standpoint);
        if let Err(fault) = &checked {
            self.counts.note_refused(*fault);
        }
        checked
    }

    /// The incarnation that a neighbour reports on; `None` if no server can have that name.
    #[must_use]
    pub fn reported(&self, name: &str, generation: u64) -> Option<Incarnation> {
        let server = self.names.get(name)?;
        Some(Incarnation { server, generation })
    }

    /// How many messages were refused, and parts left out.
    #[must_use]
    pub fn counts(&self) -> &GuardCounts {
        &self.counts
    }

    fn read(&self, bytes: &[u8], standpoint: &Standpoint<'_>) -> Result<Checked, Fault> {
        let mut reader = Reader::new(bytes);
        let kind = reader.header()?;
        let mut out = Vec::with_capacity(bytes.len());
        out.extend_from_slice(&wire::header(kind));
        let mut operations = 0;
        let mut own_heartbeat = None;
        if matches!(kind, MessageKind::Syn | MessageKind::SynAck) {
            let digest = Digest::read(&mut reader, &self.names, standpoint)?;
            out.extend_from_slice(digest.bytes);
            operations += digest.entries;
            own_heartbeat = digest.own_heartbeat;
        }
        let mut delta_bytes = None;
        if kind == MessageKind::Syn {
            out.extend_from_slice(cluster_of(&mut reader, standpoint)?);
            reader.finish()?;
        } else {
            let before = reader.rest().len();
            let mut unpacker = self.unpacker.lock();
            let unpacked = made(&mut unpacker)?.unpack(&mut reader)?;
            let delta = Delta::read(&unpacked, &self.names, standpoint)?;
            delta_bytes = Some(before - reader.rest().len());
            reader.finish()?;
            out.reserve(delta.len());
            delta.write(standpoint, &mut out, |why| self.counts.note_left_out(why));
            operations += delta.operations;
        }
        Ok(Checked {
            kind,
            cost_bytes: out.len() + operations * OPERATION_COST_BYTES,
            bytes: out,
            delta_bytes,
            own_heartbeat,
        })
    }
}

fn made(unpacker: &mut Option<Unpacker>) -> Result<&mut Unpacker, Fault> {
    match unpacker {
        Some(unpacker) => Ok(unpacker),
        // Without memory for its tables, no block can be unpacked.
        None => Ok(unpacker.insert(Unpacker::new().map_err(|_| Fault::Block)?)),
    }
}

/// The name of the cluster, as it was written.
fn cluster_of<'a>(reader: &mut Reader<'a>, standpoint: &Standpoint<'_>) -> Result<&'a [u8], Fault> {
    let written = reader.rest();
    if reader.text()? != standpoint.cluster {
        return Err(Fault::ForeignCluster);
    }
    written
        .get(..written.len() - reader.rest().len())
        .ok_or(Fault::CutOff)
}
