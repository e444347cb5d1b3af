//! The index itself.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering};

use herd_crdt::QuantizedLocation;
use parking_lot::Mutex;

use super::cell::{Cell, Level};
use super::node::{Found, Grown, Member, Node, NodeId};

/// The hashes of clients and the knots that they are at, by cells.
///
/// A hash stands at its knot as often as it entered and did not leave. So the order in which two changes of one client
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
    /// A client's record has come here, in the place of one that was there, if there was one. Returns the knot that the
    /// client is to leave, if that is one in another tile; until it does, it is found at both.
    ///
    /// To be called while the client's record cannot change again: the next record of the client leaves this knot.
    #[must_use]
    pub fn enter(
        &self,
        hash: u64,
        replaced: Option<QuantizedLocation>,
        at: QuantizedLocation,
    ) -> Option<QuantizedLocation> {
        if replaced == Some(at) {
            return None;
        }
        let cell = Cell::of(at);
        let entering = Member::new(hash, at);
        match replaced {
            // Most moves.
            Some(from) if NodeId::tile(Cell::of(from)) == NodeId::tile(cell) => {
                let leaving = Member::new(hash, from);
                let relocate = |node: &mut Node| node.relocate(leaving, entering);
                let grown = self.zone(cell).change(cell, relocate);
                debug_assert!(
                    grown.is_some(),
                    "BUG: a client left a knot that it was not at"
                );
                self.grown(grown.unwrap_or(0));
                None
            }
            _ => {
                let insert = |node: &mut Node| node.insert(entering);
                let grown = self.zone(cell).change(cell, insert);
                self.grown(grown);
                replaced
            }
        }
    }

    /// A client leaves a knot that it came to; says whether it was there.
    pub fn leave(&self, hash: u64, at: QuantizedLocation) -> bool {
        let (cell, leaving) = (Cell::of(at), Member::new(hash, at));
        let grown = self.zone(cell).change(cell, |node| node.remove(leaving));
        self.grown(grown.unwrap_or(0));
        grown.is_some()
    }

    /// How many clients are in it; one that changes its tile at this moment may count twice. Locks each tile with
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

    /// The hashes in one cell with their knots, each as often as it stands there.
    #[must_use]
    pub fn in_cell(&self, cell: Cell) -> Vec<(u64, QuantizedLocation)> {
        struct InCell {
            tile: Cell,
            cell: Cell,
            members: Vec<(u64, QuantizedLocation)>,
            parts: Vec<NodeId>,
        }
        impl Found for InCell {
            fn members(&mut self, members: &[Member]) {
                let all = members.iter();
                let all = all.map(|member| (member.hash(), member.at(self.tile)));
                self.members
                    .extend(all.filter(|&(_, at)| Cell::of(at) == self.cell));
            }
            fn part(&mut self, part: NodeId, _clients: usize) {
                self.parts.push(part);
            }
        }
        let tile = NodeId::tile(cell);
        let mut found = InCell {
            tile: tile.cell,
            cell,
            members: Vec::new(),
            parts: vec![tile],
        };
        while let Some(part) = found.parts.pop() {
            self.look(part, &mut found);
        }
        found.members
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
