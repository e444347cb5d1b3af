//! `herd dump`.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::options::{Dump, SettingFlags};
use super::super::output::Output;
use super::ControlError;
use super::find::connect;
use super::new_file::NewFile;
use super::progress::TransferProgress;
use super::server::ControlConnection;
use crate::exit_code;
use herd_server::control::{ControlRequest, parse_end};
use herd_server::settings::Environment;

const BROKEN: &str = "the dump is not complete; try again";

/// The arguments of `herd dump`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    settings: SettingFlags<Dump>,
    /// Write to this file, which must not be there yet, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs `herd dump` and returns its exit status.
pub(crate) fn run(args: &DumpArgs) -> u8 {
    match dump(args) {
        Ok(()) => exit_code::OK,
        Err(error) => error.tell(),
    }
}

fn dump(args: &DumpArgs) -> Result<(), ControlError> {
    let Some(path) = &args.output else {
        let stdout = io::stdout();
        let progress = TransferProgress::new("{human_pos} records", !stdout.is_terminal());
        let mut output = BufWriter::new(Output::stdout());
        write_all(args, &mut output, &progress, "cannot write output")?;
        return Ok(());
    };
    let what = cannot_write(path);
    let mut file = NewFile::create(path).map_err(ControlError::file(&*what))?;
    let progress = TransferProgress::new("{human_pos} records", true);
    let records = write_all(args, &mut file, &progress, &what)?;
    file.finish().map_err(ControlError::file(&*what))?;
    drop(progress);
    super::report::complain(format_args!(
        "{records} records written to {}",
        path.display()
    ));
    Ok(())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Copies all lines of the dump, the end included, and returns the number of records.
fn write_all(
    args: &DumpArgs,
    output: &mut impl Write,
    progress: &TransferProgress,
    what: &str,
) -> Result<u64, ControlError> {
    let (stream, _) = connect(args.settings.given(), &Environment::of_process())?;
    let mut server = ControlConnection::new(stream, ControlRequest::Dump, BROKEN)?;
    let mut records = 0;
    loop {
        let end = server.next_line(|line| {
            output.write_all(line)?;
            output.write_all(b"\n")?;
            Ok(parse_end(line))
        })?;
        let Some(end) = end else {
            return Err(server.closed());
        };
        match end.map_err(ControlError::file(what))? {
            None => {
                records += 1;
                progress.add(1);
            }
            Some(Ok(end)) if end.records == records => break,
            Some(_) => return Err(server.not_understood()),
        }
    }
    output.flush().map_err(ControlError::file(what))?;
    Ok(records)
}
