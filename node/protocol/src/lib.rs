//! The protocols of clients, pure. The text protocol: bytes to lines, lines to commands, replies to bytes. [`resp`] is
//! that of Redis clients.
//!
//! Everything here is total: no input makes it panic, and none makes it store more than the limits
//! that [`LineReader`] was given. There are no sockets, no clock and no runtime in here. Begin with [`Command`].

#![forbid(unsafe_code)]

mod command;
mod foreign;
mod forget;
mod iamat;
mod line;
mod nearby;
mod read_buffer;
mod reply;
pub mod resp;
mod stream;
mod watch;
mod whatsat;

pub use command::{Command, Fields, InvalidCommand, InvalidOperand};
pub use foreign::Foreign;
pub use forget::Forget;
pub use iamat::{Iamat, clients_ahead};
pub use line::{LINE_BYTES_MAX, Line, LineReader, OVERSIZED_COPY_BYTES};
pub use nearby::{
    CLIENTS_MAX, Center, Nearby, REACH_KM_MAX, Within, check_corners, parse_limit, parse_reach,
};
pub use read_buffer::ReadBuffer;
pub use reply::{ACCEPTED_LINE, AtLine, GoneLine, Reply, difference_text};
pub use stream::{EndReason, StreamLine};
pub use watch::{Watch, parse_margin};
pub use whatsat::{RADIUS_KM_MAX, RESULTS_MAX, Radius, Whatsat, parse_results_max};
