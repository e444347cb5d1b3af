//! The command line: the commands, and the parts of the program that each command uses.

pub mod bench;
mod certs;
mod check_config;
mod command;
mod connect;
mod control;
mod demo;
mod forget;
mod generated;
mod interval;
mod local;
mod near;
mod options;
mod order;
mod output;
pub mod places;
mod report;
pub mod send;
mod serve;
mod status;
mod stdin_pipe;
mod stop_signals;
mod store;
mod token;
mod top;
mod watch;

pub use command::run;
pub use serve::STOP_GRACE;
