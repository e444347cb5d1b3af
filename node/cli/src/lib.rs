//! The `herd` program: the command line, and a whole herd on one machine.
//!
//! Nothing here serves clients or replicates; each command of [`commands`] combines other crates. [`local`] runs five
//! servers as processes of their own and watches them.

#![forbid(unsafe_code)]

pub mod commands;
pub mod exit_code;
pub mod local;
