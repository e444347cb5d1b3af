//! The `herd` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(herd_cli::commands::run(std::env::args_os()))
}
