//! The elements of a block. Numbers that are missing or out of range give no position and no id, and never a panic.

use super::super::error::ImportError;
use super::messages::{DenseNodes, PrimitiveBlock, Relation};

const NANODEGREES_PER_DEGREE: f64 = 1e9;
const GRANULARITY_USUAL: i32 = 100;

/// One element.
pub(super) enum Element<'a> {
    Node {
        /// `None` if the block does not say it.
        id: Option<i64>,
        tags: Tags<'a>,
        /// Latitude and longitude in degrees; `None` if the block does not say both.
        position: Option<(f64, f64)>,
    },
    Way {
        id: i64,
        tags: Tags<'a>,
        nodes: Sums<'a>,
    },
    Relation {
        id: i64,
        tags: Tags<'a>,
        members: Members<'a>,
    },
}

/// The kind of a member of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    Node,
    Way,
    Relation,
}

/// The tags of an element.
#[derive(Clone, Copy)]
pub(super) struct Tags<'a> {
    texts: &'a [Vec<u8>],
    indexes: TagIndexes<'a>,
}

#[derive(Clone, Copy)]
enum TagIndexes<'a> {
    Columns(&'a [u32], &'a [u32]),
    Pairs(&'a [i32]),
}

impl<'a> Tags<'a> {
    /// The value of a key, if it is there and UTF-8.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        let is_key = |index: usize| self.texts.get(index).is_some_and(|k| k == key.as_bytes());
        let value_index = match self.indexes {
            TagIndexes::Columns(keys, values) => {
                let position = keys.iter().position(|&index| is_key(index as usize))?;
                usize::try_from(*values.get(position)?).ok()?
            }
            TagIndexes::Pairs(pairs) => {
                let (pairs, _) = pairs.as_chunks::<2>();
                let index = |index: i32| usize::try_from(index).unwrap_or(usize::MAX);
                let pair = pairs.iter().find(|pair| is_key(index(pair[0])))?;
                index(pair[1])
            }
        };
        std::str::from_utf8(self.texts.get(value_index)?).ok()
    }
}

/// The sums of a column of differences; `None` from where they do not fit.
#[derive(Clone)]
pub(super) struct Sums<'a> {
    differences: std::slice::Iter<'a, i64>,
    sum: Option<i64>,
}

impl<'a> Sums<'a> {
    fn of(differences: &'a [i64]) -> Self {
        Sums {
            differences: differences.iter(),
            sum: Some(0),
        }
    }
}

impl Iterator for Sums<'_> {
    type Item = Option<i64>;

    fn next(&mut self) -> Option<Self::Item> {
        let difference = *self.differences.next()?;
        self.sum = self.sum.and_then(|sum| sum.checked_add(difference));
        Some(self.sum)
    }
}

/// The members of a relation.
pub(super) struct Members<'a> {
    ids: Sums<'a>,
    kinds: std::slice::Iter<'a, i32>,
}

impl<'a> Members<'a> {
    fn of(relation: &'a Relation) -> Self {
        Members {
            ids: Sums::of(&relation.members),
            kinds: relation.member_kinds.iter(),
        }
    }
}

impl Iterator for Members<'_> {
    type Item = (MemberKind, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let id = self.ids.next()?;
            let kind = match self.kinds.next()? {
                0 => MemberKind::Node,
                1 => MemberKind::Way,
                2 => MemberKind::Relation,
                _ => continue,
            };
            return Some((kind, id));
        }
    }
}

/// Calls `take` with each element of a block.
pub(super) fn for_each_element(
    block: &PrimitiveBlock,
    take: &mut impl FnMut(Element<'_>) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let texts: &[Vec<u8>] = match &block.string_table {
        Some(table) => &table.texts,
        None => &[],
    };
    let tags = |indexes| Tags { texts, indexes };
    let position = |latitude: Option<i64>, longitude: Option<i64>| {
        let latitude = degrees(block, block.latitude_offset, latitude?)?;
        let longitude = degrees(block, block.longitude_offset, longitude?)?;
        Some((latitude, longitude))
    };
    for group in &block.groups {
        for node in &group.nodes {
            take(Element::Node {
                id: node.id,
                tags: tags(TagIndexes::Columns(&node.keys, &node.values)),
                position: position(node.latitude, node.longitude),
            })?;
        }
        if let Some(dense) = &group.dense {
            for node in dense_nodes(dense) {
                take(Element::Node {
                    id: node.id,
                    tags: tags(TagIndexes::Pairs(node.tag_pairs)),
                    position: position(node.latitude_units, node.longitude_units),
                })?;
            }
        }
        for way in &group.ways {
            take(Element::Way {
                id: way.id,
                tags: tags(TagIndexes::Columns(&way.keys, &way.values)),
                nodes: Sums::of(&way.nodes),
            })?;
        }
        for relation in &group.relations {
            take(Element::Relation {
                id: relation.id,
                tags: tags(TagIndexes::Columns(&relation.keys, &relation.values)),
                members: Members::of(relation),
            })?;
        }
    }
    Ok(())
}

/// One node of a dense group. A number is absent where its column is too short or overflows.
struct DenseNode<'a> {
    id: Option<i64>,
    latitude_units: Option<i64>,
    longitude_units: Option<i64>,
    /// Indexes of keys and values, in turn.
    tag_pairs: &'a [i32],
}

fn dense_nodes(dense: &DenseNodes) -> impl Iterator<Item = DenseNode<'_>> {
    // Columns may be shorter than that of the ids.
    let (mut latitudes, mut longitudes) = (Sums::of(&dense.latitudes), Sums::of(&dense.longitudes));
    let mut rest: &[i32] = &dense.keys_values;
    Sums::of(&dense.ids).map(move |id| {
        let (latitude_units, longitude_units) =
            (latitudes.next().flatten(), longitudes.next().flatten());
        // Keys and values stand at even and odd places; a 0 where a key should be ends a node.
        let mut end = 0;
        while rest.get(end).is_some_and(|&key| key != 0) {
            end += 2;
        }
        let tag_pairs = rest.get(..end).unwrap_or(rest);
        rest = rest.get(end + 1..).unwrap_or_default();
        DenseNode {
            id,
            latitude_units,
            longitude_units,
            tag_pairs,
        }
    })
}

/// Units as degrees; `None` if the number is beyond every place, or the units have no size.
fn degrees(block: &PrimitiveBlock, offset: Option<i64>, units: i64) -> Option<f64> {
    let granularity = i64::from(block.granularity.unwrap_or(GRANULARITY_USUAL));
    let nanodegrees = granularity
        .checked_mul(units)?
        .checked_add(offset.unwrap_or(0))?;
    (granularity > 0).then_some(nanodegrees as f64 / NANODEGREES_PER_DEGREE)
}
