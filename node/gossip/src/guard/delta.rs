//! A delta: what the receiver lacks of the states of some incarnations, as operations.

use std::collections::BTreeSet;
use std::ops::Range;

use super::bounds::{NUMBER_MAX, OPERATIONS_MAX, VALUE_BYTES_MAX};
use super::fault::{Fault, LeftOut};
use super::key::is_key;
use super::names::Names;
use super::standpoint::Standpoint;
use super::unpack::{Unpacked, pack};
use super::wire::{RawId, Reader};

/// The kinds of operations: those that follow are on this incarnation.
const NODE: u8 = 0;
/// Sets a key.
const KEY_VALUE: u8 = 1;
/// Nothing of the incarnation is left up to this version.
const SET_MAX_VERSION: u8 = 2;

/// The only status of a key that servers use: it is set, and stays.
const SET: u8 = 0;

/// What a delta says of one incarnation.
#[derive(Debug)]
struct Node<'a> {
    id: RawId<'a>,
    /// Its operations, that which names it included.
    at: Range<usize>,
    operations: usize,
}

/// A delta that was read: whole, or as much of it as is within bounds. A delta that ends earlier is a delta as
/// well, and brings less.
#[derive(Debug)]
pub(super) struct Delta<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node<'a>>,
    pub(super) operations: usize,
    pub(super) is_cut: bool,
}

/// What the operations on one incarnation have said so far.
struct Progress {
    version: u64,
    has_keys: bool,
    is_closed: bool,
}

impl<'a> Delta<'a> {
    /// Reads and checks operations.
    pub(super) fn read(
        unpacked: &Unpacked<'a>,
        names: &Names,
        standpoint: &Standpoint<'_>,
    ) -> Result<Self, Fault> {
        let bytes = unpacked.bytes;
        let mut delta = Delta {
            bytes,
            nodes: Vec::new(),
            operations: 0,
            is_cut: unpacked.is_cut,
        };
        let mut ids = BTreeSet::new();
        let mut reader = Reader::new(bytes);
        let mut progress = None;
        while !reader.rest().is_empty() {
            if delta.operations == OPERATIONS_MAX {
                delta.is_cut = true;
                break;
            }
            let begin = bytes.len() - reader.rest().len();
            let operation = match read_operation(&mut reader) {
                Ok(operation) => operation,
                // It goes on in a block that was not unpacked.
                Err(Fault::CutOff) if unpacked.is_cut => break,
                Err(fault) => return Err(fault),
            };
            let end = bytes.len() - reader.rest().len();
            match operation {
                Operation::Node { id, from } => {
                    names.check(&id)?;
                    standpoint.check(&id)?;
                    if !ids.insert((id.name, id.generation)) {
                        return Err(Fault::IdOrder);
                    }
                    progress = Some(Progress::new(from));
                    delta.nodes.push(Node {
                        id,
                        at: begin..end,
                        operations: 0,
                    });
                }
                other => {
                    let (Some(progress), Some(node)) = (&mut progress, delta.nodes.last_mut())
                    else {
                        return Err(Fault::Operation);
                    };
                    progress.take(&other)?;
                    node.at.end = end;
                    node.operations += 1;
                }
            }
            delta.operations += 1;
        }
        // It may have lost the operations that followed.
        let is_cut = delta.is_cut;
        delta.nodes.pop_if(|last| is_cut && last.operations == 0);
        Ok(delta)
    }

    /// How many bytes its operations take.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends what chitchat may know of it: all but what others say of what this incarnation publishes.
    pub(super) fn write(
        &self,
        standpoint: &Standpoint<'_>,
        out: &mut Vec<u8>,
        mut left_out: impl FnMut(LeftOut),
    ) {
        if self.is_cut {
            left_out(LeftOut::Size);
        }
        let kept = self.nodes.iter().filter(|node| {
            let is_own = standpoint.is_own(&node.id);
            if is_own {
                left_out(LeftOut::Own);
            }
            !is_own
        });
        pack(kept.filter_map(|node| self.bytes.get(node.at.clone())), out);
    }
}

enum Operation<'a> {
    Node { id: RawId<'a>, from: u64 },
    KeyValue { version: u64 },
    SetMaxVersion { version: u64 },
}

fn read_operation<'a>(reader: &mut Reader<'a>) -> Result<Operation<'a>, Fault> {
    match reader.byte()? {
        NODE => {
            let id = reader.id()?;
            let _last_gc_version = number(reader)?;
            let from = number(reader)?;
            Ok(Operation::Node { id, from })
        }
        KEY_VALUE => {
            let key = reader.text()?;
            let value = reader.text()?;
            let version = number(reader)?;
            let status = reader.byte()?;
            if !is_key(key) {
                return Err(Fault::Key);
            }
            if value.len() > VALUE_BYTES_MAX {
                return Err(Fault::Value);
            }
            if status != SET {
                return Err(Fault::Deletion);
            }
            Ok(Operation::KeyValue { version })
        }
        SET_MAX_VERSION => Ok(Operation::SetMaxVersion {
            version: number(reader)?,
        }),
        _ => Err(Fault::Operation),
    }
}

fn number(reader: &mut Reader<'_>) -> Result<u64, Fault> {
    let number = reader.u64()?;
    if number > NUMBER_MAX {
        return Err(Fault::Version);
    }
    Ok(number)
}

impl Progress {
    fn new(from: u64) -> Self {
        Progress {
            version: from,
            has_keys: false,
            is_closed: false,
        }
    }

    /// chitchat asserts that a state's version never falls: versions rise, and a state without keys says its
    /// version once and last.
    fn take(&mut self, operation: &Operation<'_>) -> Result<(), Fault> {
        if self.is_closed {
            return Err(Fault::Operation);
        }
        let version = match operation {
            Operation::Node { .. } => return Err(Fault::Operation),
            Operation::KeyValue { version } => {
                self.has_keys = true;
                *version
            }
            Operation::SetMaxVersion { version } => {
                if self.has_keys {
                    return Err(Fault::Operation);
                }
                self.is_closed = true;
                *version
            }
        };
        if version <= self.version {
            return Err(Fault::Version);
        }
        self.version = version;
        Ok(())
    }
}
