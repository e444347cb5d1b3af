//! The clients of a tile: a tree that divides itself where many clients are.

use herd_crdt::QuantizedLocation;

use super::cell::{CELL_KNOT_BITS, Cell, Level};

/// A node that holds more clients than this is divided, if it can be.
const FEW_MAX: usize = 256;

/// Nodes that hold together fewer clients than this become one again.
const REJOINED_MAX: u32 = 64;

/// A list that is filled to less than this part of its room gives room back.
const ROOM_KEPT: usize = 4;

/// How often a crowd in one cell is divided by the hashes of its clients at most.
const CROWD_DEPTH_MAX: u32 = 5;

/// Bits of a hash that tell parts of a crowd apart, for each division.
const CROWD_BITS: u32 = Level::PARTS.trailing_zeros();

/// A client in a tile: eight bytes of its hash, and three of its knot's row and column in the tile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member([u8; 11]);

/// The rows and columns of the lattice in a tile, as a power of two.
const TILE_KNOT_BITS: u32 = Level::Tile.cell_bits() + CELL_KNOT_BITS;

/// The bits of a row or a column that tell where in a tile it is.
const IN_TILE: u32 = (1 << TILE_KNOT_BITS) - 1;

const _: () = assert!(2 * TILE_KNOT_BITS <= 24, "they are kept in three bytes");

/// A node of a tile. Its depth counts divisions: the tile's is 0, that of a block 1, of a cell 2, and of parts of a crowd
/// more.
pub(crate) enum Node {
    Few(Vec<Member>),
    Many(Box<Parts>),
}

pub(crate) struct Parts {
    /// How many clients they hold together.
    clients: u32,
    nodes: [Node; Level::PARTS],
}

/// A node of a tile that a search has yet to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId {
    /// The southwestern cell.
    pub(crate) cell: Cell,
    pub(crate) depth: u8,
    /// The part of a crowd: the lowest bits of its hashes.
    crowd: u32,
}

/// How the number of nodes with clients has changed.
pub(crate) type Grown = i32;

impl Member {
    pub(crate) fn new(hash: u64, at: QuantizedLocation) -> Self {
        let place = (at.row() & IN_TILE) << TILE_KNOT_BITS | at.column() & IN_TILE;
        let [a, b, c, d, e, f, g, h] = hash.to_le_bytes();
        let [i, j, k, _] = place.to_le_bytes();
        Member([a, b, c, d, e, f, g, h, i, j, k])
    }

    pub(crate) fn hash(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Its knot, if the tile's southwestern cell is this.
    pub(crate) fn at(self, tile: Cell) -> QuantizedLocation {
        let (row, column) = self.in_tile();
        QuantizedLocation::new(
            u32::from(tile.row) << CELL_KNOT_BITS | row,
            u32::from(tile.column) << CELL_KNOT_BITS | column,
        )
    }

    /// The index of one that is like it.
    fn position_in(self, members: &[Member]) -> Option<usize> {
        // Eight bytes are compared in one step, eleven in many.
        let hash = self.hash();
        let mut all = members.iter();
        all.position(|other| other.hash() == hash && *other == self)
    }

    /// The row and the column of its knot, from the tile's southwestern corner.
    fn in_tile(self) -> (u32, u32) {
        let [.., i, j, k] = self.0;
        let place = u32::from_le_bytes([i, j, k, 0]);
        (place >> TILE_KNOT_BITS, place & IN_TILE)
    }

    /// In which part of a node of this depth it lies.
    fn part(self, depth: u32) -> usize {
        let cell = || {
            let (row, column) = self.in_tile();
            Cell {
                row: (row >> CELL_KNOT_BITS) as u16,
                column: (column >> CELL_KNOT_BITS) as u16,
            }
        };
        match depth {
            0 => Level::block_index(cell()),
            1 => Level::cell_index(cell()),
            _ => crowd_part(self.hash() >> (CROWD_BITS * (depth - 2))),
        }
    }
}

fn crowd_part(bits: u64) -> usize {
    bits as usize % Level::PARTS
}

impl NodeId {
    /// The tile that this cell lies in.
    pub(crate) fn tile(cell: Cell) -> Self {
        let mask = u16::MAX << Level::Tile.cell_bits();
        NodeId {
            cell: Cell {
                row: cell.row & mask,
                column: cell.column & mask,
            },
            depth: 0,
            crowd: 0,
        }
    }

    /// How many cells it is high and wide, as a power of two.
    pub(crate) fn cell_bits(self) -> u32 {
        match self.depth {
            0 => Level::Tile.cell_bits(),
            1 => Level::Block.cell_bits(),
            _ => Level::Cell.cell_bits(),
        }
    }

    /// The part of this number.
    fn part(self, number: usize) -> Self {
        let mut part = self;
        part.depth += 1;
        let (row, column) = ((number / 8) as u16, (number % 8) as u16);
        match self.depth {
            0 | 1 => {
                let bits = part.cell_bits();
                part.cell.row |= row << bits;
                part.cell.column |= column << bits;
            }
            depth => part.crowd |= (number as u32) << (CROWD_BITS * (u32::from(depth) - 2)),
        }
        part
    }

    /// The number of the part of a node of this depth, above it, that leads to it.
    fn part_above(self, depth: u32) -> usize {
        match depth {
            0 => Level::block_index(self.cell),
            1 => Level::cell_index(self.cell),
            _ => crowd_part(u64::from(self.crowd) >> (CROWD_BITS * (depth - 2))),
        }
    }

    fn holds(self, member: Member) -> bool {
        (0..u32::from(self.depth)).all(|depth| member.part(depth) == self.part_above(depth))
    }
}

impl Node {
    pub(crate) const EMPTY: Node = Node::Few(Vec::new());

    pub(crate) fn insert(&mut self, member: Member) -> Grown {
        self.insert_at(0, member)
    }

    /// Takes out one that is like this, if there is one.
    pub(crate) fn remove(&mut self, member: Member) -> Option<Grown> {
        self.remove_at(0, member)
    }

    /// Puts a member in the place of one that is like `from`, if there is one.
    pub(crate) fn relocate(&mut self, from: Member, to: Member) -> Option<Grown> {
        self.relocate_at(0, from, to)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Node::Few(members) => members.len(),
            Node::Many(parts) => parts.clients as usize,
        }
    }

    fn insert_at(&mut self, depth: u32, member: Member) -> Grown {
        match self {
            Node::Few(members) => {
                let grown = Grown::from(members.is_empty());
                members.push(member);
                if members.len() > FEW_MAX && depth < 2 + CROWD_DEPTH_MAX {
                    return grown + self.divide(depth);
                }
                grown
            }
            Node::Many(parts) => {
                parts.clients += 1;
                parts.nodes[member.part(depth)].insert_at(depth + 1, member)
            }
        }
    }

    fn divide(&mut self, depth: u32) -> Grown {
        let Node::Few(members) = std::mem::replace(self, Node::EMPTY) else {
            return 0;
        };
        let mut parts = Box::new(Parts {
            clients: members.len() as u32,
            nodes: [const { Node::EMPTY }; Level::PARTS],
        });
        let mut grown = -1;
        for member in members {
            grown += parts.nodes[member.part(depth)].insert_at(depth + 1, member);
        }
        *self = Node::Many(parts);
        grown
    }

    fn remove_at(&mut self, depth: u32, member: Member) -> Option<Grown> {
        match self {
            Node::Few(members) => {
                let at = member.position_in(members)?;
                members.swap_remove(at);
                if members.capacity() >= ROOM_KEPT * members.len().max(2) {
                    members.shrink_to(2 * members.len());
                }
                Some(-Grown::from(members.is_empty()))
            }
            Node::Many(parts) => {
                let grown = parts.nodes[member.part(depth)].remove_at(depth + 1, member)?;
                parts.clients -= 1;
                if parts.clients < REJOINED_MAX {
                    return Some(grown + self.rejoin());
                }
                Some(grown)
            }
        }
    }

    fn relocate_at(&mut self, depth: u32, from: Member, to: Member) -> Option<Grown> {
        match self {
            Node::Few(members) => {
                let at = from.position_in(members)?;
                members[at] = to;
                Some(0)
            }
            Node::Many(parts) => {
                let (old, new) = (from.part(depth), to.part(depth));
                if old == new {
                    return parts.nodes[old].relocate_at(depth + 1, from, to);
                }
                let left = parts.nodes[old].remove_at(depth + 1, from)?;
                Some(left + parts.nodes[new].insert_at(depth + 1, to))
            }
        }
    }

    fn rejoin(&mut self) -> Grown {
        let mut members = Vec::with_capacity(self.len());
        let mut nodes = 0;
        self.each_few(&mut |few| {
            nodes += Grown::from(!few.is_empty());
            members.extend_from_slice(few);
        });
        let joined = Grown::from(!members.is_empty());
        *self = Node::Few(members);
        joined - nodes
    }

    fn each_few(&self, take: &mut impl FnMut(&[Member])) {
        match self {
            Node::Few(members) => take(members),
            Node::Many(parts) => parts.nodes.iter().for_each(|node| node.each_few(take)),
        }
    }

    /// The parts that hold clients, or the clients, of the node with this id; called for the tile's node.
    pub(crate) fn look(&self, id: NodeId, found: &mut impl Found) {
        let mut node = self;
        for depth in 0..u32::from(id.depth) {
            match node {
                // It was divided when it was found, and is not any more.
                Node::Few(members) => {
                    let of_it = members.iter().filter(|&&member| id.holds(member));
                    let of_it: Vec<Member> = of_it.copied().collect();
                    return found.members(&of_it);
                }
                Node::Many(parts) => node = &parts.nodes[id.part_above(depth)],
            }
        }
        match node {
            Node::Few(members) => found.members(members),
            Node::Many(parts) => {
                for (number, part) in parts.nodes.iter().enumerate() {
                    if part.len() > 0 {
                        found.part(id.part(number), part.len());
                    }
                }
            }
        }
    }
}

/// The receiver of the parts and the clients of a node.
pub(crate) trait Found {
    fn members(&mut self, members: &[Member]);
    /// A part, and how many clients it holds.
    fn part(&mut self, part: NodeId, clients: usize);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const TILE: Cell = Cell {
        row: 64 * 3,
        column: 64 * 500,
    };

    /// Everything below a node, with multiplicity, and how many nodes hold clients.
    #[derive(Default)]
    struct All {
        members: Model,
        parts: Vec<NodeId>,
    }

    impl Found for All {
        fn members(&mut self, members: &[Member]) {
            for &member in members {
                let key = (member.hash(), knot_of(member));
                *self.members.entry(key).or_default() += 1;
            }
        }

        fn part(&mut self, part: NodeId, _clients: usize) {
            self.parts.push(part);
        }
    }

    fn all(node: &Node, from: NodeId) -> Model {
        let mut all = All::default();
        all.parts.push(from);
        while let Some(part) = all.parts.pop() {
            node.look(part, &mut all);
        }
        all.members
    }

    fn leaves(node: &Node) -> i32 {
        let mut count = 0;
        node.each_few(&mut |few| count += i32::from(!few.is_empty()));
        count
    }

    /// A knot in the cell of this number in the tile.
    fn knot(cell: u16, within: u32) -> QuantizedLocation {
        let row = u32::from(TILE.row + cell % 64) << CELL_KNOT_BITS;
        let column = u32::from(TILE.column + cell / 64 % 64) << CELL_KNOT_BITS;
        QuantizedLocation::new(row | (within % 32), column | (within / 32 % 32))
    }

    /// The row and the column of a member.
    fn knot_of(member: Member) -> (u32, u32) {
        let at = member.at(TILE);
        (at.row(), at.column())
    }

    fn member((hash, (row, column)): (u64, (u32, u32))) -> Member {
        Member::new(hash, QuantizedLocation::new(row, column))
    }

    /// Hashes and knots, and how often each is there.
    type Model = BTreeMap<(u64, (u32, u32)), usize>;

    /// Takes one out of a model that is not empty.
    fn take_out(model: &mut Model, number: u64) -> (u64, (u32, u32)) {
        let (&key, _) = model.iter().nth(number as usize % model.len()).unwrap();
        let count = model.get_mut(&key).unwrap();
        *count -= 1;
        if *count == 0 {
            model.remove(&key);
        }
        key
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_node_holds_what_was_put_in_and_not_taken_out(
            // Few cells, so that crowds are divided; some hashes that begin alike.
            steps in prop::collection::vec((any::<u64>(), 0_u16..9, 0_u32..1_024, 0..5), 0..3_000),
            alike in any::<bool>(),
        ) {
            let mut node = Node::EMPTY;
            let mut model = Model::default();
            let mut grown = 0;
            for (hash, place, within, step) in steps {
                let hash = if alike { hash & !0xfff } else { hash };
                let entering = Member::new(hash, knot(place * place * 50, within));
                if step < 2 || model.is_empty() {
                    grown += node.insert(entering);
                    *model.entry((hash, knot_of(entering))).or_default() += 1;
                } else if step == 2 {
                    let from = take_out(&mut model, hash);
                    let to = Member::new(from.0, entering.at(TILE));
                    grown += node.relocate(member(from), to).unwrap();
                    *model.entry((from.0, knot_of(to))).or_default() += 1;
                } else {
                    // Many at a time, so that nodes become one again.
                    for _ in 0..(hash % 3).min(model.len() as u64) {
                        grown += node.remove(member(take_out(&mut model, hash))).unwrap();
                    }
                }
            }
            prop_assert_eq!(grown, leaves(&node));
            prop_assert_eq!(node.len(), model.values().sum::<usize>());
            prop_assert_eq!(all(&node, NodeId::tile(TILE)), model);
            let absent = Member::new(1, knot(4_095, 0));
            prop_assert!(node.remove(absent).is_none());
            prop_assert!(node.relocate(absent, Member::new(1, knot(0, 0))).is_none());
        }
    }

    #[test]
    fn a_crowd_in_one_cell_is_divided_and_found_by_parts() {
        let mut node = Node::EMPTY;
        let at = knot(77, 500);
        let hash = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for number in 0..100_000 {
            node.insert(Member::new(hash(number), at));
        }
        let mut piece = All::default();
        node.look(NodeId::tile(TILE), &mut piece);
        assert_eq!((piece.parts.len(), piece.members.len()), (1, 0));
        let mut largest = 0;
        while let Some(part) = piece.parts.pop() {
            let before = piece.members.len();
            node.look(part, &mut piece);
            largest = largest.max(piece.members.len() - before);
        }
        assert_eq!(piece.members.len(), 100_000);
        assert!(largest <= FEW_MAX, "{largest}");
        for number in 0..100_000 {
            assert!(node.remove(Member::new(hash(number), at)).is_some());
        }
        assert!(matches!(&node, Node::Few(members) if members.capacity() < 8));
    }

    #[test]
    fn a_part_is_found_though_nodes_have_become_one_again() {
        let mut node = Node::EMPTY;
        let hash = |number: u64| number << 40 | number;
        for number in 0..300 {
            node.insert(Member::new(
                hash(number),
                knot(number as u16 * 13, number as u32),
            ));
        }
        let mut found = All::default();
        node.look(NodeId::tile(TILE), &mut found);
        let parts = found.parts;
        assert!(parts.len() > 10);
        for number in 20..300 {
            node.remove(Member::new(
                hash(number),
                knot(number as u16 * 13, number as u32),
            ));
        }
        assert!(matches!(node, Node::Few(_)));
        let mut seen = 0;
        for part in parts {
            seen += all(&node, part).len();
        }
        assert_eq!(seen, 20);
    }
}
