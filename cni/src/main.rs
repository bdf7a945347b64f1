//! `roadbed-cni`: the CNI plugin (CNI specification 1.0.0, also 0.4.0 and 0.3.1).
//!
//! It does nothing itself. A runtime starts it for each verb with parameters in the environment ([`env`]) and
//! the network configuration on stdin ([`netconf`]); it carries ADD and DEL over the agent's Unix socket
//! ([`verbs`]) and prints what the agent answers in the form of the version asked for ([`result`]), or an
//! error object ([`error`]). It keeps no state, and it never panics on anything it is given.

mod args;
mod env;
mod error;
mod netconf;
mod result;
mod verbs;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use error::CniError;

/// The longest network configuration that is read, in bytes.
const MAX_STDIN: u64 = 4 << 20;

fn main() -> ExitCode {
    let mut stdin = Vec::new();
    let read = io::stdin().lock().take(MAX_STDIN).read_to_end(&mut stdin);
    let (version, outcome) = match read {
        Ok(_) => verbs::run(&|key| std::env::var_os(key), &stdin),
        Err(e) => (
            result::NEWEST.to_owned(),
            Err(CniError::io(format!("cannot read stdin: {e}"))),
        ),
    };
    let (output, code) = match outcome {
        Ok(Some(value)) => (Some(value), ExitCode::SUCCESS),
        Ok(None) => (None, ExitCode::SUCCESS),
        Err(error) => (Some(error.to_json(&version)), ExitCode::FAILURE),
    };
    let Some(output) = output else { return code };
    match writeln!(io::stdout().lock(), "{output}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
