//! `herd check-config`: everything that `herd serve` does before it starts anything.

use std::io::{self, Write};

use super::options::ServeOptions;
use super::report;
use crate::config::{Environment, ServeSettings, Setting};
use crate::exit_code;

pub(super) fn run(options: &ServeOptions) -> u8 {
    let environment = Environment::of_process();
    if let Some(warning) = report::unknown_variables(&environment, &Setting::SERVE) {
        report::complain(format_args!("warning: {warning}"));
    }
    match ServeSettings::load(&options.flags(), &environment) {
        Ok(settings) => match write!(io::stdout().lock(), "{settings}") {
            Ok(()) => exit_code::OK,
            Err(error) => report::cannot_print(&error),
        },
        Err(mistakes) => {
            report::complain(mistakes);
            exit_code::USAGE
        }
    }
}
