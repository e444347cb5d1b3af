//! Property tests of the pure crate. A counter-example that one of them found is kept below it, as a
//! test with a name.

#![expect(
    clippy::unwrap_used,
    reason = "what the tests share may panic as they may"
)]

mod group_codec;
mod herd;
mod merge;
mod rounds;
mod strategies;
mod texts;
