//! kilter: arguments → `cli` → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    kilter::cli::main()
}
