//! The division of a server's open files: clients get the rest.

use std::fmt;

/// Open files of the program itself: its log, listening sockets, the event queues of its threads, files while they
/// are read, and a connection that is about to be refused.
const PROGRAM: usize = 64;

/// Open files of the store besides its tables: journals, files that it writes, folders while they are synced.
const STORE_SPARE: usize = 32;

/// A neighbour's link, one that takes its place, and a look-up of its name.
const PER_NEIGHBOUR: usize = 3;

/// With less room for clients a server does not start.
const CLIENTS_MIN: usize = 64;

/// Open files of a server besides connections of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Servers that it has links to.
    pub neighbours: usize,
    /// Connections to the peer port that are no links yet.
    pub strangers_max: usize,
    /// HTTP connections.
    pub http_max: usize,
    /// Tables that the store keeps open, if there is a store.
    pub store_tables_max: Option<usize>,
    /// Connections to an online provider of places.
    pub places_max: usize,
}

/// Open files of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// All together, at the most.
    pub limit: u64,
    /// The program itself and its provider of places.
    pub program: usize,
    /// The store.
    pub store: usize,
    /// Links, and connections in their handshake.
    pub links: usize,
    /// HTTP.
    pub http: usize,
    /// Connections of clients: the wanted number, or the rest.
    pub clients: usize,
}

/// The limit of open files leaves too little for clients. Nothing was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "only {limit} files may be open, and a server like this needs {needed}: raise the limit (ulimit -n, LimitNOFILE), or \
     lower http_connections_max"
)]
pub struct TooFew {
    /// How many may be open.
    pub limit: u64,
    /// How many have to be.
    pub needed: u64,
}

impl Shares {
    /// Shares `limit` files; `clients_wanted` is how many connections clients are to have at the
    /// most.
    ///
    /// # Errors
    /// Clients would have less than the least that a server starts with.
    pub fn of(limit: u64, needs: Needs, clients_wanted: usize) -> Result<Self, TooFew> {
        let program = PROGRAM.saturating_add(needs.places_max);
        let store = needs.store_tables_max.map_or(0, |max| max + STORE_SPARE);
        let links = needs.neighbours * PER_NEIGHBOUR + needs.strangers_max;
        let kept = program
            .saturating_add(store)
            .saturating_add(links)
            .saturating_add(needs.http_max);
        let clients_min = CLIENTS_MIN.min(clients_wanted);
        let needed = kept.saturating_add(clients_min) as u64;
        if limit < needed {
            return Err(TooFew { limit, needed });
        }
        let left = usize::try_from(limit).unwrap_or(usize::MAX) - kept;
        Ok(Shares {
            limit,
            program,
            store,
            links,
            http: needs.http_max,
            clients: clients_wanted.min(left),
        })
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "of {} open files the program keeps {}, the store {}, links {}, HTTP {}, and clients have {}",
            self.limit, self.program, self.store, self.links, self.http, self.clients
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: Needs = Needs {
        neighbours: 3,
        strangers_max: 80,
        http_max: 160,
        store_tables_max: Some(64),
        places_max: 0,
    };

    #[test]
    fn clients_get_the_rest_of_the_open_files() {
        let shares = Shares::of(1_024, NEEDS, 16_384).unwrap();
        assert_eq!(
            shares.to_string(),
            "of 1024 open files the program keeps 64, the store 96, links 89, HTTP 160, and clients have 615"
        );
        let all = shares.program + shares.store + shares.links + shares.http + shares.clients;
        assert_eq!(all as u64, shares.limit);
        assert_eq!(Shares::of(1_024, NEEDS, 100).unwrap().clients, 100);
        assert_eq!(Shares::of(u64::MAX, NEEDS, 16_384).unwrap().clients, 16_384);
        let bare = Shares::of(400, Needs::default(), 16_384).unwrap();
        assert_eq!((bare.store, bare.links, bare.http), (0, 0, 0));
        assert_eq!(bare.clients, 336);
    }

    #[test]
    fn too_few_open_files_are_an_error_with_the_need() {
        let needed = 64 + 96 + 89 + 160 + 64;
        assert!(Shares::of(needed, NEEDS, 16_384).is_ok());
        let error = Shares::of(needed - 1, NEEDS, 16_384).unwrap_err();
        let limit = needed - 1;
        assert_eq!(error, TooFew { limit, needed });
        // A server with fewer connections needs fewer files.
        assert!(Shares::of(needed - 60, NEEDS, 4).is_ok());
    }
}
