//! Forgetting a client: a tombstone that is greater than the record that is there.

use herd_crdt::{BorrowedRecord, InvalidRecord, Operands, Outcome, ReportTime, ServerName};

use super::Reports;

/// A client that is to be forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Forget<'a> {
    /// The client ID: 1 to 8,192 bytes without white space.
    pub client: &'a [u8],
    /// The server that was told to: this one.
    pub server: &'a ServerName,
    /// Its clock then, in nanoseconds since the epoch.
    pub received_ns: i64,
}

/// The tombstone of a client that was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Its time.
    pub time: ReportTime,
    /// How it compared with the record that was there. [`Outcome::Expired`] says that the floor keeps it out.
    pub outcome: Outcome,
    /// Whether the client was known, and not forgotten before.
    pub was_known: bool,
}

impl Reports<'_> {
    /// Writes a tombstone. Its time is the later of `received_ns` and the held record's time plus 1 ns; at the end of all
    /// times it is the same as the record's, and the tombstone is the greater. Only a tombstone of that time stays.
    ///
    /// # Errors
    /// If the client ID is none.
    pub fn forget(&mut self, forget: &Forget<'_>) -> Result<Forgotten, InvalidRecord> {
        self.forget_if(forget, |_| true)
    }

    /// As [`Reports::forget`], if `is_meant` says so of the record that is held. If not, or if none is held, nothing
    /// changes, and the outcome is [`Outcome::Same`].
    ///
    /// # Errors
    /// If the client ID is none.
    pub fn forget_held(
        &mut self,
        forget: &Forget<'_>,
        is_meant: impl FnOnce(&BorrowedRecord<'_>) -> bool,
    ) -> Result<Forgotten, InvalidRecord> {
        self.forget_if(forget, |held| held.is_some_and(|held| is_meant(&held)))
    }

    fn forget_if(
        &mut self,
        forget: &Forget<'_>,
        is_meant: impl FnOnce(Option<BorrowedRecord<'_>>) -> bool,
    ) -> Result<Forgotten, InvalidRecord> {
        let hash = self.locations.hash(forget.client);
        // The record that is there does not change before the tombstone takes its place.
        let shard = self.locations.shard(hash).lock();
        let held = shard.map.find(hash, forget.client);
        let after_held_ns = held.map_or(i64::MIN, |held| held.time().ns().saturating_add(1));
        let time = ReportTime::of_ns(after_held_ns.max(forget.received_ns));
        let floor_ns = self.locations.floor_ns();
        let was_known =
            held.is_some_and(|held| !held.is_tombstone() && held.time().ns() >= floor_ns);
        if !is_meant(held.map(|held| held.borrowed())) {
            let outcome = Outcome::Same;
            return Ok(Forgotten {
                time,
                outcome,
                was_known,
            });
        }
        let text = time.to_text();
        let operands = Operands::tombstone(forget.client, text.as_bytes())?;
        let tombstone = BorrowedRecord::of(operands, forget.server, forget.received_ns);
        let outcome = self.report_into(shard, hash, tombstone);
        Ok(Forgotten {
            time,
            outcome,
            was_known,
        })
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::{PublisherId, Record};

    use super::super::{Locations, Room};
    use super::*;
    use crate::testing::{AllLive, record};

    fn forget(locations: &Locations, client: &str, received_ns: i64) -> Forgotten {
        let server = ServerName::from("Smith");
        let forget = Forget {
            client: client.as_bytes(),
            server: &server,
            received_ns,
        };
        locations.begin_reports().forget(&forget).unwrap()
    }

    #[test]
    fn a_forgotten_client_is_unknown_until_a_later_report() {
        let locations = Locations::default();
        locations.make_index();
        locations.report(record("kiwi", "5"));
        locations.report(record("emu", "5"));
        // The clock is behind: the tombstone follows the record all the same.
        let forgotten = forget(&locations, "kiwi", 7);
        assert_eq!(forgotten.time.ns(), 5_000_000_001);
        assert_eq!(forgotten.outcome, Outcome::Newer);
        assert!(locations.find(b"kiwi").is_none());
        assert!(locations.held(b"kiwi").unwrap().is_tombstone());
        assert_eq!((locations.len(), locations.tombstones()), (1, 1));
        assert_eq!(locations.index_size().0, 1);
        assert_eq!(locations.index_fault(), None);
        for (time, outcome) in [
            ("5", Outcome::Stale),
            ("5.000000001", Outcome::TieLost),
            ("5.000000002", Outcome::Newer),
        ] {
            assert_eq!(locations.report(record("kiwi", time)), outcome);
        }
        assert!(locations.find(b"kiwi").is_some());
        assert_eq!((locations.len(), locations.tombstones()), (2, 0));
        assert_eq!(locations.index_fault(), None);
    }

    #[test]
    fn an_unknown_client_is_forgotten_at_the_clock() {
        let locations = Locations::default();
        let forgotten = forget(&locations, "kiwi", 7);
        assert_eq!((forgotten.time.ns(), forgotten.outcome), (7, Outcome::New));
        assert_eq!((locations.len(), locations.tombstones()), (0, 1));
        // Again: later than before, by the clock or by 1 ns.
        assert_eq!(forget(&locations, "kiwi", 9).time.ns(), 9);
        assert_eq!(forget(&locations, "kiwi", 8).time.ns(), 10);
        assert_eq!(locations.pending_len(), 1);
        let full = Room {
            clients_max: Some(1),
            bytes_max: None,
        };
        assert!(locations.full_for(b"emu", 9, full).is_some(), "it counts");
        assert!(locations.full_for(b"kiwi", 9, full).is_none(), "it is held");
    }

    #[test]
    fn the_end_of_all_times_is_forgotten_too() {
        let locations = Locations::default();
        locations.report(record("kiwi", "9223372036.854775807"));
        let forgotten = forget(&locations, "kiwi", 7);
        assert_eq!(forgotten.time.ns(), i64::MAX);
        assert_eq!(forgotten.outcome, Outcome::TieWon);
        assert!(locations.find(b"kiwi").is_none());
        assert_eq!(forget(&locations, "kiwi", 9).time.ns(), i64::MAX);
        assert!(locations.find(b"kiwi").is_none());
    }

    #[test]
    fn a_delivered_tombstone_forgets_and_is_noted() {
        let locations = Locations::default();
        locations.make_index();
        locations.report(record("kiwi", "5"));
        let time = ReportTime::of_ns(6_000_000_000);
        let tombstone = Record::tombstone(b"kiwi", time, "Smith".into(), 0).unwrap();
        locations.deliver([tombstone], PublisherId(1), &AllLive);
        assert!(locations.find(b"kiwi").is_none());
        assert_eq!((locations.len(), locations.index_size().0), (0, 0));
        let noted = locations.take_forgettings();
        assert!(noted.means(&locations, b"kiwi", 6_000_000_000));
        assert!(!noted.means(&locations, b"kiwi", 6_000_000_001));
        assert!(!noted.means(&locations, b"emu", 5));
        assert!(locations.take_forgettings().is_empty());
    }

    #[test]
    fn a_tombstone_that_comes_behind_a_later_report_is_noted() {
        let tombstone = |ns: i64| {
            let time = ReportTime::of_ns(ns);
            Record::tombstone(b"kiwi", time, "Smith".into(), 0).unwrap()
        };
        let locations = Locations::default();
        locations.report(record("kiwi", "8"));
        assert_eq!(locations.report(tombstone(6_000_000_000)), Outcome::Stale);
        let heard = locations.take_forgettings();
        locations.deliver([tombstone(6_000_000_000)], PublisherId(1), &AllLive);
        for noted in [heard, locations.take_forgettings()] {
            assert!(noted.means(&locations, b"kiwi", 6_000_000_000));
            assert!(!noted.means(&locations, b"kiwi", 6_000_000_001));
        }
        // A later tombstone was noted itself.
        locations.report(tombstone(9_000_000_000));
        locations.take_forgettings();
        locations.deliver([tombstone(6_000_000_000)], PublisherId(1), &AllLive);
        assert!(locations.take_forgettings().is_empty());
    }

    #[test]
    fn a_delivered_location_that_a_tombstone_keeps_out_is_noted() {
        let locations = Locations::default();
        forget(&locations, "kiwi", 6_000_000_000);
        locations.take_forgettings();
        assert_eq!(locations.report(record("kiwi", "5")), Outcome::Stale);
        assert!(
            locations.take_forgettings().is_empty(),
            "a report is in no group"
        );
        locations.deliver([record("kiwi", "5")], PublisherId(1), &AllLive);
        let noted = locations.take_forgettings();
        assert!(noted.means(&locations, b"kiwi", 6_000_000_000));
        locations.deliver([record("kiwi", "7")], PublisherId(1), &AllLive);
        assert!(locations.take_forgettings().is_empty(), "it is known again");
    }

    #[test]
    fn only_the_record_that_is_meant_is_forgotten() {
        let locations = Locations::default();
        locations.report(record("kiwi", "5"));
        let server = ServerName::from("Smith");
        let forget = |client: &'static [u8]| Forget {
            client,
            server: &server,
            received_ns: 7,
        };
        let mut reports = locations.begin_reports();
        let kept = reports.forget_held(&forget(b"kiwi"), |_| false).unwrap();
        assert_eq!(kept.outcome, Outcome::Same);
        let none = reports.forget_held(&forget(b"emu"), |_| true).unwrap();
        assert_eq!(none.outcome, Outcome::Same);
        assert!(locations.find(b"kiwi").is_some() && locations.tombstones() == 0);
        let gone = reports.forget_held(&forget(b"kiwi"), |held| held.received_ns() == 0);
        assert_eq!(gone.unwrap().outcome, Outcome::Newer);
        assert!(locations.find(b"kiwi").is_none());
    }

    #[tokio::test]
    async fn a_tombstone_outlives_the_floor_by_its_slack() {
        use herd_crdt::TOMBSTONE_SLACK_NS;
        let locations = Locations::default();
        forget(&locations, "kiwi", 7);
        assert_eq!(locations.raise_floor(7 + TOMBSTONE_SLACK_NS).await, 0);
        assert_eq!(locations.tombstones(), 1);
        // A location between tombstone and floor stays out.
        assert_eq!(locations.report(record("kiwi", "5")), Outcome::Expired);
        assert_eq!(locations.raise_floor(8 + TOMBSTONE_SLACK_NS).await, 1);
        assert_eq!(locations.tombstones(), 0);
        assert_eq!(locations.memory_bytes(), 0);
    }

    /// Found by thought: a tombstone's time is the clock of a server, which may be wrong.
    #[tokio::test]
    async fn tombstones_bear_out_no_time() {
        let locations = Locations::default();
        locations.report(record("kiwi", "5"));
        forget(&locations, "emu", i64::MAX / 2);
        assert_eq!(locations.time_borne_out().await, Some(5_000_000_000));
    }
}
