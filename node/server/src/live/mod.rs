//! The live page at `/`: a map of the world with the clients where they are, the herd's links, and its
//! figures over time.
//!
//! The files in `page/` are a part of the program; `assets` hands them out. Changes come as server-sent events. For
//! each page that is open, the `sampler` walks over the map a few times a second, which costs reports nothing but a
//! short hold of one shard's lock at a time; `thinning` makes of all clients no more dots than a page can draw, and
//! `feed` sends what changed since the last event that the page took. There is no queue: a slow page misses moves,
//! and delays nothing.

mod assets;
mod changes;
mod client_text;
mod event;
mod feed;
mod figures;
mod herd_picture;
mod link_ends;
mod question;
mod record_view;
mod routes;
mod sampler;
mod thinning;
mod viewers;
mod viewport;

pub use feed::LivePages;
pub use figures::{Figures, PropagationCounts};
pub use herd_picture::HerdSource;
pub use question::{InvalidQuestion, PageQuestion};
pub use routes::routes;
pub use viewport::InvalidViewport;

/// The most dots that a page is sent; where there are more clients, each dot stands for those of one cell.
pub const DOTS_MAX: usize = 2_500;
