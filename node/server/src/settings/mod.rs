//! The table of settings, and the ways in which a value is given.
//!
//! Begin with `table.rs`: one entry there is one setting, with its name, type, default, unit, group and
//! text. Flag, variable, key of the configuration file, `--help`, the manual page, completions, the report of
//! `herd check-config` and the tables of docs/configuration.md are made from it, and [`Values`] has a field for it.
//!
//! A flag wins over a variable, a variable over the configuration file, and the file over the default: [`Resolver`]
//! holds that order, for every command. Nothing here decides how settings act together; [`crate::config`] does.

mod command;
mod definition;
#[cfg(test)]
mod document_tests;
mod environment;
mod file;
mod group;
mod kinds;
mod mistake;
mod nearest;
#[cfg(test)]
mod precedence_tests;
#[cfg(test)]
mod quoted_default_tests;
mod report;
mod resolver;
mod source;
mod table;

pub use command::Command;
pub use definition::Ways;
pub use environment::Environment;
pub use group::Group;
pub use kinds::{Durations, Kind, Secret, TileTemplate, duration};
pub use mistake::{ConfigError, Mistake};
pub use report::Row;
pub(crate) use report::write as write_report;
pub use resolver::Resolver;
pub use source::{Flags, Given, Origin, Source};
pub use table::{DATA_DIR, EXPIRE_AFTER, RESP_PORT_BASE, Setting, Values};
