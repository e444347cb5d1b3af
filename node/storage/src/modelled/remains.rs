//! The groups that were overwritten: on the disk until a purge, as journals and tables of a real store have them.

use bytes::Bytes;

use super::super::{FILLERS, Write};

#[derive(Debug, Default)]
pub(super) struct Remains {
    /// Every group that was written since the last purge.
    written: Vec<Bytes>,
    /// Fillers since then, of this process.
    fillers: usize,
}

impl Remains {
    /// A process opens the store: purges that were not done are of another.
    pub(super) fn begin_process(&mut self) {
        self.fillers = 0;
    }

    /// These were committed. Says whether they ask for a purge that can be done: behind as many fillers as a real one needs.
    pub(super) fn note(&mut self, writes: &[Write]) -> bool {
        let mut is_purged = false;
        for write in writes {
            match write {
                Write::Put { group, .. } => self.written.push(group.clone()),
                Write::Filler => self.fillers += 1,
                Write::Purge(_) => {
                    is_purged |= self.fillers >= FILLERS;
                    self.fillers = 0;
                }
                Write::Forget { .. } | Write::Floor { .. } | Write::Generation { .. } => {}
            }
        }
        is_purged
    }

    /// Nothing is left but what is stored.
    pub(super) fn purge(&mut self, stored: impl Iterator<Item = Bytes>) {
        self.written = stored.collect();
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Bytes> {
        self.written.iter()
    }
}
