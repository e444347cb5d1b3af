//! How many clients are in each square, and the records of some of them.

use herd_crdt::Record;
use herd_grid::Census;

use super::Locations;

/// Records that are looked up together.
const BATCH: usize = 8;

impl Locations {
    /// Carries on a census by about `piece` clients; says whether it is over. The first one of all makes the index, in
    /// such pieces too.
    pub fn carry_on_census(&self, census: &mut Census, piece: usize) -> bool {
        self.carry_on_indexing(piece) && census.carry_on(&self.grid, piece)
    }

    /// Shows the current records of the clients with these hashes, a few shards being locked: `take` has to be quick.
    /// Sorts the hashes.
    pub fn look_up(&self, hashes: &mut [u64], mut take: impl FnMut(u64, &Record)) {
        let floor_ns = self.floor_ns();
        hashes.sort_unstable_by_key(|&hash| super::sharded::shard_of(hash));
        for batch in hashes.chunks_mut(BATCH) {
            self.with_shards_of(batch, |shard, hash| {
                for record in shard.map.with_hash(hash) {
                    if record.time().ns() >= floor_ns {
                        take(hash, record);
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use herd_grid::Window;

    #[test]
    fn a_census_names_clients_whose_records_are_looked_up() {
        let locations = Locations::default();
        for number in 0..100 {
            let (client, location) = (format!("van{number}"), format!("+{}.5+10", number % 50));
            let record = Record::new(
                client.as_bytes(),
                location.as_bytes(),
                b"1",
                "Hill".into(),
                0,
            );
            locations.report(record.unwrap());
        }
        let north = Window::new((20.0, 90.0), (-180.0, 180.0));
        let mut census = Census::new(north, 12, 500);
        let mut pieces = 0;
        while !locations.carry_on_census(&mut census, 10) {
            pieces += 1;
        }
        assert!(pieces > 10, "the index is made in pieces: {pieces}");
        let mut hashes = census.all().unwrap().to_vec();
        let mut seen = BTreeMap::new();
        locations.look_up(&mut hashes, |hash, record| {
            seen.insert(hash, record.client().to_vec());
        });
        assert_eq!(seen.len(), 60);
        assert!(seen.iter().all(|(&hash, id)| locations.hash_of(id) == hash));
    }
}
