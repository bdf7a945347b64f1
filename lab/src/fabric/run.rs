//! Starting programs inside nodes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::error::Error;
use crate::fabric::record::{Daemon, NodeState, Record, last_lines};
use crate::kernel::process;

/// Runs a program inside the node to its end.
pub fn output<S: AsRef<OsStr>>(node: &NodeState, argv: &[S]) -> Result<Output, Error> {
    let mut command = command(node, argv)?;
    let what = describe(&command);
    node.namespaces
        .run(move || command.stdin(Stdio::null()).output())?
        .map_err(Error::system(what))
}

/// Starts a program inside the node; `configure` sets its streams.
pub fn spawn<S: AsRef<OsStr>>(
    node: &NodeState,
    argv: &[S],
    configure: impl FnOnce(&mut Command) + Send,
) -> Result<Child, Error> {
    let mut command = command(node, argv)?;
    let what = describe(&command);
    configure(&mut command);
    node.namespaces
        .run(move || command.spawn())?
        .map_err(Error::system(what))
}

/// Starts a daemon inside the node and records it, in the place of one of the same name.
pub fn daemon<S: AsRef<OsStr>>(record: &mut Record, node: &str, name: &str, argv: &[S]) -> Result<(), Error> {
    let path = record.log(node, name);
    let log = process::open_log(&path)?;
    let state = record.node(node)?;
    let mut command = command(state, argv)?;
    let what = format!("{} on node {node}", describe(&command));
    let started = state
        .namespaces
        .run(move || process::start_daemon(&mut command, &log))?;
    let id = started.map_err(Error::system(what))?;
    let processes = &mut record.node_mut(node)?.processes;
    processes.retain(|p| p.name != name);
    processes.push(Daemon {
        name: name.to_owned(),
        id,
        log: path,
    });
    record.save()
}

/// Runs one line of `exec`, split as a shell splits words but without a shell, and insists on success.
pub fn exec_line(record: &Record, node: &str, line: &str) -> Result<(), Error> {
    let failed = |status: String, output: String| Error::Command {
        node: node.to_owned(),
        command: line.to_owned(),
        status,
        output,
    };
    let argv =
        shlex::split(line).ok_or_else(|| failed("not run".into(), "its quotes do not match".into()))?;
    let done = output(record.node(node)?, &argv)?;
    if done.status.success() {
        return Ok(());
    }
    let text = [&done.stdout[..], &done.stderr[..]].concat();
    Err(failed(
        done.status.to_string(),
        last_lines(&String::from_utf8_lossy(&text)),
    ))
}

/// Sets a kernel parameter inside the node; `name` is dotted.
pub fn sysctl(node: &NodeState, name: &str, value: &str) -> Result<(), Error> {
    let path = Path::new("/proc/sys").join(name.replace('.', "/"));
    let what = format!("set {name} to {value}");
    node.namespaces
        .run(|| std::fs::write(path, value))?
        .map_err(Error::system(what))
}

fn command<S: AsRef<OsStr>>(node: &NodeState, argv: &[S]) -> Result<Command, Error> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Error::Request("there is no command to run".into()));
    };
    let mut command = Command::new(program);
    // The caller's settings of roadbed (which binaries to test, for one) are not the node's.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROADBED_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(&node.env);
    Ok(command)
}

fn describe(command: &Command) -> String {
    format!("start {}", command.get_program().to_string_lossy())
}
