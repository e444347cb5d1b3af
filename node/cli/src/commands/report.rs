//! Messages of the program itself, before there is a log or beside it.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::exit_code;
use herd_clock::clock::{SystemClock, WallClock as _, rfc3339_millis};
use herd_server::logging::LogFormat;
use herd_server::settings::{Command, Environment, Flags, Resolver, Setting};
use herd_text::printable::PrintableStream;

/// Writes a message to standard error. A closed standard error is not a failure.
pub(super) fn complain(message: impl Display) {
    complain_of("herd", message);
}

/// The same in the name of a part of the program. Text from others in the message cannot steer a terminal.
pub(super) fn complain_of(who: &str, message: impl Display) {
    let message = PrintableStream::default().of(format!("{who}: {message}\n").as_bytes());
    let _ = io::stderr().write_all(&message);
}

/// Writes a message of a command that runs servers, in the form in which it logs: with `--log-format=json` no line of
/// its standard error is prose.
pub(super) fn complain_in(format: LogFormat, message: impl Display) {
    match format {
        LogFormat::Text => complain(message),
        LogFormat::Json => {
            let line = serde_json::json!({
                "timestamp": rfc3339_millis(SystemClock.now_ns()),
                "level": "ERROR",
                "message": message.to_string(),
                "target": "herd_cli",
            });
            let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
        }
    }
}

/// The form of log lines that flags and variables name, before settings are checked.
pub(super) fn log_format(command: Command, flags: &Flags, environment: &Environment) -> LogFormat {
    let given = Resolver::new(command, flags, environment).given(Setting::LogFormat);
    let format = given.and_then(|given| given.text.parse().ok());
    format.unwrap_or(LogFormat::Text)
}

/// Reports that a result could not be printed, unless its reader has closed it, as in `herd status | head -1`.
/// Returns the exit status.
pub(super) fn cannot_print(error: &io::Error) -> u8 {
    if error.kind() != io::ErrorKind::BrokenPipe {
        complain(format_args!("cannot print: {error}"));
    }
    exit_code::IO
}

/// Writes a message to standard error from another thread, and waits for that no longer than `patience`, because
/// standard error may not be read.
pub(super) fn complain_within(patience: Duration, format: LogFormat, message: String) {
    let (done, is_done) = sync_channel(1);
    let complaining = std::thread::Builder::new().name("complain".to_owned());
    let started = complaining.spawn(move || {
        complain_in(format, message);
        let _ = done.send(());
    });
    if started.is_ok() {
        // The message is written, or standard error is not read.
        let _ = is_done.recv_timeout(patience);
    }
}

/// The warning about variables that no setting reads, most likely misspelt.
pub(super) fn unknown_variables(environment: &Environment, command: Command) -> Option<String> {
    let unknown = environment.unknown(command);
    let verb = if unknown.len() == 1 { "is" } else { "are" };
    let names: Vec<&str> = unknown.iter().map(|(name, _)| *name).collect();
    let meant = unknown.iter().filter_map(|(_, meant)| meant.as_deref());
    let meant: String = meant.map(|meant| format!("; {meant} would be")).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("{names} {verb} not read by this command{meant}")
    })
}
