//! The second driver: whole herds of the values in this crate, on an event queue in virtual time. Without runtime,
//! sockets or threads, and with gossip as a model, one seed is one course of events, and hours of a herd take moments.
//!
//! A fault is a file in `faults`; a rule that must hold is a file in `checks`.

mod befall;
mod checks;
mod clock;
mod disk;
mod eraser;
mod erasing;
mod faults;
mod floor;
mod gossip;
mod herd;
mod links;
mod publish;
mod seeds;
mod server;
mod topology;
