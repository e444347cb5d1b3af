//! The index itself.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering};

use herd_crdt::QuantizedLocation;
use parking_lot::Mutex;

use super::cell::{Cell, Level};
use super::node::{Found, Grown, Member, Node, NodeId};

/// The hashes of clients by the cells that they are in.
///
/// A hash stands in its cell as often as it entered and did not leave. So the order in which two changes of one client
/// take effect does not matter, if no leaving is told before its entering.
///
/// One tile of 0.7 degrees is locked at a time, for as long as it takes to look through 256 clients. A move writes to
/// nothing else that all threads share: a counter of all clients would cost as much as the move itself.
#[derive(Default)]
pub struct Grid {
    zones: Zones,
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
    /// The number of tiles with clients.
    occupied: AtomicU32,
    tiles: OnceLock<Box<[Tile]>>,
}

/// Changed under its lock only.
pub(crate) struct Tile {
    is_occupied: AtomicBool,
    node: Mutex<Node>,
}

impl Zone {
    pub(crate) fn is_empty(&self) -> bool {
        self.occupied.load(Ordering::Relaxed) == 0
    }

    /// None, if nobody was ever in it.
    pub(crate) fn tiles(&self) -> &[Tile] {
        self.tiles.get().map(|tiles| &**tiles).unwrap_or_default()
    }

    /// Changes the node of the tile around `cell`, and notes whether clients are in it.
    fn change<R>(&self, cell: Cell, change: impl FnOnce(&mut Node) -> R) -> R {
        let tiles = self.tiles.get_or_init(|| {
            let empty = || Tile {
                is_occupied: AtomicBool::new(false),
                node: Mutex::new(Node::EMPTY),
            };
            (0..Level::TILES).map(|_| empty()).collect()
        });
        let tile = &tiles[Level::tile_index(cell)];
        let mut node = tile.node.lock();
        let result = change(&mut node);
        let is_occupied = node.len() > 0;
        if tile.is_occupied.load(Ordering::Relaxed) != is_occupied {
            tile.is_occupied.store(is_occupied, Ordering::Relaxed);
            if is_occupied {
                self.occupied.fetch_add(1, Ordering::Relaxed);
            } else {
                self.occupied.fetch_sub(1, Ordering::Relaxed);
            }
        }
        result
    }
}

impl Tile {
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_occupied.load(Ordering::Relaxed)
    }
}

impl Grid {
    /// A client's record has come here, in the place of one that was there, if there was one. Returns the cell that the
    /// client is to leave, if that is one in another tile; until it does, it is found in both.
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
        let entering = Member::new(hash, to);
        match from {
            // Most moves.
            Some(from) if NodeId::tile(from) == NodeId::tile(to) => {
                let leaving = Member::new(hash, from);
                let relocate = |node: &mut Node| node.relocate(leaving, entering);
                let grown = self.zone(to).change(to, relocate);
                debug_assert!(
                    grown.is_some(),
                    "BUG: a client left a cell that it was not in"
                );
                self.grown(grown.unwrap_or(0));
                None
            }
            _ => {
                let insert = |node: &mut Node| node.insert(entering);
                let grown = self.zone(to).change(to, insert);
                self.grown(grown);
                from
            }
        }
    }

    /// A client leaves a cell that it entered; says whether it was there.
    pub fn leave(&self, hash: u64, cell: Cell) -> bool {
        let leaving = Member::new(hash, cell);
        let grown = self.zone(cell).change(cell, |node| node.remove(leaving));
        self.grown(grown.unwrap_or(0));
        grown.is_some()
    }

    /// How many clients are in it; one that changes its cell at this moment may count twice. Locks each tile with
    /// clients, one after the other.
    #[must_use]
    pub fn len(&self) -> usize {
        let occupied = self.zones().iter().filter(|zone| !zone.is_empty());
        let tiles = occupied.flat_map(Zone::tiles);
        let occupied = tiles.filter(|tile| !tile.is_empty());
        occupied.map(|tile| tile.node.lock().len()).sum()
    }

    /// Whether no client is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.zones().iter().all(Zone::is_empty)
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

    fn grown(&self, grown: Grown) {
        if grown != 0 {
            self.nodes.fetch_add(grown as isize, Ordering::Relaxed);
        }
    }
}
