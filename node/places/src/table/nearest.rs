//! The places nearest to a point.

use std::cmp::Ordering;
use std::ops::Range;

use herd_crdt::Coordinates;

use super::super::sphere::{Circle, haversine_to_metres, to_degrees};
use super::layout::{Section, band_of};
use super::read::Table;

/// A place that a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearbyRow {
    /// Its row, for [`Table::place`].
    pub row: u32,
    /// How far from the centre it is, in metres.
    pub distance_m: f64,
}

#[derive(Clone, Copy)]
struct Candidate {
    haversine: f64,
    row: u32,
}

/// The best places so far, nearest first, ties by id. A sorted list: it holds at most 20 in the
/// server, where it is faster than a heap, and most candidates are turned away by its last one.
struct Nearest<'a> {
    table: &'a Table,
    count_max: usize,
    candidates: Vec<Candidate>,
    /// The maximal haversine of a candidate.
    haversine_max: f64,
}

impl Table {
    /// The places within `radius_m` metres of `center`, nearest first, ties by id, at most
    /// `count_max`. None if a number in the question is no number.
    #[must_use]
    pub fn nearest(&self, center: Coordinates, radius_m: f64, count_max: usize) -> Vec<NearbyRow> {
        let Some(circle) = Circle::new(center, radius_m) else {
            return Vec::new();
        };
        if count_max == 0 {
            return Vec::new();
        }
        let mut nearest = Nearest {
            table: self,
            count_max,
            candidates: Vec::new(),
            haversine_max: circle.haversine_max(),
        };
        let window = circle.window();
        let (south, north) = window.latitudes;
        let height = self.band_height_units;
        for band in band_of(south, height)..=band_of(north, height) {
            let rows = self.band_rows(band);
            for (west, east) in window.longitudes.into_iter().flatten() {
                let rows = self.rows_between(rows.clone(), west, east);
                self.scan(rows, south, north, &circle, &mut nearest);
            }
        }
        nearest
            .candidates
            .into_iter()
            .map(|candidate| NearbyRow {
                row: candidate.row,
                distance_m: haversine_to_metres(candidate.haversine),
            })
            .collect()
    }

    /// The rows of a band whose longitude lies in `west..=east`.
    fn rows_between(&self, rows: Range<u32>, west: i32, east: i32) -> Range<u32> {
        let first = self.first_row_where(rows.clone(), |longitude| longitude >= west);
        first..self.first_row_where(first..rows.end, |longitude| longitude > east)
    }

    fn first_row_where(&self, rows: Range<u32>, reached: impl Fn(i32) -> bool) -> u32 {
        let Range { mut start, mut end } = rows;
        while start < end {
            let middle = start + (end - start) / 2;
            if self.longitude_units(middle).is_none_or(&reached) {
                end = middle;
            } else {
                start = middle + 1;
            }
        }
        start
    }

    fn scan(
        &self,
        rows: Range<u32>,
        south: i32,
        north: i32,
        circle: &Circle,
        nearest: &mut Nearest<'_>,
    ) {
        let bytes = rows.start as usize * 4..rows.end as usize * 4;
        let latitudes = self.section(Section::Latitudes).get(bytes.clone());
        let longitudes = self.section(Section::Longitudes).get(bytes);
        let (latitudes, _) = latitudes.unwrap_or_default().as_chunks::<4>();
        let (longitudes, _) = longitudes.unwrap_or_default().as_chunks::<4>();
        for (row, (latitude, longitude)) in rows.zip(latitudes.iter().zip(longitudes)) {
            let latitude = i32::from_le_bytes(*latitude);
            if latitude < south || latitude > north {
                continue;
            }
            let longitude = i32::from_le_bytes(*longitude);
            nearest.offer(Candidate {
                haversine: circle.haversine_to(to_degrees(latitude), to_degrees(longitude)),
                row,
            });
        }
    }
}

impl Nearest<'_> {
    fn offer(&mut self, candidate: Candidate) {
        if candidate.haversine > self.haversine_max {
            return;
        }
        let position = self
            .candidates
            .partition_point(|better| self.order(better, &candidate).is_lt());
        if position >= self.count_max {
            return;
        }
        self.candidates.truncate(self.count_max - 1);
        self.candidates.insert(position, candidate);
        if self.candidates.len() == self.count_max
            && let Some(last) = self.candidates.last()
        {
            self.haversine_max = last.haversine;
        }
    }

    fn order(&self, a: &Candidate, b: &Candidate) -> Ordering {
        a.haversine.total_cmp(&b.haversine).then_with(|| {
            match (self.table.place(a.row), self.table.place(b.row)) {
                (Some(a), Some(b)) => a.id_order(&b),
                // Damaged rows are no places; after those that are.
                (a, b) => b.is_some().cmp(&a.is_some()),
            }
        })
    }
}
