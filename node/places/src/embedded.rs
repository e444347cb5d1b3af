//! The provider that always works: it answers from a table, without key or network.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;

use super::provider::{NearbyQuery, Places, zero_results};
use super::reply::{Geometry, LatLng, NearbyReply, Place, ReplyStatus};
use super::table::{PlaceRow, Table, TableError};

/// Settlements from GeoNames and airports from airportsdata; `tools/places` makes it.
static EMBEDDED_TABLE: &[u8] = include_bytes!("../data/places.table");

/// Answers from tables of places: the embedded one, another, or both.
#[derive(Clone, Debug)]
pub struct EmbeddedPlaces {
    tables: Vec<Table>,
}

/// A place of one of the tables.
struct TableCandidate<'a> {
    distance_m: f64,
    table_index: usize,
    row: PlaceRow<'a>,
}

impl EmbeddedPlaces {
    /// Over the table that is a part of the program. It is read in place, and nothing is built.
    ///
    /// # Errors
    /// Only if the program itself is damaged.
    pub fn new() -> Result<Self, TableError> {
        embedded_table().map(Self::with_table)
    }

    /// Over another table.
    #[must_use]
    pub fn with_table(table: Table) -> Self {
        EmbeddedPlaces {
            tables: vec![table],
        }
    }

    /// Over several tables. Of places with one id, the nearer is taken.
    #[must_use]
    pub fn with_tables(tables: Vec<Table>) -> Self {
        EmbeddedPlaces { tables }
    }

    /// The tables that it answers from.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The JSON of [`EmbeddedPlaces::reply`].
    #[must_use]
    pub fn answer(&self, query: &NearbyQuery, note: Option<&str>) -> Bytes {
        let reply = self.reply(query, note);
        if reply.results.is_empty() && note.is_none() {
            return zero_results();
        }
        reply.to_json()
    }

    /// The reply to a question, with something else that its reader should know.
    #[must_use]
    pub fn reply<'a>(&'a self, query: &NearbyQuery, note: Option<&'a str>) -> NearbyReply<'a> {
        // A circle without an inside holds nothing, even where a place lies at its very centre.
        let rows = if query.radius_m > 0.0 {
            self.nearest(query)
        } else {
            Vec::new()
        };
        NearbyReply {
            html_attributions: self.attributions(&rows),
            status: if rows.is_empty() {
                ReplyStatus::ZeroResults
            } else {
                ReplyStatus::Ok
            },
            results: rows.iter().map(|found| to_place(&found.row)).collect(),
            info_messages: note.into_iter().map(Cow::from).collect(),
            ..NearbyReply::default()
        }
    }

    fn nearest(&self, query: &NearbyQuery) -> Vec<TableCandidate<'_>> {
        let mut found = Vec::new();
        for (table_index, table) in self.tables.iter().enumerate() {
            let nearest = table.nearest(query.center, query.radius_m, query.results_max);
            found.extend(nearest.iter().filter_map(|found| {
                Some(TableCandidate {
                    distance_m: found.distance_m,
                    table_index,
                    row: table.place(found.row)?,
                })
            }));
        }
        if self.tables.len() > 1 {
            merge(&mut found);
            found.truncate(query.results_max);
        }
        found
    }

    /// The attributions of the sources of these places, in the order of the tables' sources.
    fn attributions(&self, rows: &[TableCandidate<'_>]) -> Vec<Cow<'_, str>> {
        let mut attributions: Vec<Cow<'_, str>> = Vec::new();
        for (table_index, table) in self.tables.iter().enumerate() {
            for (source_index, source) in table.sources().iter().enumerate() {
                let contributed = rows.iter().any(|found| {
                    found.table_index == table_index && found.row.source_index == source_index
                });
                let text = source.attribution_html.as_str();
                if contributed && !text.is_empty() && !attributions.iter().any(|a| a == text) {
                    attributions.push(text.into());
                }
            }
        }
        attributions
    }
}

/// The table that is a part of the program.
///
/// # Errors
/// Only if the program itself is damaged.
pub fn embedded_table() -> Result<Table, TableError> {
    Table::open(Bytes::from_static(EMBEDDED_TABLE))
}

/// Orders places of several tables, and leaves out places whose id a nearer one has.
fn merge(found: &mut Vec<TableCandidate<'_>>) {
    found.sort_by(|a, b| {
        let by_distance = a.distance_m.total_cmp(&b.distance_m);
        by_distance.then_with(|| a.row.id().cmp(&b.row.id()))
    });
    let mut ids: HashSet<String> = HashSet::with_capacity(found.len());
    found.retain(|candidate| ids.insert(candidate.row.id()));
}

fn to_place<'a>(row: &PlaceRow<'a>) -> Place<'a> {
    Place {
        geometry: Geometry {
            location: LatLng {
                lat: row.latitude_degrees,
                lng: row.longitude_degrees,
            },
            viewport: None,
        },
        name: row.name.into(),
        place_id: row.id().into(),
        types: row.type_words().map(Cow::from).collect(),
        vicinity: row.vicinity.map(Cow::from),
        ..Place::default()
    }
}

#[async_trait::async_trait]
impl Places for EmbeddedPlaces {
    fn nearby_at_once(&self, query: &NearbyQuery) -> Option<Bytes> {
        Some(self.answer(query, None))
    }

    async fn nearby(&self, query: NearbyQuery) -> Bytes {
        self.answer(&query, None)
    }
}

#[cfg(test)]
mod tests;
