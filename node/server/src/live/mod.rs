//! The live page at `/`: a map of the world with the clients where they are, the herd's links, and its
//! figures over time.
//!
//! The files in `page/` are a part of the program; `assets` hands them out. Changes come as server-sent events. For each
//! page that is open, the `sampler` makes a scene a few times a second: `survey` counts the clients of squares in the
//! grid, which also answers NEARBY, and looks up the records of those that are a dot of their own; so a scene costs as
//! much as the page shows, and not as much as there are clients. `feed` sends the changes since the last scene that the
//! page took. There is no queue: a slow page misses moves, and delays nothing.

mod assets;
mod changes;
mod client_text;
mod event;
mod feed;
mod figures;
mod find;
mod herd_picture;
mod link_ends;
mod map_tiles;
mod question;
mod record_view;
mod routes;
mod sampler;
mod scene;
mod survey;
mod viewers;
mod viewport;

pub use feed::{LivePages, LiveSettings, LiveSources};
pub use figures::{Figures, PropagationCounts};
pub use herd_picture::HerdSource;
pub use map_tiles::MapTiles;
pub use question::{InvalidQuestion, PageQuestion};
pub use routes::routes;
pub use viewport::InvalidViewport;

/// The most dots that a page is sent.
const DOTS_MAX: usize = 2_500;

/// Up to this number of clients in view, each is a dot of its own. Of more, a dot stands for those of one square.
const APART_MAX: usize = 500;
