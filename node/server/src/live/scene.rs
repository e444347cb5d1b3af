//! What a page draws: a dot for a client, or a circle for the clients of a square.

use std::collections::BTreeMap;

/// Tells one client, or one square, from another on a page: a hash of it under a key that only this process knows.
pub(super) type DotKey = u64;

/// A point on a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dot {
    /// Degrees north.
    pub(super) latitude: f64,
    /// Degrees east.
    pub(super) longitude: f64,
    /// The clients that it stands for.
    pub(super) count: usize,
    /// The server that heard the client, by its place in the topology; none for several clients.
    pub(super) server: Option<u16>,
    /// The client's time in seconds since the epoch; of several clients the middle one, by up to 16 of them.
    pub(super) time_s: Option<i64>,
    /// The client's id, to be read; empty for several clients.
    pub(super) label: Box<str>,
}

/// The dots on the map of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    /// All clients that the server knows.
    pub(super) clients: usize,
    /// Whether dots stand for the clients of squares.
    pub(super) counted: bool,
    /// By what they stand for.
    pub(super) dots: BTreeMap<DotKey, Dot>,
}
