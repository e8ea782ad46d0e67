//! The `dbag` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(dbag::cli::run(std::env::args_os()))
}
