//! Reads a whole table and checks it.

use super::super::sphere::{LATITUDE_UNITS_MAX, LONGITUDE_UNITS_MAX};
use super::error::{TableError, damaged};
use super::layout::{CHECKED_OFFSET, band_count, band_of};
use super::read::Table;

impl Table {
    /// Checks the checksum and every row.
    ///
    /// # Errors
    /// If something is damaged.
    pub fn verify(&self) -> Result<(), TableError> {
        let checked = self.bytes().get(CHECKED_OFFSET..).unwrap_or_default();
        let (expected, found) = (self.checksum(), crc32fast::hash(checked));
        if expected != found {
            return Err(TableError::Checksum { expected, found });
        }
        let mut next = 0;
        for band in 0..band_count(self.band_height_units) {
            let rows = self.band_rows(band);
            if rows.start != next {
                return Err(damaged("the bands do not follow each other"));
            }
            next = rows.end;
            let mut west = i32::MIN;
            for row in rows {
                let longitude = self.longitude_units(row).unwrap_or(i32::MIN);
                if longitude < west || longitude.unsigned_abs() > LONGITUDE_UNITS_MAX as u32 {
                    return Err(damaged("a longitude is out of order or out of range"));
                }
                west = longitude;
                self.verify_row(row, band)?;
            }
        }
        if next != self.row_count() {
            return Err(damaged("the bands do not cover all rows"));
        }
        Ok(())
    }

    fn verify_row(&self, row: u32, band: u32) -> Result<(), TableError> {
        let latitude = self.latitude_units(row).unwrap_or(i32::MIN);
        if latitude.unsigned_abs() > LATITUDE_UNITS_MAX as u32
            || band_of(latitude, self.band_height_units) != band
        {
            return Err(damaged("a latitude lies outside its band"));
        }
        match self.place(row) {
            Some(_) => Ok(()),
            None => Err(damaged("the details of a place cannot be read")),
        }
    }
}
