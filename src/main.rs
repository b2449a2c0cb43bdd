//! Parses, runs, and maps the outcome to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tcg_radar::cli::main().into()
}
