//! The connections of one port, and which of them makes room for a newcomer.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::addresses::{Addresses, Place, one_host};

/// Bounds the connections of a port, in all and of one address.
///
/// A connection waits until it has proved itself. While there is no room, the oldest connection
/// that waits is displaced by a newcomer: of the newcomer's address, if that has as many as it may;
/// else of the address that has most of those that wait. So a stranger with many connections
/// displaces its own, and connections that prove themselves at once get through.
#[derive(Debug)]
pub(crate) struct Admission {
    connections_max: usize,
    addresses: Arc<Addresses>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next_number: u64,
    /// In the order in which they came.
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    /// Its place among those of its address, unless it does not count there any more.
    place: Option<Place>,
    waits: bool,
    displaced: CancellationToken,
}

/// Which limit a newcomer met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// That of all connections.
    All,
    /// That of its address.
    Address,
}

/// A connection that was let in. Dropping this ends its stay.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    number: u64,
    displaced: CancellationToken,
}

impl Admission {
    /// Room for `connections_max` connections, and for `per_address_max` of one address, an IPv4
    /// address or a /64 of IPv6.
    pub(crate) fn new(connections_max: usize, per_address_max: Option<usize>) -> Arc<Self> {
        Arc::new(Admission {
            connections_max,
            addresses: Addresses::new(per_address_max, None),
            open: Mutex::default(),
        })
    }

    /// Takes in a connection. If it met a limit, that is told, and another was displaced.
    ///
    /// # Errors
    /// The limit that it met. There is no connection that it could displace.
    pub(crate) fn enter(
        self: &Arc<Self>,
        address: IpAddr,
        now: Instant,
    ) -> Result<(Admitted, Option<Met>), Met> {
        let host = one_host(address);
        let mut open = self.open.lock();
        let mut met = None;
        let place = match self.addresses.enter(address, now) {
            Some(place) => place,
            None => {
                open.displace_of(host).ok_or(Met::Address)?;
                met = Some(Met::Address);
                let place = self.addresses.enter(address, now);
                place.ok_or(Met::Address)?
            }
        };
        if open.entries.len() >= self.connections_max {
            open.displace_of_most().ok_or(Met::All)?;
            met = Some(Met::All);
        }
        let number = open.next_number;
        open.next_number += 1;
        let displaced = CancellationToken::new();
        open.entries.insert(
            number,
            Entry {
                address: host,
                place: Some(place),
                waits: true,
                displaced: displaced.clone(),
            },
        );
        let admitted = Admitted {
            admission: Arc::clone(self),
            number,
            displaced,
        };
        Ok((admitted, met))
    }
}

impl Open {
    /// Displaces the oldest connection of an address that waits; nothing if none does.
    fn displace_of(&mut self, host: IpAddr) -> Option<()> {
        let mut entries = self.entries.iter();
        let (&number, _) = entries.find(|(_, entry)| entry.waits && entry.address == host)?;
        let entry = self.entries.remove(&number)?;
        entry.displaced.cancel();
        Some(())
    }

    /// The same with the address that has most of those that wait; of two that have as many, that
    /// of the oldest.
    fn displace_of_most(&mut self) -> Option<()> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        let waiting = self.entries.values().filter(|entry| entry.waits);
        for entry in waiting.clone() {
            *counts.entry(entry.address).or_default() += 1;
        }
        let most = counts.values().max().copied()?;
        let host = waiting
            .map(|entry| entry.address)
            .find(|address| counts.get(address) == Some(&most))?;
        self.displace_of(host)
    }
}

impl Admitted {
    /// The connection has proved itself, or waits again.
    pub(crate) fn waits(&self, waits: bool) {
        if let Some(entry) = self.admission.open.lock().entries.get_mut(&self.number) {
            entry.waits = waits;
        }
    }

    /// The connection has proved itself for good, and does not count among those of its address any
    /// more.
    pub(crate) fn proved(&self) {
        let mut open = self.admission.open.lock();
        if let Some(entry) = open.entries.get_mut(&self.number) {
            entry.waits = false;
            entry.place = None;
        }
    }

    /// Resolves when a newcomer has displaced the connection, which is to end then.
    pub(crate) async fn displaced(&self) {
        self.displaced.cancelled().await;
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
        admitted.displaced.is_cancelled()
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
        second.waits(false);
        third.waits(false);
        assert_eq!(enter(&admission, 1).unwrap_err(), Met::Address);
        third.waits(true);
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
        // Several addresses share what is left, the newest first.
        for last in 3..7 {
            for _ in 0..100 {
                strangers.push(enter(&admission, last).unwrap().0);
            }
        }
        assert!(!is_displaced(&honest));
        assert_eq!(open(&admission), 8);
    }

    #[tokio::test]
    async fn who_has_proved_itself_is_never_displaced() {
        let admission = Admission::new(2, Some(1));
        let (link, _) = enter(&admission, 1).unwrap();
        link.proved();
        // It does not count among those of its address either.
        let (second, met) = enter(&admission, 1).unwrap();
        assert_eq!(met, None);
        second.proved();
        assert_eq!(enter(&admission, 1).unwrap_err(), Met::All);
        assert_eq!(enter(&admission, 2).unwrap_err(), Met::All);
        assert!(!is_displaced(&link) && !is_displaced(&second));
        drop(link);
        enter(&admission, 2).unwrap();
    }

    #[tokio::test]
    async fn without_room_for_any_nobody_is_let_in() {
        let admission = Admission::new(0, None);
        assert_eq!(enter(&admission, 1).unwrap_err(), Met::All);
    }
}
