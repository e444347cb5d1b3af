//! The connections of one port, and the choice of the one that makes room for a newcomer.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::addresses::{AddressShare, Addresses, one_host};

/// Bounds the connections of a port, in all and of one address.
///
/// A connection waits until it has proved itself. While there is no room, a newcomer displaces the oldest waiting
/// connection: of its own address, if that has as many as it may; else of the address with the most waiting
/// connections. So a stranger with many connections displaces its own, and connections that prove themselves at once
/// get through. A displaced connection that proves itself before it has noticed takes a place as a newcomer does.
#[derive(Debug)]
pub struct Admission {
    connections_max: usize,
    addresses: Arc<Addresses>,
    open: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next_number: u64,
    /// In the order in which they came.
    entries: BTreeMap<u64, OpenConnection>,
}

#[derive(Debug)]
struct OpenConnection {
    address: IpAddr,
    /// Its share in the limits of its address; `None` once it does not count there any more.
    share: Option<AddressShare>,
    stage: ConnectionStage,
    displaced: Arc<Notify>,
}

/// Whether a connection makes room for newcomers.
#[derive(Clone, Copy, Debug)]
enum ConnectionStage {
    /// It waits for its client, and makes room.
    Waits,
    /// It is being served, and keeps its place.
    Served,
    /// Its client receives the last bytes. It keeps its place until then.
    SendsUntil(Instant),
}

impl ConnectionStage {
    fn makes_room(self, now: Instant) -> bool {
        match self {
            ConnectionStage::Waits => true,
            ConnectionStage::Served => false,
            ConnectionStage::SendsUntil(deadline) => deadline <= now,
        }
    }
}

/// The limit that a newcomer met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// The limit of all connections.
    All,
    /// The limit of its address.
    Address,
}

/// An admitted connection. Dropping this ends its stay.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    number: u64,
    address: IpAddr,
    displaced: Arc<Notify>,
}

impl Admission {
    /// Room for `connections_max` connections, and for `per_address_max` of one address, an IPv4
    /// address or a /64 of IPv6.
    pub fn new(connections_max: usize, per_address_max: Option<usize>) -> Arc<Self> {
        Arc::new(Admission {
            connections_max,
            addresses: Addresses::new(per_address_max, None),
            open: Mutex::default(),
        })
    }

    /// Admits a connection. If it met a limit, the limit is returned too, and another connection was displaced.
    ///
    /// # Errors
    /// The limit that it met, if there is no connection that it could displace.
    pub fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        now: Instant,
    ) -> Result<(Admitted, Option<Met>), Met> {
        let mut open = self.open.lock();
        let admitted = Admitted {
            admission: Arc::clone(self),
            number: open.next_number,
            address: one_host(address),
            displaced: Arc::default(),
        };
        open.next_number += 1;
        match open.admit(&admitted, ConnectionStage::Waits, now) {
            Ok(met) => Ok((admitted, met)),
            Err(met) => {
                // Its end locks this too.
                drop(open);
                Err(met)
            }
        }
    }
}

impl OpenConnections {
    /// Gives a connection a place. If it met a limit, the limit is returned, and another connection was displaced.
    fn admit(
        &mut self,
        admitted: &Admitted,
        stage: ConnectionStage,
        now: Instant,
    ) -> Result<Option<Met>, Met> {
        let Admitted {
            admission, address, ..
        } = admitted;
        let mut met = None;
        let share = match admission.addresses.enter(*address, now) {
            Some(share) => share,
            None => {
                self.displace_of(*address, now).ok_or(Met::Address)?;
                met = Some(Met::Address);
                let share = admission.addresses.enter(*address, now);
                share.ok_or(Met::Address)?
            }
        };
        if self.entries.len() >= admission.connections_max {
            self.displace_of_most(now).ok_or(Met::All)?;
            met = Some(Met::All);
        }
        let entry = OpenConnection {
            address: *address,
            share: Some(share),
            stage,
            displaced: admitted.displaced.clone(),
        };
        self.entries.insert(admitted.number, entry);
        Ok(met)
    }

    /// Displaces the oldest connection of an address that makes room; `None` if none does.
    fn displace_of(&mut self, host: IpAddr, now: Instant) -> Option<()> {
        let mut entries = self.entries.iter();
        let (&number, _) =
            entries.find(|(_, entry)| entry.address == host && entry.stage.makes_room(now))?;
        let entry = self.entries.remove(&number)?;
        entry.displaced.notify_one();
        Some(())
    }

    /// The same with the address that has the most connections that make room; of two such addresses, that of the
    /// oldest connection.
    fn displace_of_most(&mut self, now: Instant) -> Option<()> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        let entries = self.entries.values();
        let waiting = entries.filter(|entry| entry.stage.makes_room(now));
        for entry in waiting.clone() {
            *counts.entry(entry.address).or_default() += 1;
        }
        let most = counts.values().max().copied()?;
        let host = waiting
            .map(|entry| entry.address)
            .find(|address| counts.get(address) == Some(&most))?;
        self.displace_of(host, now)
    }
}

impl Admitted {
    /// The connection waits again, and makes room for newcomers.
    pub fn waits(&self) {
        self.set(ConnectionStage::Waits);
    }

    /// The connection has proved itself, and keeps its place until it waits again. If it was
    /// displaced before, it gets a place as a newcomer does. Returns whether it has one.
    pub fn is_served(&self, now: Instant) -> bool {
        let mut open = self.admission.open.lock();
        if let Some(entry) = open.entries.get_mut(&self.number) {
            entry.stage = ConnectionStage::Served;
            return true;
        }
        open.admit(self, ConnectionStage::Served, now).is_ok()
    }

    /// Everything that the connection is to send is ready. It keeps its place until it waits again, and at
    /// most until `deadline`.
    pub fn sends_until(&self, deadline: Instant) {
        self.set(ConnectionStage::SendsUntil(deadline));
    }

    /// Whether the connection has a place, and no newcomer has displaced it.
    pub fn has_place(&self) -> bool {
        let open = self.admission.open.lock();
        open.entries.contains_key(&self.number)
    }

    /// The connection has proved itself for good, and does not count for its address any more.
    pub fn proved(&self) {
        let mut open = self.admission.open.lock();
        if let Some(entry) = open.entries.get_mut(&self.number) {
            entry.stage = ConnectionStage::Served;
            entry.share = None;
        }
    }

    /// Resolves when a newcomer has displaced the connection, once each time. It is to end then,
    /// unless it has a place again.
    pub async fn displaced(&self) {
        self.displaced.notified().await;
    }

    fn set(&self, stage: ConnectionStage) {
        if let Some(entry) = self.admission.open.lock().entries.get_mut(&self.number) {
            entry.stage = stage;
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.open.lock().entries.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn enter(admission: &Arc<Admission>, last: u8) -> Result<(Admitted, Option<Met>), Met> {
        admission.enter(ip(last), Instant::now())
    }

    fn is_displaced(admitted: &Admitted) -> bool {
        !admitted.has_place()
    }

    fn open(admission: &Admission) -> usize {
        admission.open.lock().entries.len()
    }

    #[tokio::test]
    async fn a_newcomer_displaces_the_oldest_that_waits_of_its_address() {
        let admission = Admission::new(10, Some(2));
        let (first, met) = enter(&admission, 1).unwrap();
        assert_eq!(met, None);
        let (other, _) = enter(&admission, 2).unwrap();
        let (second, _) = enter(&admission, 1).unwrap();
        let (third, met) = enter(&admission, 1).unwrap();
        assert_eq!(met, Some(Met::Address));
        assert!(is_displaced(&first));
        assert!(!is_displaced(&second) && !is_displaced(&third) && !is_displaced(&other));
        let now = Instant::now();
        assert!(second.is_served(now) && third.is_served(now));
        assert_eq!(enter(&admission, 1).unwrap_err(), Met::Address);
        third.waits();
        enter(&admission, 1).unwrap();
        assert!(is_displaced(&third) && !is_displaced(&second));
        drop((first, second, third, other));
        assert_eq!(open(&admission), 0);
    }

    #[tokio::test]
    async fn one_address_displaces_its_own_whatever_it_opens() {
        let admission = Admission::new(8, None);
        let (honest, _) = enter(&admission, 1).unwrap();
        let mut strangers = Vec::new();
        for _ in 0..1_000 {
            strangers.push(enter(&admission, 2).unwrap().0);
        }
        assert!(!is_displaced(&honest));
        assert_eq!(open(&admission), 8);
        let left = strangers.iter().filter(|it| !is_displaced(it)).count();
        assert_eq!(left, 7);
        // Several addresses share the rest, the newest first.
        for last in 3..7 {
            for _ in 0..100 {
                strangers.push(enter(&admission, last).unwrap().0);
            }
        }
        assert!(!is_displaced(&honest));
        assert_eq!(open(&admission), 8);
    }

    #[tokio::test]
    async fn a_proved_connection_is_never_displaced() {
        let admission = Admission::new(2, Some(1));
        let (link, _) = enter(&admission, 1).unwrap();
        link.proved();
        // It does not count for its address either.
        let (second, met) = enter(&admission, 1).unwrap();
        assert_eq!(met, None);
        second.proved();
        assert_eq!(enter(&admission, 1).unwrap_err(), Met::All);
        assert_eq!(enter(&admission, 2).unwrap_err(), Met::All);
        assert!(!is_displaced(&link) && !is_displaced(&second));
        drop(link);
        enter(&admission, 2).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_sends_keeps_its_place_for_a_while() {
        let admission = Admission::new(1, None);
        let (first, _) = enter(&admission, 1).unwrap();
        let wait = std::time::Duration::from_secs(10);
        assert!(first.is_served(Instant::now()));
        first.sends_until(Instant::now() + wait);
        tokio::time::advance(wait - std::time::Duration::from_nanos(1)).await;
        assert_eq!(enter(&admission, 2).unwrap_err(), Met::All);
        tokio::time::advance(std::time::Duration::from_nanos(1)).await;
        enter(&admission, 2).unwrap();
        assert!(is_displaced(&first));
    }

    #[tokio::test]
    async fn a_displaced_connection_may_take_a_place_again() {
        let admission = Admission::new(1, None);
        let (first, _) = enter(&admission, 1).unwrap();
        let (second, _) = enter(&admission, 2).unwrap();
        first.displaced().await;
        assert!(is_displaced(&first));
        // The second waits, and makes room in turn.
        assert!(first.is_served(Instant::now()) && first.has_place());
        second.displaced().await;
        assert!(is_displaced(&second));
        assert!(!second.is_served(Instant::now()) && is_displaced(&second));
        assert_eq!(open(&admission), 1);
        drop(first);
        assert!(second.is_served(Instant::now()));
        drop(second);
        assert_eq!(open(&admission), 0);
    }

    #[tokio::test]
    async fn a_port_without_room_admits_nobody() {
        let admission = Admission::new(0, None);
        assert_eq!(enter(&admission, 1).unwrap_err(), Met::All);
    }
}
