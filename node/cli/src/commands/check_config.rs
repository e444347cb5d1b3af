//! `herd check-config`: everything that `herd serve` does before it starts anything.

use std::io::Write as _;

use super::options::{Serve, SettingFlags};
use super::output::Output;
use super::report;
use crate::exit_code;
use herd_server::config::ServeSettings;
use herd_server::memory::MemoryLimit;
use herd_server::open_files;
use herd_server::settings::{Command, Environment};

pub(super) fn run(flags: &SettingFlags<Serve>) -> u8 {
    let environment = Environment::of_process();
    if let Some(warning) = report::unknown_variables(&environment, Command::Serve) {
        report::complain(format_args!("warning: {warning}"));
    }
    match ServeSettings::load(flags.given(), &environment) {
        Ok(settings) => {
            for warning in &settings.warnings {
                report::complain(format_args!("warning: {warning}"));
            }
            match write!(Output::stdout(), "{settings}") {
                Ok(()) => this_machine_suffices(&settings),
                Err(error) => report::cannot_print(&error),
            }
        }
        Err(mistakes) => {
            report::complain(mistakes);
            exit_code::USAGE
        }
    }
}

/// Prints the effect of this machine's memory and of its limit of open files on a server.
fn this_machine_suffices(settings: &ServeSettings) -> u8 {
    let mut limits = settings.limits.clone();
    limits.fit_memory(MemoryLimit::of_process());
    if let Err(error) = writeln!(Output::stdout(), "here it {}", limits.room) {
        return report::cannot_print(&error);
    }
    if let Some(warning) = limits.room.warning() {
        report::complain(format_args!("warning: {warning}"));
    }
    let Ok((_, limit)) = open_files::limits() else {
        return exit_code::OK;
    };
    match settings.share_open_files(limit) {
        Ok(shares) => {
            if shares.clients < settings.limits.connections_max {
                report::complain(format_args!(
                    "warning: connections of clients are fewer than connections_max: {shares}"
                ));
            }
            exit_code::OK
        }
        Err(error) => {
            report::complain(error);
            exit_code::SYSTEM
        }
    }
}
