//! Addresses for servers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where one server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// For clients.
    pub client: SocketAddr,
    /// For its neighbours.
    pub peer: SocketAddr,
    /// For HTTP.
    pub http: SocketAddr,
}

/// An IP address of this machine for one herd. Where the whole of 127.0.0.0/8 is the machine's own,
/// as on Linux, each herd gets one of its own: then no outgoing connection, which has a port of
/// 127.0.0.1, can take the port of a server while that server is down.
fn own_ip() -> IpAddr {
    static HERDS: AtomicU32 = AtomicU32::new(0);
    let number = HERDS.fetch_add(1, Ordering::Relaxed);
    // Spread over processes and herds; never 127.0.0.1.
    let mixed = std::process::id()
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(number.wrapping_mul(0x85eb_ca6b));
    let [_, b, c, d] = mixed.to_be_bytes();
    let ip = Ipv4Addr::new(127, b.max(1), c, d.clamp(1, 254));
    match TcpListener::bind((ip, 0)) {
        Ok(_) => ip.into(),
        Err(_) => Ipv4Addr::LOCALHOST.into(),
    }
}

/// Addresses for `servers` servers on one IP address, with ports that are free now. Another process
/// may take one before a server does.
pub fn free_addresses(servers: usize) -> Vec<Addresses> {
    let (addresses, _held) = held_addresses(servers);
    addresses
}

/// Like [`free_addresses`]; no other process gets one of these while the second part of the result lives.
pub(crate) fn held_addresses(servers: usize) -> (Vec<Addresses>, Vec<TcpListener>) {
    let ip = own_ip();
    // All are held until all are known, or one port would be given out twice.
    let mut held = Vec::new();
    let mut free = || {
        let listener = TcpListener::bind((ip, 0)).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        match listener {
            Ok((listener, address)) => {
                held.push(listener);
                address
            }
            Err(error) => panic!("no free port on {ip}: {error}"),
        }
    };
    let addresses = (0..servers)
        .map(|_| Addresses {
            client: free(),
            peer: free(),
            http: free(),
        })
        .collect();
    (addresses, held)
}
