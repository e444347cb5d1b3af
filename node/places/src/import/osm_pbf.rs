//! Reads places from an OpenStreetMap extract (`.osm.pbf`) into a table.
//!
//! A place is a node, way or relation with a name and one of the keys that `osm_tags` lists. A way or relation stands
//! at the middle of the box around its nodes, as Overpass has it, if they are all there. An extract has nodes first,
//! so it is read three times: for relations, for ways, and for nodes. The memory between the passes grows with the
//! places, not with the extract.

use std::collections::HashMap;
use std::io::Read;

use super::super::osm_tags::{ATTRIBUTION, ID_PREFIX, NODE_KEYS, OsmTags, outline_keys};
use super::super::source::Source;
use super::super::table::{NewPlace, TableWriter};
use super::error::ImportError;
use super::extent::Extent;
use super::report::{BadRowReason, ImportReport, RowPlace};

mod blobs;
mod elements;
mod messages;

use blobs::{Blobs, Block};
use elements::{Element, MemberKind, for_each_element};

/// The most points of outlines that are kept: 512 MiB of them.
pub(super) const POINTS_MAX: usize = 32 * 1024 * 1024;

/// The features of extracts that this program supports.
const FEATURES_KNOWN: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];

/// OpenStreetMap as a source, with the date of the extract if it names one.
///
/// # Errors
/// If `input` does not begin as an extract does, or needs an unsupported feature.
pub fn osm_source(input: impl Read) -> Result<Source, ImportError> {
    let version = match Blobs::new(input).next().transpose()? {
        Some(Block::Header(header)) => {
            let unknown = header
                .required_features
                .iter()
                .find(|feature| !FEATURES_KNOWN.contains(&feature.as_str()));
            if let Some(feature) = unknown {
                return Err(ImportError::OsmFeature(feature.clone()));
            }
            header.replication_timestamp.and_then(date)
        }
        _ => return Err(ImportError::NotOsmPbf("it has no header".to_owned())),
    };
    Ok(Source {
        key: "osm".to_owned(),
        name: "OpenStreetMap".to_owned(),
        version: version.unwrap_or_default(),
        licence: "ODbL 1.0".to_owned(),
        url: "https://www.openstreetmap.org/copyright".to_owned(),
        attribution_html: ATTRIBUTION.to_owned(),
        id_prefix: ID_PREFIX.to_owned(),
    })
}

/// The last second of the year 9999, the last that has a text.
const DATE_S_MAX: u64 = 253_402_300_799;

/// Seconds since 1970 as a text.
fn date(timestamp_s: i64) -> Option<String> {
    let seconds = u64::try_from(timestamp_s)
        .ok()
        .filter(|&s| s <= DATE_S_MAX)?;
    let time = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds))?;
    Some(humantime::format_rfc3339_seconds(time).to_string())
}

/// Reads all places of an extract into `writer`, as places of its first source. `open` opens the
/// extract; it is called three times.
///
/// # Errors
/// Says why nothing more can be read.
pub fn import_osm_pbf<R: Read>(
    mut open: impl FnMut() -> std::io::Result<R>,
    writer: &mut TableWriter,
) -> Result<ImportReport, ImportError> {
    let prefix = writer
        .sources()
        .first()
        .map(|source| source.id_prefix.clone());
    let mut import = OsmImport {
        writer,
        prefix: prefix.unwrap_or_default(),
        report: ImportReport::default(),
        outlines: Outlines::default(),
    };
    for_each_block_element(open()?, |element| import.relation(element))?;
    for_each_block_element(open()?, |element| import.way(element))?;
    import.outlines.close();
    for_each_block_element(open()?, |element| import.node(element))?;
    import.finish()
}

fn for_each_block_element(
    input: impl Read,
    mut take: impl FnMut(Element<'_>) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    for block in Blobs::new(input) {
        match block? {
            Block::Data(data) => for_each_element(&data, &mut take)?,
            Block::Header(_) | Block::Unknown => {}
        }
    }
    Ok(())
}

struct OsmImport<'a> {
    writer: &'a mut TableWriter,
    prefix: String,
    report: ImportReport,
    outlines: Outlines,
}

/// The ways and relations that are places, and the members that their positions depend on.
#[derive(Default)]
struct Outlines {
    places: Vec<Outline>,
    /// The relations that a way belongs to, by the way's id.
    ways: HashMap<i64, Vec<u32>>,
    /// Nodes, each with a place that it belongs to.
    points: Vec<(i64, u32)>,
    /// For each of the points whether it was found.
    found: Vec<bool>,
}

struct Outline {
    element: String,
    tags: OsmTags,
    extent: Extent,
    /// Some of its members are not in the extract.
    is_incomplete: bool,
}

impl Outline {
    fn position(&self) -> Result<(f64, f64), BadRowReason> {
        match self.extent.middle() {
            None => Err(BadRowReason::PointsMissing),
            Some(_) if self.is_incomplete => Err(BadRowReason::PointsIncomplete),
            Some(middle) => Ok(middle),
        }
    }
}

impl Outlines {
    fn add(&mut self, element: String, tags: OsmTags) -> Result<u32, ImportError> {
        let index = u32::try_from(self.places.len()).map_err(|_| ImportError::TooManyPoints)?;
        self.places.push(Outline {
            element,
            tags,
            extent: Extent::default(),
            is_incomplete: false,
        });
        Ok(index)
    }

    fn note_incomplete(&mut self, place: u32) {
        if let Some(outline) = self.places.get_mut(place as usize) {
            outline.is_incomplete = true;
        }
    }

    /// All ways were read: the missing ones are not in the extract.
    fn close(&mut self) {
        for place in std::mem::take(&mut self.ways).into_values().flatten() {
            self.note_incomplete(place);
        }
        self.points.sort_unstable();
        self.points.dedup();
        self.found = vec![false; self.points.len()];
    }

    /// A node was met.
    fn locate(&mut self, node: i64, (latitude, longitude): (f64, f64)) {
        let first = self.points.partition_point(|&(point, _)| point < node);
        let points = self.points.get(first..).unwrap_or_default();
        let found = self.found.get_mut(first..).unwrap_or_default();
        let points = points.iter().zip(found);
        for (&(_, place), found) in points.take_while(|((point, _), _)| *point == node) {
            *found = true;
            if let Some(outline) = self.places.get_mut(place as usize) {
                outline.extent.add(Extent::of_point(latitude, longitude));
            }
        }
    }

    /// All nodes were seen.
    fn finish(mut self) -> Vec<Outline> {
        for (point, found) in std::mem::take(&mut self.points)
            .into_iter()
            .zip(&self.found)
        {
            if !found && let Some(outline) = self.places.get_mut(point.1 as usize) {
                outline.is_incomplete = true;
            }
        }
        self.places
    }

    fn add_points(
        &mut self,
        nodes: impl Iterator<Item = Option<i64>>,
        place: u32,
    ) -> Result<(), ImportError> {
        for node in nodes {
            let Some(node) = node else {
                self.note_incomplete(place);
                continue;
            };
            if self.points.len() >= POINTS_MAX {
                return Err(ImportError::TooManyPoints);
            }
            self.points.push((node, place));
        }
        Ok(())
    }
}

impl OsmImport<'_> {
    fn relation(&mut self, element: Element<'_>) -> Result<(), ImportError> {
        let Element::Relation { id, tags, members } = element else {
            return Ok(());
        };
        let Some(tags) = OsmTags::read(outline_keys(), |key| tags.get(key)) else {
            return Ok(());
        };
        let place = self.outlines.add(format!("relation/{id}"), tags)?;
        for (kind, member) in members {
            match kind {
                MemberKind::Way => match member {
                    Some(way) => self.outlines.ways.entry(way).or_default().push(place),
                    None => self.outlines.note_incomplete(place),
                },
                MemberKind::Node => {
                    self.outlines.add_points(std::iter::once(member), place)?;
                }
                MemberKind::Relation => {}
            }
        }
        Ok(())
    }

    fn way(&mut self, element: Element<'_>) -> Result<(), ImportError> {
        let Element::Way { id, tags, nodes } = element else {
            return Ok(());
        };
        if let Some(tags) = OsmTags::read(outline_keys(), |key| tags.get(key)) {
            let place = self.outlines.add(format!("way/{id}"), tags)?;
            self.outlines.add_points(nodes.clone(), place)?;
        }
        for place in self.outlines.ways.remove(&id).unwrap_or_default() {
            self.outlines.add_points(nodes.clone(), place)?;
        }
        Ok(())
    }

    fn node(&mut self, element: Element<'_>) -> Result<(), ImportError> {
        let Element::Node { id, tags, position } = element else {
            return Ok(());
        };
        if let (Some(id), Some(position)) = (id, position) {
            self.outlines.locate(id, position);
        }
        let Some(tags) = OsmTags::read(&NODE_KEYS, |key| tags.get(key)) else {
            return Ok(());
        };
        let position = position.ok_or(BadRowReason::NoPosition);
        match id {
            Some(id) => self.take(format!("node/{id}"), &tags, position),
            None => {
                let unnamed = RowPlace::Element("a node without an id".to_owned());
                self.report.note(unnamed, Err(BadRowReason::NoPosition))
            }
        }
    }

    /// Takes the ways and relations, whose positions are known now.
    fn finish(mut self) -> Result<ImportReport, ImportError> {
        for outline in std::mem::take(&mut self.outlines).finish() {
            let position = outline.position();
            self.take(outline.element, &outline.tags, position)?;
        }
        Ok(self.report)
    }

    fn take(
        &mut self,
        element: String,
        tags: &OsmTags,
        position: Result<(f64, f64), BadRowReason>,
    ) -> Result<(), ImportError> {
        let result = match position {
            Err(reason) => Err(reason),
            Ok((latitude_degrees, longitude_degrees)) => {
                let types: Vec<&str> = tags.types.iter().map(String::as_str).collect();
                let place = NewPlace {
                    id: &format!("{}{element}", self.prefix),
                    name: &tags.name,
                    latitude_degrees,
                    longitude_degrees,
                    types: &types,
                    vicinity: &tags.vicinity,
                    source_index: 0,
                };
                self.writer.add(&place).map_err(BadRowReason::from)
            }
        };
        self.report.note(RowPlace::Element(element), result)
    }
}

#[cfg(test)]
mod tests;
