//! Limits on the resources of clients, and counts of refusals.

mod pace;
mod quiet;
mod reply_budget;
mod settings;
mod statistics;

pub(super) use pace::Pace;
pub(super) use quiet::{Overdue, Quiet};
pub(super) use reply_budget::{ReplyBudget, ReplyShare};
pub use settings::Limits;
pub use statistics::LimitStatistics;
