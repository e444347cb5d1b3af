//! Names for a map: the largest settlements in view, from the embedded table.

use std::collections::HashMap;
use std::sync::OnceLock;

use herd_crdt::Coordinates;
use serde::Serialize;

use super::embedded::embedded_table;
use super::table::{PlaceRow, Table};

/// GeoNames ids of the settlements with the most inhabitants, the largest first: 4 bytes each, the lowest first.
/// `tools/places` makes it.
static BY_INHABITANTS: &[u8] = include_bytes!("../data/settlements.rank");

/// How far from the middle of a view small settlements are looked for, in metres.
const SMALL_WITHIN_M: f64 = 30_000.0;

/// Only a view less high than this, in degrees, shows small settlements.
const SMALL_DEGREES_MAX: f64 = 1.0;

/// A part of the earth; if its west is further east than its east, it reaches over the 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapView {
    /// South and north, in degrees.
    pub latitudes: (f64, f64),
    /// West and east, in degrees.
    pub longitudes: (f64, f64),
}

/// A name on a map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapName {
    /// The name.
    pub name: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// Settlements in the order of their inhabitants. Arranged when the first name is asked for, which reads all of the
/// table once.
#[derive(Debug, Default)]
pub struct MapNames {
    arranged: OnceLock<Option<Arranged>>,
}

#[derive(Debug)]
struct Arranged {
    table: Table,
    /// The rows of the largest settlements with their places, the largest first.
    largest: Vec<(u32, Coordinates)>,
}

impl MapView {
    fn contains(&self, at: Coordinates) -> bool {
        let (west, east) = self.longitudes;
        let longitude = at.longitude_degrees;
        let between = match west <= east {
            true => (west..=east).contains(&longitude),
            false => longitude >= west || longitude <= east,
        };
        let (south, north) = self.latitudes;
        between && (south..=north).contains(&at.latitude_degrees)
    }

    fn middle(&self) -> Coordinates {
        let ((south, north), (west, east)) = (self.latitudes, self.longitudes);
        let east = if west <= east { east } else { east + 360.0 };
        let longitude = (west + east) / 2.0;
        Coordinates {
            latitude_degrees: (south + north) / 2.0,
            longitude_degrees: if longitude > 180.0 {
                longitude - 360.0
            } else {
                longitude
            },
        }
    }
}

impl MapNames {
    /// The names of at most `names_max` settlements in view, the most important first. The first call takes some tens
    /// of milliseconds.
    #[must_use]
    pub fn in_view(&self, view: &MapView, names_max: usize) -> Vec<MapName> {
        let arranged = self
            .arranged
            .get_or_init(|| embedded_table().ok().map(Arranged::of));
        let Some(Arranged { table, largest }) = arranged else {
            return Vec::new();
        };
        let in_view = largest.iter().filter(|(_, at)| view.contains(*at));
        let mut rows: Vec<u32> = in_view.take(names_max).map(|&(row, _)| row).collect();
        if view.latitudes.1 - view.latitudes.0 <= SMALL_DEGREES_MAX && rows.len() < names_max {
            let near = table.nearest(view.middle(), SMALL_WITHIN_M, names_max);
            for found in near {
                let in_view = table.place(found.row).is_some_and(|place| {
                    view.contains(coordinates(&place)) && place.type_words().any(is_settlement)
                });
                if in_view && !rows.contains(&found.row) {
                    rows.push(found.row);
                }
            }
            rows.truncate(names_max);
        }
        let places = rows.into_iter().filter_map(|row| table.place(row));
        places.map(|place| name_of(&place)).collect()
    }
}

impl Arranged {
    fn of(table: Table) -> Self {
        let (numbers, _) = BY_INHABITANTS.as_chunks::<4>();
        let ranks = numbers.iter().enumerate();
        let rank_of: HashMap<u32, usize> = ranks
            .map(|(rank, number)| (u32::from_le_bytes(*number), rank))
            .collect();
        let mut ranked: Vec<(usize, u32, Coordinates)> = (0..table.row_count())
            .filter_map(|row| {
                let place = table.place(row)?;
                let number = place.id().strip_prefix("gn:")?.parse().ok()?;
                Some((*rank_of.get(&number)?, row, coordinates(&place)))
            })
            .collect();
        ranked.sort_unstable_by_key(|&(rank, ..)| rank);
        let largest = ranked.into_iter().map(|(_, row, at)| (row, at)).collect();
        Arranged { table, largest }
    }
}

fn is_settlement(word: &str) -> bool {
    word == "locality"
}

fn coordinates(place: &PlaceRow<'_>) -> Coordinates {
    Coordinates {
        latitude_degrees: place.latitude_degrees,
        longitude_degrees: place.longitude_degrees,
    }
}

fn name_of(place: &PlaceRow<'_>) -> MapName {
    MapName {
        name: place.name.to_owned(),
        latitude: place.latitude_degrees,
        longitude: place.longitude_degrees,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(latitudes: (f64, f64), longitudes: (f64, f64), names_max: usize) -> Vec<String> {
        let view = MapView {
            latitudes,
            longitudes,
        };
        let names = MapNames::default().in_view(&view, names_max);
        names.into_iter().map(|name| name.name).collect()
    }

    #[test]
    fn every_ranked_settlement_is_in_the_table() {
        let arranged = Arranged::of(embedded_table().unwrap());
        assert_eq!(arranged.largest.len() * 4, BY_INHABITANTS.len());
    }

    #[test]
    fn the_largest_settlements_of_a_view_are_named_first() {
        let country = names((59.5, 70.1), (20.5, 31.5), 3);
        assert!(country.contains(&"Helsinki".to_owned()), "{country:?}");
        let city = names((60.1, 60.3), (24.8, 25.1), 40);
        assert_eq!(city[0], "Helsinki");
        assert!(city.len() > 20, "small ones follow: {city:?}");
        let distinct: std::collections::BTreeSet<&String> = city.iter().collect();
        assert!(distinct.len() + 3 > city.len());
    }

    #[test]
    fn a_view_may_reach_over_the_180th_meridian() {
        let fiji = names((-20.0, -15.0), (175.0, -178.0), 5);
        assert!(fiji.contains(&"Suva".to_owned()), "{fiji:?}");
        assert!(names((-60.0, -55.0), (-130.0, -120.0), 5).is_empty());
    }
}
