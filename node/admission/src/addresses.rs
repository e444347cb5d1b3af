//! The limits that all connections of one address share.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use herd_clock::rate_limiter::RateLimiter;

/// The addresses without connections whose rate limiters are remembered, before those that owe nothing are removed.
const FORMER_KEPT: usize = 1_024;

/// The default bound on the connections of one address, where a port has `connections_max`: three quarters, so that no
/// address shuts out all others. An address may have one in any case, also on a port with a single share.
pub const fn one_address_share(connections_max: usize) -> usize {
    let share = connections_max - connections_max.div_ceil(4);
    if share == 0 { 1 } else { share }
}

/// The addresses that have connections, or had some just now.
#[derive(Debug)]
pub struct Addresses {
    connections_max: Option<usize>,
    commands_per_second: Option<NonZeroU32>,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_address: HashMap<IpAddr, AddressUse>,
    /// At this size, addresses that have no connection and owe nothing are removed.
    sweep_at: usize,
}

#[derive(Debug)]
struct AddressUse {
    connections: usize,
    rate_limiter: Option<Arc<Mutex<RateLimiter>>>,
}

/// One connection's share in the limits of its address, given back when this is dropped.
#[derive(Debug)]
pub struct AddressShare {
    addresses: Arc<Addresses>,
    address: IpAddr,
    rate_limiter: Option<Arc<Mutex<RateLimiter>>>,
}

impl Addresses {
    /// The connections of all addresses: at most `connections_max` of one at a time, and at most `commands_per_second`
    /// commands of one; without a bound where there is none.
    pub fn new(
        connections_max: Option<usize>,
        commands_per_second: Option<NonZeroU32>,
    ) -> Arc<Self> {
        Arc::new(Addresses {
            connections_max,
            commands_per_second,
            entries: Mutex::new(Entries {
                by_address: HashMap::new(),
                sweep_at: FORMER_KEPT,
            }),
        })
    }

    /// Admits a connection, unless its address has as many as it may.
    pub fn enter(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<AddressShare> {
        let address = one_host(address);
        let mut entries = self.entries.lock();
        let entry = entries.entry(address, self.commands_per_second, now);
        if self
            .connections_max
            .is_some_and(|max| entry.connections >= max)
        {
            return None;
        }
        entry.connections += 1;
        Some(AddressShare {
            addresses: Arc::clone(self),
            address,
            rate_limiter: entry.rate_limiter.clone(),
        })
    }

    /// The commands that an address may execute, if that is limited: for those that come over no connection of its
    /// share.
    pub fn rate_limiter(&self, address: IpAddr, now: Instant) -> Option<Arc<Mutex<RateLimiter>>> {
        self.commands_per_second?;
        let mut entries = self.entries.lock();
        let entry = entries.entry(one_host(address), self.commands_per_second, now);
        entry.rate_limiter.clone()
    }
}

impl Entries {
    /// That of an address, which is a new one if there is none.
    fn entry(
        &mut self,
        address: IpAddr,
        commands_per_second: Option<NonZeroU32>,
        now: Instant,
    ) -> &mut AddressUse {
        self.sweep(now);
        self.by_address
            .entry(address)
            .or_insert_with(|| AddressUse {
                connections: 0,
                rate_limiter: commands_per_second.map(|count| {
                    let rate_limiter = RateLimiter::new(count.get(), Duration::from_secs(1), now);
                    Arc::new(Mutex::new(rate_limiter))
                }),
            })
    }

    /// Bounds the remembered addresses: an address is forgotten at the latest a second after its last command.
    fn sweep(&mut self, now: Instant) {
        if self.by_address.len() < self.sweep_at {
            return;
        }
        self.by_address.retain(|_, entry| {
            let owes = |rate_limiter: &Arc<Mutex<RateLimiter>>| !rate_limiter.lock().is_whole(now);
            entry.connections > 0 || entry.rate_limiter.as_ref().is_some_and(owes)
        });
        self.sweep_at = (2 * self.by_address.len()).max(FORMER_KEPT);
    }
}

impl AddressShare {
    /// The commands that the address may execute, if that is limited.
    pub fn rate_limiter(&self) -> Option<&Arc<Mutex<RateLimiter>>> {
        self.rate_limiter.as_ref()
    }
}

impl Drop for AddressShare {
    fn drop(&mut self) {
        let mut entries = self.addresses.entries.lock();
        let Some(entry) = entries.by_address.get_mut(&self.address) else {
            return;
        };
        entry.connections -= 1;
        if entry.connections == 0 && entry.rate_limiter.is_none() {
            entries.by_address.remove(&self.address);
        }
    }
}

/// The host of an address: an IPv4 address, in any form, or a /64 of IPv6, all of which one host may use.
pub(super) fn one_host(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_leaves_room_where_there_are_two_places() {
        let shares = [1, 2, 3, 4, 5, 8, 128, 16_384].map(one_address_share);
        assert_eq!(shares, [1, 1, 2, 3, 3, 6, 96, 12_288]);
        for connections_max in 2..1_000 {
            assert!((1..connections_max).contains(&one_address_share(connections_max)));
        }
        assert_eq!(one_address_share(usize::MAX), usize::MAX / 4 * 3 + 2);
    }

    #[test]
    fn an_address_gets_its_connections_back_when_they_end() {
        let addresses = Addresses::new(Some(2), None);
        let now = Instant::now();
        let one = addresses.enter(ip("10.0.0.1"), now).unwrap();
        let _mapped = addresses.enter(ip("::ffff:10.0.0.1"), now).unwrap();
        assert!(addresses.enter(ip("10.0.0.1"), now).is_none());
        let _other = addresses.enter(ip("10.0.0.2"), now).unwrap();
        drop(one);
        assert!(addresses.enter(ip("10.0.0.1"), now).is_some());
        let _six =
            [ip("2001:db8::1"), ip("2001:db8::2")].map(|ip| addresses.enter(ip, now).unwrap());
        assert!(addresses.enter(ip("2001:db8::3:4:5:6"), now).is_none());
        assert!(addresses.enter(ip("2001:db8:0:1::1"), now).is_some());
        assert_eq!(addresses.entries.lock().by_address.len(), 3);
    }

    #[test]
    fn an_address_that_owes_is_remembered_and_others_are_not() {
        let addresses = Addresses::new(None, NonZeroU32::new(10));
        let now = Instant::now();
        let left = |share: &AddressShare, now| share.rate_limiter().unwrap().lock().left(now);
        let share = addresses.enter(ip("10.0.0.1"), now).unwrap();
        share.rate_limiter().unwrap().lock().spend(10, now);
        drop(share);
        let share = addresses.enter(ip("10.0.0.1"), now).unwrap();
        assert_eq!(left(&share, now), 0);
        drop(share);
        for number in 0..3 * FORMER_KEPT as u32 {
            drop(addresses.enter(IpAddr::from(number.to_be_bytes()), now));
        }
        assert!(addresses.entries.lock().by_address.len() <= FORMER_KEPT);
        let share = addresses.enter(ip("10.0.0.1"), now).unwrap();
        assert_eq!(left(&share, now), 0, "it owes, so it was remembered");
        drop(share);
        let limiter = addresses.rate_limiter(ip("::ffff:10.0.0.1"), now).unwrap();
        assert_eq!(limiter.lock().left(now), 0, "with or without a connection");
        assert!(
            Addresses::new(None, None)
                .rate_limiter(ip("10.0.0.1"), now)
                .is_none()
        );
    }
}
