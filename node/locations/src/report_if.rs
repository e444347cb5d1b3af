//! Reports that a server takes only if the client is known already, or only if the client is not.

use herd_crdt::{Incoming, Outcome, Record};

use super::Reports;

impl Reports<'_> {
    /// As [`Reports::report`], if `is_meant` says so of the client's current record; `None` if there is none, or if the
    /// client is forgotten. No other report of the client comes between the look and the report. Nothing changes if it is
    /// not meant, and nothing is returned.
    pub fn report_if(
        &mut self,
        record: impl Incoming,
        is_meant: impl FnOnce(Option<&Record>) -> bool,
    ) -> Option<Outcome> {
        let client = record.borrowed().client();
        let hash = self.locations.hash(client);
        let floor_ns = self.locations.floor_ns();
        let shard = self.locations.shard(hash).lock();
        let held = shard.map.find(hash, client);
        let known = held.filter(|held| !held.is_tombstone() && held.time().ns() >= floor_ns);
        if !is_meant(known) {
            return None;
        }
        Some(self.report_into(shard, hash, record))
    }
}

#[cfg(test)]
mod tests {
    use herd_crdt::ServerName;

    use super::super::{Forget, Locations};
    use super::*;

    fn record(time: &str) -> Record {
        Record::new(b"kiwi", b"+1+1", time.as_bytes(), "Hill".into(), 0).unwrap()
    }

    #[test]
    fn a_report_is_taken_in_if_it_is_meant() {
        let locations = Locations::default();
        let mut reports = locations.begin_reports();
        let is_known = |known: Option<&Record>| known.is_some();
        assert_eq!(reports.report_if(record("1"), is_known), None);
        assert!(locations.find(b"kiwi").is_none());
        let outcome = reports.report_if(record("1"), |known| !is_known(known));
        assert_eq!(outcome, Some(Outcome::New));
        assert_eq!(
            reports.report_if(record("2"), is_known),
            Some(Outcome::Newer)
        );
        assert_eq!(
            reports.report_if(record("3"), |known| !is_known(known)),
            None
        );
        assert_eq!(locations.find(b"kiwi").unwrap().time().ns(), 2_000_000_000);
        let server = ServerName::from("Hill");
        let forget = Forget {
            client: b"kiwi",
            server: &server,
            received_ns: 0,
        };
        reports.forget(&forget).unwrap();
        assert_eq!(reports.report_if(record("4"), is_known), None);
    }
}
