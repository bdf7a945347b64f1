//! `roadbed-vm`: by hand, it runs one program inside a machine; inside, it is the machine's first process and the
//! kernel's `modprobe`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use vm::{Job, Machine, Status};

/// Runs one program inside a small virtual machine that has this machine's files.
#[derive(Parser)]
struct Arguments {
    /// The kind of machine.
    machine: Kind,
    /// Kernel modules to load first, comma-separated.
    #[arg(long, short, value_delimiter = ',')]
    modules: Vec<String>,
    /// Seconds until the machine is killed.
    #[arg(long, short, default_value_t = 120)]
    deadline: u64,
    /// Print the console and the times at the end.
    #[arg(long, short)]
    verbose: bool,
    /// The program, by its path, and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Uml,
    Qemu,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if std::process::id() == 1 {
        vm::guest::first_process();
        return ExitCode::FAILURE;
    }
    let called = arguments.first().map(String::as_str).unwrap_or_default();
    if called.rsplit('/').next() == Some("modprobe") {
        return ExitCode::from(u8::from(!vm::guest::modprobe(&arguments[1..])));
    }
    by_hand(&Arguments::parse())
}

fn by_hand(arguments: &Arguments) -> ExitCode {
    let machine = match arguments.machine {
        Kind::Uml => Machine::Uml,
        Kind::Qemu => Machine::Qemu,
    };
    let Some((program, rest)) = arguments.program.split_first() else {
        return ExitCode::from(2);
    };
    let job = Job::new(program, Duration::from_secs(arguments.deadline))
        .args(rest.iter().cloned())
        .modules(arguments.modules.iter().cloned());
    match machine.run(&job, &mut std::io::stdout()) {
        Ok(outcome) => {
            if arguments.verbose {
                eprintln!("{}", outcome.console);
                eprintln!(
                    "{:?}; up after {:.2?}, off after {:.2?}",
                    outcome.status, outcome.boot, outcome.total
                );
            }
            match outcome.status {
                Status::Exited(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
                Status::Killed(signal) => {
                    ExitCode::from(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)))
                }
            }
        }
        Err(error) => {
            eprintln!("roadbed-vm: {error}");
            ExitCode::FAILURE
        }
    }
}
