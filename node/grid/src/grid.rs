//! The index itself.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicIsize, AtomicU32, AtomicUsize, Ordering};

use herd_crdt::QuantizedLocation;
use parking_lot::Mutex;

use super::cell::{Cell, Level};
use super::node::{Found, Member, Node, NodeId};

/// The hashes of clients by the cells that they are in.
///
/// A hash stands in its cell as often as it entered and did not leave. So the order in which two changes of one client
/// take effect does not matter, if no leaving is told before its entering.
///
/// One tile of 0.7 degrees is locked at a time, for as long as it takes to look through 256 clients.
#[derive(Default)]
pub struct Grid {
    zones: Zones,
    len: AtomicUsize,
    /// Nodes that hold clients.
    nodes: AtomicIsize,
}

struct Zones(Box<[Zone]>);

impl Default for Zones {
    fn default() -> Self {
        Zones((0..Level::ZONES).map(|_| Zone::default()).collect())
    }
}

/// A zone and, once somebody was in it, its tiles.
#[derive(Default)]
pub(crate) struct Zone {
    clients: AtomicU32,
    tiles: OnceLock<Box<[Tile]>>,
}

pub(crate) struct Tile {
    clients: AtomicU32,
    node: Mutex<Node>,
}

impl Zone {
    pub(crate) fn is_empty(&self) -> bool {
        self.clients.load(Ordering::Relaxed) == 0
    }

    /// None, if nobody was ever in it.
    pub(crate) fn tiles(&self) -> &[Tile] {
        self.tiles.get().map(|tiles| &**tiles).unwrap_or_default()
    }

    fn tile(&self, cell: Cell) -> &Tile {
        let tiles = self.tiles.get_or_init(|| {
            let empty = || Tile {
                clients: AtomicU32::new(0),
                node: Mutex::new(Node::EMPTY),
            };
            (0..Level::TILES).map(|_| empty()).collect()
        });
        &tiles[Level::tile_index(cell)]
    }
}

impl Tile {
    pub(crate) fn is_empty(&self) -> bool {
        self.clients.load(Ordering::Relaxed) == 0
    }
}

impl Grid {
    /// A client's record has come here, in the place of one that was there, if there was one. Returns the cell that the
    /// client is to leave, if that is another one; until it does, it is found in both.
    ///
    /// To be called while the client's record cannot change again: the next record of the client leaves this cell.
    #[must_use]
    pub fn enter(
        &self,
        hash: u64,
        replaced: Option<QuantizedLocation>,
        at: QuantizedLocation,
    ) -> Option<Cell> {
        let to = Cell::of(at);
        let from = replaced.map(Cell::of);
        if from == Some(to) {
            return None;
        }
        let zone = self.zone(to);
        let tile = zone.tile(to);
        let grown = tile.node.lock().insert(Member::new(hash, to));
        tile.clients.fetch_add(1, Ordering::Relaxed);
        zone.clients.fetch_add(1, Ordering::Relaxed);
        self.len.fetch_add(1, Ordering::Relaxed);
        self.grown(grown);
        from
    }

    /// A client leaves a cell that it entered; says whether it was there.
    pub fn leave(&self, hash: u64, cell: Cell) -> bool {
        let zone = self.zone(cell);
        let tile = zone.tile(cell);
        let Some(grown) = tile.node.lock().remove(Member::new(hash, cell)) else {
            return false;
        };
        tile.clients.fetch_sub(1, Ordering::Relaxed);
        zone.clients.fetch_sub(1, Ordering::Relaxed);
        self.len.fetch_sub(1, Ordering::Relaxed);
        self.grown(grown);
        true
    }

    /// How many clients are in it; one that changes its cell at this moment counts twice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether no client is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of its nodes hold clients: cells, where there are many clients, and larger squares elsewhere.
    #[must_use]
    pub fn nodes(&self) -> usize {
        usize::try_from(self.nodes.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// The hashes in one cell, each as often as it stands there.
    #[must_use]
    pub fn in_cell(&self, cell: Cell) -> Vec<u64> {
        struct Hashes {
            tile: Cell,
            cell: Cell,
            hashes: Vec<u64>,
            parts: Vec<NodeId>,
        }
        impl Found for Hashes {
            fn member(&mut self, member: Member) {
                if member.cell(self.tile) == self.cell {
                    self.hashes.push(member.hash());
                }
            }
            fn part(&mut self, part: NodeId) {
                self.parts.push(part);
            }
        }
        let tile = NodeId::tile(cell);
        let mut found = Hashes {
            tile: tile.cell,
            cell,
            hashes: Vec::new(),
            parts: vec![tile],
        };
        while let Some(part) = found.parts.pop() {
            self.look(part, &mut found);
        }
        found.hashes
    }

    /// All zones, by their numbers.
    pub(crate) fn zones(&self) -> &[Zone] {
        &self.zones.0
    }

    /// The parts, or the clients, of this node of a tile.
    pub(crate) fn look(&self, id: NodeId, found: &mut impl Found) {
        if let Some(tile) = self.zone(id.cell).tiles().get(Level::tile_index(id.cell)) {
            tile.node.lock().look(id, found);
        }
    }

    fn zone(&self, cell: Cell) -> &Zone {
        &self.zones.0[Level::zone_index(cell)]
    }

    fn grown(&self, grown: i32) {
        if grown != 0 {
            self.nodes.fetch_add(grown as isize, Ordering::Relaxed);
        }
    }
}
