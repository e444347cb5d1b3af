//! Clients of a herd that are forgotten, and the end of a seed: some are forgotten, and everything shown of them has to go.

use std::time::Duration;

use herd_crdt::{Record, ReportTime, ServerName};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::checks::erasure::nobody_forgotten_is_shown;
use super::checks::readers::all_read_tombstones;
use super::checks::settled::is_settled;
use super::eraser::ERASE_WITHIN;
use super::faults::Position;
use super::herd::Herd;
use super::topology::TOPOLOGIES;
use crate::timing::{BURIAL_AFTER_GONE, BURIAL_AFTER_SUPERSEDED, GONE_AFTER};
use herd_locations::{Forget, TombstonesRead};

/// All servers hold a tombstone this long after it was written: a link over which somebody lied may be cut for a minute.
const KNOWN_WITHIN: Duration = Duration::from_secs(120);

/// After the burial of a copy that others had, their cycles end within this part of the time for erasing.
const REST: f64 = 0.5;

/// Another draw than that of all else, so that it changes nothing there.
const DRAW: u64 = 0x666f_7267_6574;

/// Servers that begin with a release that cannot read tombstones: in a quarter of the seeds some.
pub(super) fn old_servers(seed: u64) -> Vec<Position> {
    let mut rng = SmallRng::seed_from_u64(seed ^ DRAW);
    let servers = TOPOLOGIES[0].servers.iter().copied();
    match rng.random_range(0..4) {
        0 => servers.filter(|_| rng.random_bool(0.4)).collect(),
        _ => Vec::new(),
    }
}

/// In a herd that has settled all clients report once more, at one server and so in one group, and some of them are
/// forgotten. Waits until nothing is shown of these; returns how long that took. Of servers that do not come back it is
/// shown until they are buried.
///
/// # Errors
/// What is shown after its time.
pub(super) fn forget_some(herd: &mut Herd, seed: u64) -> Result<Duration, String> {
    let mut rng = SmallRng::seed_from_u64(!seed);
    let mut passed = Duration::ZERO;
    let mut pass = |herd: &mut Herd, time| {
        herd.run(time);
        passed += time;
    };
    herd.report_all(&mut rng);
    // Whoever cannot come back has been buried before.
    pass(herd, GONE_AFTER + 2 * BURIAL_AFTER_SUPERSEDED);
    let forgotten = herd.forget_half(&mut rng)?;
    for _ in 0..KNOWN_WITHIN.as_secs() {
        if herd.have_forgotten(&forgotten) {
            break;
        }
        pass(herd, Duration::from_secs(1));
    }
    pass(herd, ERASE_WITHIN);
    let down = herd.down();
    nobody_forgotten_is_shown(herd, &down)?;
    if !down.is_empty() {
        pass(herd, BURIAL_AFTER_GONE + ERASE_WITHIN.mul_f64(REST));
        nobody_forgotten_is_shown(herd, &[])?;
    }
    is_settled(herd)?;
    Ok(passed)
}

impl Herd {
    /// Whether a server forgets when it is told to.
    pub(super) fn may_forget(&mut self, position: Position) -> bool {
        let Some(server) = &self.servers[position] else {
            return false;
        };
        if server.map.tombstones_read() != TombstonesRead::ByAll {
            return false;
        }
        let found = all_read_tombstones(self, server).err();
        self.found.extend(found);
        true
    }

    /// Servers that are down.
    fn down(&self) -> Vec<ServerName> {
        let places = self.places.iter().zip(&self.servers);
        let down = places.filter(|(_, server)| server.is_none());
        down.map(|(place, _)| place.name.clone()).collect()
    }

    /// Whether no server that is up knows any of these.
    fn have_forgotten(&self, clients: &[Vec<u8>]) -> bool {
        let mut servers = self.servers.iter().flatten();
        servers.all(|server| {
            clients
                .iter()
                .all(|client| server.map.find(client).is_none())
        })
    }

    fn up(&self) -> Vec<Position> {
        let positions = 0..self.servers.len();
        positions.filter(|&at| self.servers[at].is_some()).collect()
    }

    /// Everybody who was ever reported reports at some server that is up.
    fn report_all(&mut self, rng: &mut SmallRng) {
        let up = self.up();
        let position = up[rng.random_range(0..up.len())];
        let time = ReportTime::of_ns(self.clock.true_ns()).to_text();
        let Some(server) = &self.servers[position] else {
            return;
        };
        for (client, reported) in &mut self.reported {
            let (time, name) = (time.as_bytes(), server.name.clone());
            let record = Record::new(client, b"+2+2", time, name, 0).unwrap();
            server.map.report(record.clone());
            reported.push(record);
        }
    }

    /// Forgets half of all clients, each at some server that is up. Returns which.
    fn forget_half(&mut self, rng: &mut SmallRng) -> Result<Vec<Vec<u8>>, String> {
        let up = self.up();
        let mut clients: Vec<Vec<u8>> = self.reported.keys().cloned().collect();
        clients.retain(|_| rng.random());
        for client in &clients {
            let position = up[rng.random_range(0..up.len())];
            let received_ns = self.clock_of(position).wall_ns();
            if !self.may_forget(position) {
                return Err(format!("{} forgets nobody", self.places[position].name));
            }
            let Some(server) = &self.servers[position] else {
                continue;
            };
            let forget = Forget {
                client,
                server: &server.name,
                received_ns,
            };
            let forgotten = server.map.begin_reports().forget(&forget);
            if forgotten.is_ok_and(|forgotten| forgotten.outcome.changed())
                && let Some(tombstone) = server.map.held(client)
            {
                let reported = self.reported.entry(client.clone()).or_default();
                reported.push(tombstone);
            }
        }
        Ok(clients)
    }
}
