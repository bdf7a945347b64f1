//! The `roadbed` program: the node agent and its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    roadbed::cli::main()
}
