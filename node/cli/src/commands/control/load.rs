//! `herd load`.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::options::{Dump, SettingFlags};
use super::ControlError;
use super::find::connect;
use super::progress::TransferProgress;
use super::report::complain;
use super::server::ControlConnection;
use crate::exit_code;
use herd_files::byte_order_mark;
use herd_server::control::{ControlRequest, DumpLoadReport, LoadCounts, ReportLine};
use herd_server::settings::Environment;

/// How much is read and sent at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

const BROKEN: &str =
    "some records may have been taken in, and some not; load them all again, it does no harm";

/// The arguments of `herd load`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    settings: SettingFlags<Dump>,
    /// The records, as `herd dump` writes them; `-` or nothing is standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs `herd load` and returns its exit status.
pub(crate) fn run(args: &LoadArgs) -> u8 {
    let input = match open(args) {
        Ok(input) => input,
        Err(status) => return status,
    };
    match load(args, input) {
        Ok(status) => status,
        Err(error) => error.tell(),
    }
}

fn open(args: &LoadArgs) -> Result<Box<dyn Read>, u8> {
    match args.file.as_deref() {
        Some(path) if path != Path::new("-") => {
            match File::open(path).and_then(byte_order_mark::skip_in) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(ControlError::File {
                    what: format!("cannot read {}", path.display()),
                    source: error,
                }
                .tell()),
            }
        }
        None if io::stdin().is_terminal() => {
            complain("name the file to load, or `-` to type records");
            Err(exit_code::USAGE)
        }
        _ => Ok(Box::new(io::stdin())),
    }
}

fn load(args: &LoadArgs, mut input: Box<dyn Read>) -> Result<u8, ControlError> {
    let (stream, _) = connect(args.settings.given(), &Environment::of_process())?;
    let mut server = ControlConnection::new(stream, ControlRequest::Load, BROKEN)?;
    let progress = TransferProgress::new("{decimal_bytes} sent", true);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(bytes) => {
                server.write(piece.get(..bytes).unwrap_or_default())?;
                progress.add(bytes as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                let what = format!("cannot read on; {BROKEN}");
                return Err(ControlError::File { what, source });
            }
        }
    }
    drop(input);
    server.sent_all()?;
    let (report, unconfirmed) = answer(&mut server)?;
    drop(progress);
    tell(&report, unconfirmed.as_deref())
}

/// The result, and the reason if it is not confirmed.
fn answer(
    server: &mut ControlConnection,
) -> Result<(DumpLoadReport, Option<String>), ControlError> {
    let mut report = DumpLoadReport::default();
    let mut loaded = false;
    loop {
        let Some(line) = server.next_line(ReportLine::parse)? else {
            return Err(server.closed());
        };
        match line {
            Some(ReportLine::Wait) => {}
            Some(ReportLine::Invalid(line)) => report.invalid.push(line),
            Some(ReportLine::Loaded(counts)) => {
                report.counts = counts;
                loaded = true;
            }
            Some(ReportLine::Confirmed) if loaded => return Ok((report, None)),
            Some(ReportLine::Unconfirmed(reason)) if loaded => return Ok((report, Some(reason))),
            _ => return Err(server.not_understood()),
        }
    }
}

fn tell(report: &DumpLoadReport, unconfirmed: Option<&str>) -> Result<u8, ControlError> {
    for invalid in &report.invalid {
        complain(format_args!("line {}: {}", invalid.line, invalid.reason));
    }
    let not_listed = report
        .counts
        .invalid
        .saturating_sub(report.invalid.len() as u64);
    if not_listed > 0 {
        complain(format_args!(
            "and {not_listed} more lines that are not valid"
        ));
    }
    if !report.counts.ended && report.counts.invalid == 0 {
        complain("warning: no END line came, so these may not be all records");
    }
    let LoadCounts {
        new,
        newer,
        same,
        older,
        invalid,
        ..
    } = report.counts;
    let said = writeln!(
        io::stdout(),
        "{} records: {new} new, {newer} newer than known, {same} known, {older} older than known; \
         {invalid} invalid lines",
        report.counts.records()
    );
    said.map_err(ControlError::file("cannot write output"))?;
    if let Some(reason) = unconfirmed {
        complain(format_args!(
            "the records were taken in, but not confirmed: {reason}; load them again, it does no harm"
        ));
        return Ok(exit_code::UNCONFIRMED);
    }
    Ok(if invalid > 0 {
        exit_code::DATA
    } else {
        exit_code::OK
    })
}
