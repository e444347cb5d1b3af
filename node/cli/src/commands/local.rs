//! `herd local`: a herd of processes, from its settings to its end.

use std::pin::pin;
use std::time::Duration;

use tokio::runtime;
use tokio_util::sync::CancellationToken;

use super::options::{Local, SettingFlags};
use super::report;
use super::stop_signals::StopSignals;
use crate::local::{Orders, Program};
use crate::{exit_code, local};
use herd_server::config::LocalSettings;
use herd_server::logging::LogFormat;
use herd_server::open_files;
use herd_server::settings::{Command, Environment};

/// How long the end waits for a standard error that does not take the last lines.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn run(flags: &SettingFlags<Local>) -> u8 {
    let environment = Environment::of_process();
    let format = report::log_format(Command::Local, flags.given(), &environment);
    let settings = match LocalSettings::load(flags.given(), &environment) {
        Ok(settings) => settings,
        Err(mistakes) => {
            report::complain_in(format, mistakes);
            return exit_code::USAGE;
        }
    };
    if let Some(warning) = report::unknown_variables(&environment, Command::Local) {
        report::complain_in(format, format_args!("warning: {warning}"));
    }
    if let Err(error) = open_files::raise_limit() {
        report::complain_in(
            format,
            format_args!("warning: cannot raise the limit of open files: {error}"),
        );
    }
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report::complain_in(format, format_args!("cannot start: {error}"));
            return exit_code::INTERNAL;
        }
    };
    runtime.block_on(supervise(settings, format))
}

/// The program as its user called it.
fn typed_program() -> String {
    let typed = std::env::args_os().next().unwrap_or_default();
    let typed = typed.to_string_lossy();
    if typed.is_empty() {
        "herd".to_owned()
    } else {
        typed.into_owned()
    }
}

async fn supervise(settings: LocalSettings, format: LogFormat) -> u8 {
    let mut signals = match StopSignals::install_for_servers() {
        Ok(signals) => signals,
        Err(error) => {
            report::complain_in(format, format_args!("cannot listen for signals: {error}"));
            return exit_code::INTERNAL;
        }
    };
    let program = match std::env::current_exe() {
        Ok(path) => Program {
            path,
            typed: typed_program(),
        },
        Err(error) => {
            report::complain_in(
                format,
                format_args!("cannot find the program to start: {error}"),
            );
            return exit_code::INTERNAL;
        }
    };
    let stop = CancellationToken::new();
    let kill = CancellationToken::new();
    let orders = Orders {
        stop: stop.clone(),
        kill: kill.clone(),
        reopen: signals.reopen(),
    };
    let mut herd = pin!(local::run(settings, &program, orders));
    loop {
        tokio::select! {
            ended = &mut herd => return match ended {
                Ok(()) => exit_code::OK,
                Err(error) => {
                    report::complain_within(LAST_WORDS_PATIENCE, format, error.to_string());
                    error.exit_code()
                }
            },
            signal = signals.next() => {
                if stop.is_cancelled() {
                    kill.cancel();
                } else {
                    let told = format!("{signal}: stopping all servers");
                    report::complain_within(Duration::ZERO, format, told);
                    stop.cancel();
                }
            }
        }
    }
}
