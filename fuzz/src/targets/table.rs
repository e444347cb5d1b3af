//! Tables of places, which are read in place: a damaged one may give wrong places.

use bytes::Bytes;
use herd_crdt::Coordinates;
use herd_places::table::Table;

pub(super) fn run(bytes: &[u8]) {
    let Ok(table) = Table::open(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let _ = table.verify();
    for row in 0..table.row_count().min(100) {
        if let Some(place) = table.place(row) {
            let _ = (place.id(), place.type_words().count());
        }
    }
    for latitude_degrees in [-90.0, 0.0, 34.07] {
        let center = Coordinates {
            latitude_degrees,
            longitude_degrees: -118.44,
        };
        assert!(table.nearest(center, 50_000.0, 20).len() <= 20);
    }
}
