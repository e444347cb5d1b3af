//! The `herd` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(herd_node::cli::run(std::env::args_os()))
}
