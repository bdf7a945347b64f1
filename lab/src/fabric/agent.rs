//! `roadbed agent` as the inhabitant of a node.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::fabric::record::{Daemon, Record, tail};
use crate::fabric::run;
use crate::topology::Node;
use crate::wait;

/// The agent's name among a node's processes.
pub const NAME: &str = "agent";

const CONFIG: &str = "/etc/roadbed/agent.yaml";
const SOCKET: &str = "/run/roadbed/agent.sock";

/// Copies the startup configuration to where the agent looks for it.
pub fn prepare(record: &Record, node: &str, spec: &Node) -> Result<(), Error> {
    let Some(file) = &spec.startup_config else {
        return Ok(());
    };
    let text = std::fs::read(file).map_err(Error::system(format!("read {}", file.display())))?;
    let write = || std::fs::create_dir_all("/etc/roadbed").and_then(|()| std::fs::write(CONFIG, text));
    record
        .node(node)?
        .namespaces
        .run(write)?
        .map_err(Error::system(format!("write {CONFIG} on node {node}")))
}

/// Starts the agent.
pub fn start(record: &mut Record, node: &str) -> Result<(), Error> {
    if running(record, node)?.is_some() {
        return Err(Error::Request(format!("the agent of node {node} runs already")));
    }
    let Some(program) = record.state.roadbed.clone() else {
        return Err(Error::Request(format!(
            "lab {} was made without the roadbed program",
            record.state.lab
        )));
    };
    let program = program.to_string_lossy();
    run::daemon(record, node, NAME, &[&*program, "agent", "--config", CONFIG])
}

/// Waits until the agent answers on its socket.
pub fn wait_answering(record: &Record, node: &str, deadline: Duration) -> Result<(), Error> {
    wait::until(
        deadline,
        format!("the agent of node {node} answers on {SOCKET}"),
        || {
            if answers(record, node).map_err(|e| e.to_string())? {
                return Ok(Ok(()));
            }
            match process(record, node) {
                Some(p) if !p.id.is_alive() => Ok(Err(Error::Command {
                    node: node.to_owned(),
                    command: "roadbed agent".into(),
                    status: "ended".into(),
                    output: tail(&p.log),
                })),
                Some(p) => Err(format!("nobody listens; its log ends with: {}", tail(&p.log))),
                None => Err("it was not started".into()),
            }
        },
    )?
}

/// Somebody listens on the agent's socket.
pub fn answers(record: &Record, node: &str) -> Result<bool, Error> {
    record
        .node(node)?
        .namespaces
        .run(|| UnixStream::connect(SOCKET).is_ok())
}

/// Sends the agent a signal and waits until it is gone.
pub fn end(record: &mut Record, node: &str, signal: Signal, deadline: Duration) -> Result<(), Error> {
    let Some(process) = running(record, node)?.cloned() else {
        return Err(Error::Request(format!("the agent of node {node} does not run")));
    };
    process.id.signal(signal);
    if !process.id.wait_gone(deadline) {
        return Err(Error::Timeout {
            what: format!("the end of the agent of node {node} after {signal}"),
            seconds: deadline.as_secs_f64(),
            last: format!("it runs still; its log ends with: {}", tail(&process.log)),
        });
    }
    record.node_mut(node)?.processes.retain(|p| p.name != NAME);
    record.save()
}

fn process<'a>(record: &'a Record, node: &str) -> Option<&'a Daemon> {
    record
        .state
        .nodes
        .get(node)?
        .processes
        .iter()
        .find(|p| p.name == NAME)
}

fn running<'a>(record: &'a Record, node: &str) -> Result<Option<&'a Daemon>, Error> {
    record.node(node)?;
    Ok(process(record, node).filter(|p| p.id.is_alive()))
}
