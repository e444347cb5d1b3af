//! What a neighbour's gossip message may be: looked at, purely, before chitchat sees it.
//!
//! chitchat trusts its peers: it unpacks without a bound, makes a node of every id, and asserts what a message
//! can break. So each message is read here first ([`Guard::check`]): unpacked within a bound, every id, key,
//! version and number checked. What no server sends is a [`Fault`], and the whole message is refused. What
//! a server may send and this one does not want, such as an id that it has forgotten, is left out
//! ([`LeftOut`]). The rest is written anew, in chitchat's form and not compressed: chitchat has nothing left
//! to unpack.
//!
//! Which assertions of chitchat's a message could break, and where that is excluded:
//!
//! | chitchat asserts | excluded by |
//! |---|---|
//! | a state's version does not fall (`apply_delta`) | versions that rise, `SetMaxVersion` only without keys (`delta`) |
//! | a digest leaves room for a delta (`mtu >= 100`) | room for ids in all (`ledger`, `bounds`) |
//! | an operation has at most 65,535 bytes (`append`) | names of servers, lengths of keys and values |
//! | versions and heartbeats do not overflow | `NUMBER_MAX`; nothing on our own id is taken |

mod bounds;
mod delta;
mod digest;
mod fault;
pub(super) mod key;
mod ledger;
mod standpoint;
mod unpack;
mod wire;

use std::collections::BTreeSet;

use herd_crdt::ServerName;
use parking_lot::Mutex;
use tokio::time::Instant;

use self::delta::Delta;
use self::digest::Digest;
use self::ledger::Ledger;
use self::unpack::Unpacker;
use self::wire::Reader;
use super::incarnation::Incarnation;

pub use self::bounds::{
    BLOCK_BYTES_MAX, DELTA_BYTES_MAX, DIGEST_BYTES_MAX, INCARNATIONS_PER_NAME_MAX, KEY_BYTES_MAX,
    NUMBER_MAX, OPERATIONS_MAX, STRANGERS_MAX, VALUE_BYTES_MAX,
};
pub use self::fault::{Fault, FaultKind, GuardCounts, LeftOut};
pub use self::standpoint::Standpoint;
pub use self::wire::MessageKind;

/// What an operation takes in memory until it is applied, beside its bytes.
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
    /// What it takes in memory until chitchat has processed it, in bytes, roughly.
    pub cost_bytes: usize,
}

/// Checks messages, for all links of a server.
pub struct Guard {
    inner: Mutex<Inner>,
    counts: GuardCounts,
}

struct Inner {
    ledger: Ledger,
    /// Made with the first delta.
    unpacker: Option<Unpacker>,
}

impl Guard {
    /// Knows no incarnation yet. `servers` are those of the topology.
    #[must_use]
    pub fn new(servers: &[ServerName]) -> Self {
        Guard {
            inner: Mutex::new(Inner {
                ledger: Ledger::new(servers),
                unpacker: None,
            }),
            counts: GuardCounts::default(),
        }
    }

    /// Checks a message of a neighbour's. The ids in it are known from then on.
    ///
    /// # Errors
    /// A [`Fault`], if no server sends such a message. Nothing was changed.
    pub fn check(&self, bytes: &[u8], standpoint: &Standpoint<'_>) -> Result<Checked, Fault> {
        let mut inner = self.inner.lock();
        let checked = inner.check(bytes, standpoint, |why| self.counts.note_left_out(why));
        if let Err(fault) = &checked {
            self.counts.note_refused(*fault);
        }
        checked
    }

    /// The incarnation that a neighbour reports on; `None` if what it says is of no use here.
    #[must_use]
    pub fn reported(&self, name: &str, generation: u64) -> Option<Incarnation> {
        let inner = self.inner.lock();
        inner
            .ledger
            .may_speak_of(name, generation)
            .then(|| Incarnation {
                server: inner.ledger.name_of(name),
                generation,
            })
    }

    /// This incarnation and all before it of its server were forgotten: no message brings them back.
    pub fn forget_up_to(&self, incarnation: &Incarnation) {
        self.inner.lock().ledger.forget_up_to(incarnation);
    }

    /// chitchat knows these incarnations now, and no others.
    pub fn retain<'a>(&self, known: impl IntoIterator<Item = &'a Incarnation>, now: Instant) {
        let known: BTreeSet<&Incarnation> = known.into_iter().collect();
        self.inner.lock().ledger.retain(&known, now);
    }

    /// How many messages were refused, and parts left out.
    #[must_use]
    pub fn counts(&self) -> &GuardCounts {
        &self.counts
    }
}

impl Inner {
    fn unpacker(unpacker: &mut Option<Unpacker>) -> Result<&mut Unpacker, Fault> {
        match unpacker {
            Some(unpacker) => Ok(unpacker),
            // Without memory for its tables, no block can be unpacked.
            None => Ok(unpacker.insert(Unpacker::new().map_err(|_| Fault::Block)?)),
        }
    }

    fn check(
        &mut self,
        bytes: &[u8],
        standpoint: &Standpoint<'_>,
        mut left_out: impl FnMut(LeftOut),
    ) -> Result<Checked, Fault> {
        let Inner { ledger, unpacker } = self;
        let mut reader = Reader::new(bytes);
        let kind = reader.header()?;
        let digest = match kind {
            MessageKind::Syn | MessageKind::SynAck => {
                Some(Digest::read(&mut reader, ledger, standpoint)?)
            }
            MessageKind::Ack => None,
        };
        let mut cluster = None;
        let mut delta = None;
        let before_delta = reader.rest().len();
        match kind {
            MessageKind::Syn => cluster = Some(cluster_of(&mut reader, standpoint)?),
            MessageKind::SynAck | MessageKind::Ack => {
                let unpacked = Self::unpacker(unpacker)?.unpack(&mut reader)?;
                delta = Some(Delta::read(&unpacked, ledger, standpoint)?);
            }
        }
        let delta_bytes = before_delta - reader.rest().len();
        reader.finish()?;

        let unpacked_bytes = delta.as_ref().map_or(0, Delta::len);
        let mut out = Vec::with_capacity(bytes.len() + unpacked_bytes);
        out.extend_from_slice(&wire::header(kind));
        if let Some(digest) = &digest {
            digest.write(ledger, standpoint.now, &mut out, &mut left_out);
        }
        if let Some(cluster) = cluster {
            out.extend_from_slice(cluster);
        }
        let mut operations = 0;
        if let Some(delta) = &delta {
            delta.write(ledger, standpoint, &mut out, &mut left_out);
            operations = delta.operations;
        }
        Ok(Checked {
            kind,
            cost_bytes: out.len() + operations * OPERATION_COST_BYTES,
            bytes: out,
            delta_bytes: delta.is_some().then_some(delta_bytes),
        })
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
