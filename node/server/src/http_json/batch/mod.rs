//! Many reports in one request, with one answer each.
//!
//! The body is read piece by piece: `split` finds the reports in it, `execute` takes them in together, as the lines of a
//! connection are. Only the answers are kept until the body has ended, some bytes for each, for many clients read
//! nothing before they have written all.

mod answers;
mod execute;
mod handler;
mod split;

pub(super) use execute::REPORTS_PER_TURN;
pub(super) use handler::{__path_post_reports, pace, post_reports};

/// For the fuzz target of bodies: reads all reports of a body and answers none.
pub use split::split_for_fuzzing;
