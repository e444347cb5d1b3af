//! The second driver: whole herds of the values in this crate, on an event queue in virtual time. Without runtime,
//! sockets or threads, and with gossip as a model, one seed is one course of events, and hours of a herd take moments.
//!
//! A fault is a file in `faults`; a rule that must hold is a file in `checks`.

mod checks;
mod disk;
mod faults;
mod gossip;
mod herd;
mod links;
mod seeds;
mod server;
