//! The time that the clients' reports bear out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use herd_crdt::Record;

use super::Locations;

/// One client of this many has to have reported a time, or a later one, for the time to be borne out,
const CLIENTS_SHARE: usize = 10;

/// but never more clients than this,
const CLIENTS_MAX: usize = 1_000;

/// and of few clients this many, or more than half.
const CLIENTS_MIN: usize = 8;

impl Locations {
    /// The latest time that enough clients have reported, in nanoseconds since the epoch: a tenth of them, but 8 to
    /// 1,000; of fewer than 16 more than half, of two the one whose time is the lesser. So one client that is ahead
    /// carries nobody along. `None` if no client is known. Looks at every record; takes shard by shard, and lets other
    /// tasks run in between.
    pub async fn time_borne_out(&self) -> Option<i64> {
        let enough = enough(self.len());
        // The latest times, the earliest of them on top.
        let mut latest = BinaryHeap::with_capacity(enough + 1);
        for shard in &self.shards {
            // The time of a tombstone is a server's.
            let reported = |record: &&Record| !record.is_tombstone();
            for record in shard.lock().map.records().filter(reported) {
                latest.push(Reverse(record.time().ns()));
                if latest.len() > enough {
                    latest.pop();
                }
            }
            tokio::task::yield_now().await;
        }
        latest.pop().map(|Reverse(time_ns)| time_ns)
    }
}

/// The number of clients that are enough, of `clients`.
fn enough(clients: usize) -> usize {
    let of_few = clients / 2 + 1;
    let of_many = (clients / CLIENTS_SHARE).clamp(CLIENTS_MIN, CLIENTS_MAX);
    of_few.min(of_many).min(clients)
}

#[cfg(test)]
mod tests {
    use herd_crdt::NANOSECONDS_PER_SECOND;

    use super::*;

    async fn borne_out_s(times_s: &[i64]) -> Option<i64> {
        let locations = Locations::default();
        for (number, time_s) in times_s.iter().enumerate() {
            let (client, time) = (number.to_string(), time_s.to_string());
            let record = Record::new(
                client.as_bytes(),
                b"+1+1",
                time.as_bytes(),
                "Hill".into(),
                0,
            );
            locations.report(record.unwrap());
        }
        let borne_out_ns = locations.time_borne_out().await?;
        Some(borne_out_ns / NANOSECONDS_PER_SECOND)
    }

    #[tokio::test]
    async fn one_that_is_ahead_carries_nobody_along() {
        assert_eq!(borne_out_s(&[]).await, None);
        assert_eq!(borne_out_s(&[5]).await, Some(5));
        assert_eq!(borne_out_s(&[5, 900]).await, Some(5));
        assert_eq!(borne_out_s(&[900, 5, 4]).await, Some(5));
        assert_eq!(borne_out_s(&[4, 900, 5, 6]).await, Some(5));
        let mut many: Vec<i64> = (0..1_000).collect();
        assert_eq!(borne_out_s(&many).await, Some(900));
        many[3] = 1_000_000;
        assert_eq!(borne_out_s(&many).await, Some(901));
    }

    #[test]
    fn enough_are_neither_few_nor_all() {
        let of = [0, 1, 2, 3, 4, 15, 16, 79, 200, 9_999, 1_000_000].map(enough);
        assert_eq!(of, [0, 1, 2, 2, 3, 8, 8, 8, 20, 999, 1_000]);
    }
}
