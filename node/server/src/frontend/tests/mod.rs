//! Whole connections over loopback sockets: every sentence of the client protocol.

mod access;
mod acknowledged;
mod bulk;
mod certified;
mod flow;
mod foreign;
mod forget;
mod iamat;
mod limits;
mod lines;
mod nearby;
mod resp;
mod resp_rights;
mod server;
mod stop;
mod watch;
mod watch_encrypted;
mod watch_limits;
mod watch_tokens;
mod whatsat;
