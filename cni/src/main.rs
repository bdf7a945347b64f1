//! `roadbed-cni`: the CNI plugins `roadbed` and `roadbed-ipam` (CNI specification 0.3.0 to 1.1.0).
//!
//! It does nothing itself. A runtime starts it for each verb, by one of its two names ([`program`]), with parameters
//! in the environment ([`env`], [`args`]) and the network configuration on stdin ([`netconf`], [`prev`]); it carries
//! the verb over the agent's Unix socket ([`verbs`], [`agent`]) and prints what the agent answers in the form of the
//! version asked for ([`version`], [`result`]), or an error object ([`error`]). It keeps no state but DELs that wait
//! for an agent that is away, and it never panics on anything it is given.

mod agent;
mod args;
mod env;
mod error;
mod netconf;
mod prev;
mod program;
mod result;
mod verbs;
mod version;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use error::CniError;
use program::Program;

/// The longest network configuration that is read, in bytes: GC lists every pod of a node.
const MAX_STDIN: u64 = 16 << 20;

fn main() -> ExitCode {
    let program = Program::of(std::env::args_os().next().as_deref());
    let mut stdin = Vec::new();
    let read = io::stdin().lock().take(MAX_STDIN).read_to_end(&mut stdin);
    let (version, outcome) = match read {
        Ok(_) => verbs::run(program, &|key| std::env::var_os(key), &stdin),
        Err(e) => (
            version::NEWEST,
            Err(CniError::io(format!("cannot read stdin: {e}"))),
        ),
    };
    let (output, code) = match outcome {
        Ok(Some(value)) => (value, ExitCode::SUCCESS),
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => (error.to_json(version.as_str()), ExitCode::FAILURE),
    };
    match writeln!(io::stdout().lock(), "{output}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
