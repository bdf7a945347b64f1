//! One verb: read what the runtime gives, ask the agent, form the answer.
//!
//! Each verb has its file; here they are told apart, and what both programs answer alike: VERSION, STATUS and GC.

mod add;
mod check;
mod del;
mod ipam;

use std::time::Duration;

use config::api::cni::{CniCollected, CniGc, CniReadiness};
use serde_json::{Map, Value};

use crate::agent;
use crate::env::{self, Command, Lookup};
use crate::error::{CniError, Code};
use crate::netconf::{NetConf, attachments, version_of};
use crate::program::Program;
use crate::result;
use crate::version::{NEWEST, Version};

/// What is printed: a result, nothing, or an error.
pub type Outcome = Result<Option<Value>, CniError>;

/// Runs the verb that the environment names; with the version that an error names.
pub fn run(program: Program, env: Lookup<'_>, stdin: &[u8]) -> (Version, Outcome) {
    let asked = version_of(stdin);
    let version = asked.as_deref().and_then(Version::parse).unwrap_or(NEWEST);
    let outcome = env::command(env).and_then(|command| match command {
        Command::Version => versions(asked.as_deref(), stdin),
        Command::Add => match program {
            Program::Main => add::run(env, stdin).map(Some),
            Program::Ipam => ipam::add(env, stdin).map(Some),
        },
        Command::Del => del::run(env, stdin).map(|()| None),
        Command::Check => check::run(program, env, stdin).map(|()| None),
        Command::Gc => gc(stdin).map(|()| None),
        Command::Status => status(stdin).map(|()| None),
    });
    (version, outcome)
}

/// An empty stdin is a runtime that asks before it has a configuration.
fn versions(asked: Option<&str>, stdin: &[u8]) -> Outcome {
    let empty = stdin.iter().all(u8::is_ascii_whitespace);
    if !empty {
        serde_json::from_slice::<Map<String, Value>>(stdin)
            .map_err(|e| CniError::decode(format!("cannot read stdin: {e}"), "it has to be a JSON object"))?;
    }
    Ok(Some(result::versions(asked)))
}

/// What could not be removed is an error after everything else is removed, as the specification asks.
fn gc(stdin: &[u8]) -> Result<(), CniError> {
    let conf = NetConf::parse(stdin)?;
    conf.version.has("GC", Version::V1_1_0)?;
    let request = CniGc {
        valid: attachments::valid(&conf)?,
        network: conf.name.clone(),
    };
    let collected: CniCollected =
        agent::post(&conf.socket(), "/v1/cni/gc", &request).map_err(agent::Failure::into_error)?;
    match collected.failed.len() {
        0 => Ok(()),
        failed => {
            let message = format!("{failed} attachments could not be removed; the next GC tries again");
            Err(CniError::new(
                Code::TryAgainLater,
                message,
                collected.failed.join("; "),
            ))
        }
    }
}

/// How long STATUS waits: runtimes ask every few seconds, and an agent that does not answer is one that is not available.
const STATUS_PATIENCE: Duration = Duration::from_secs(5);

/// Codes 50 and 51 say whether pods that run are affected, too. Those that run do without an agent.
fn status(stdin: &[u8]) -> Result<(), CniError> {
    let conf = NetConf::parse(stdin)?;
    conf.version.has("STATUS", Version::V1_1_0)?;
    let ready: CniReadiness = agent::get_within(STATUS_PATIENCE, &conf.socket(), "/v1/cni/status").map_err(
        |failure| match failure {
            agent::Failure::Final(error) => error,
            passing => CniError {
                code: Code::NotAvailable,
                ..passing.into_error()
            },
        },
    )?;
    let (code, message) = match (ready.connected, ready.available) {
        (true, true) => return Ok(()),
        (true, false) => (Code::NotAvailable, "pods cannot be added now"),
        (false, _) => (
            Code::LimitedConnectivity,
            "the node's routing is not ready: pods may not be reached",
        ),
    };
    Err(CniError::new(code, message, ready.reasons.join("; ")))
}

#[cfg(test)]
mod tests;
