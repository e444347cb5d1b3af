//! Where this server stands when a message comes.

use super::fault::Fault;
use super::wire::RawId;
use crate::incarnation::Incarnation;

/// What a message is judged by, beside the servers of the topology.
#[derive(Clone, Copy, Debug)]
pub struct Standpoint<'a> {
    /// The herd that this server belongs to.
    pub cluster: &'a str,
    /// This server's incarnation.
    pub own: &'a Incarnation,
    /// The version of what it has published: nobody can know more.
    pub own_version: u64,
    /// The greatest generation that makes sense.
    pub generation_max: u64,
}

impl Standpoint<'_> {
    pub(super) fn is_own(&self, id: &RawId<'_>) -> bool {
        *self.own.server == *id.name && self.own.generation == id.generation
    }

    pub(super) fn check(&self, id: &RawId<'_>) -> Result<(), Fault> {
        if id.generation > self.generation_max {
            return Err(Fault::Generation);
        }
        Ok(())
    }
}
