//! The handle of a running lab: what tests, the demonstration and the command line do with one.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::fabric::binaries::Options;
use crate::fabric::inspect::{self, NodeReport};
use crate::fabric::record::{NodeState, Record};
use crate::fabric::{agent, down, pods, run, up};
use crate::kernel::links;
use crate::topology::Topology;

/// How long an agent may take to end.
const END: Duration = Duration::from_secs(10);

/// A lab that is up. Dropping it takes it down, unless it was found by [`Lab::find`] or left by [`Lab::leave`].
#[derive(Debug)]
pub struct Lab {
    record: Mutex<Record>,
    keep: bool,
    warnings: Vec<String>,
}

impl Lab {
    /// Brings a lab up from a topology file. When it fails half-way, what it made is removed again.
    pub fn up(file: impl AsRef<Path>, options: &Options) -> Result<Lab, Error> {
        if !nix::unistd::geteuid().is_root() {
            return Err(Error::Request(
                "a lab makes network namespaces, which needs root; run it with sudo".into(),
            ));
        }
        let topology = Topology::load(file.as_ref())?;
        let mut record = up::begin(&topology, options)?;
        if let Err(e) = up::build(&mut record, &topology, options) {
            let _ = down::take_down(&mut record);
            return Err(e);
        }
        Ok(Lab {
            record: Mutex::new(record),
            keep: false,
            warnings: topology.warnings,
        })
    }

    /// The lab of this name, where it is up.
    pub fn find(name: &str) -> Result<Option<Lab>, Error> {
        let record = Record::load(name)?;
        Ok(record.map(|record| Lab {
            record: Mutex::new(record),
            keep: true,
            warnings: Vec::new(),
        }))
    }

    /// The names of all labs that are up, of whoever made them.
    pub fn names() -> Vec<String> {
        let entries = std::fs::read_dir(super::record::ROOT);
        let names = entries.into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }

    /// Takes the lab down. Returns what did not go as it should; the lab is gone all the same.
    pub fn down(mut self) -> Result<Vec<String>, Error> {
        self.keep = true;
        down::take_down(&mut self.lock())
    }

    /// Leaves the lab up when the handle is dropped.
    pub fn leave(mut self) {
        self.keep = true;
    }

    /// The lab's name.
    pub fn name(&self) -> String {
        self.lock().state.lab.clone()
    }

    /// What the topology file says that has no meaning here.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Names of the nodes of a kind: `frr`, `roadbed`, `host` or `pod`.
    pub fn nodes(&self, kind: &str) -> Vec<String> {
        let record = self.lock();
        record
            .state
            .nodes
            .iter()
            .filter(|(_, n)| n.kind == kind)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// What is up, and how it is.
    pub fn inspect(&self) -> Result<Vec<NodeReport>, Error> {
        inspect::report(&self.lock())
    }

    /// Runs a program inside a node to its end and returns what it wrote.
    pub fn exec<S: AsRef<OsStr>>(&self, node: &str, argv: &[S]) -> Result<Output, Error> {
        run::output(&self.node(node)?, argv)
    }

    /// The same, where anything but success is a failure; returns its standard output.
    pub fn exec_ok<S: AsRef<OsStr>>(&self, node: &str, argv: &[S]) -> Result<String, Error> {
        let done = self.exec(node, argv)?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let words: Vec<_> = argv.iter().map(|w| w.as_ref().to_string_lossy()).collect();
        let text = [&done.stdout[..], &done.stderr[..]].concat();
        Err(Error::Command {
            node: node.to_owned(),
            command: words.join(" "),
            status: done.status.to_string(),
            output: crate::fabric::record::last_lines(&String::from_utf8_lossy(&text)),
        })
    }

    /// Runs `roadbed ARGUMENTS -o json` inside a node and returns what it answers.
    pub fn roadbed_json(&self, node: &str, arguments: &[&str]) -> Result<serde_json::Value, Error> {
        let program = self.roadbed()?;
        let argv = [&[program.as_str()], arguments, &["-o", "json"]].concat();
        let text = self.exec_ok(node, &argv)?;
        serde_json::from_str(&text).map_err(|e| {
            Error::Request(format!(
                "node {node}: `roadbed {}` wrote no JSON: {e}",
                arguments.join(" ")
            ))
        })
    }

    /// The `roadbed` program that plays in this lab.
    pub fn roadbed(&self) -> Result<String, Error> {
        let record = self.lock();
        let program = record
            .state
            .roadbed
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned());
        program.ok_or_else(|| Error::Request(format!("lab {} has no roadbed node", record.state.lab)))
    }

    /// Agents that are started from now on run this program: an upgrade.
    pub fn set_roadbed(&self, program: impl Into<std::path::PathBuf>) -> Result<(), Error> {
        let mut record = self.lock();
        record.state.roadbed = Some(program.into());
        record.save()
    }

    /// Starts a program inside a node, its output piped. It ends with the lab at the latest.
    pub fn spawn<S: AsRef<OsStr>>(&self, node: &str, argv: &[S]) -> Result<Child, Error> {
        self.spawn_with(node, argv, |command| {
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        })
    }

    /// The same with streams and environment as `configure` sets them.
    pub fn spawn_with<S: AsRef<OsStr>>(
        &self,
        node: &str,
        argv: &[S],
        configure: impl FnOnce(&mut Command) + Send,
    ) -> Result<Child, Error> {
        run::spawn(&self.node(node)?, argv, configure)
    }

    /// Runs `f` on a thread of its own in the node's namespaces.
    pub fn in_namespace<T: Send>(&self, node: &str, f: impl FnOnce() -> T + Send) -> Result<T, Error> {
        self.node(node)?.namespaces.run(f)
    }

    /// Sets an interface of a node up or down.
    pub fn set_link(&self, node: &str, interface: &str, up: bool) -> Result<(), Error> {
        let what = format!("set {node}:{interface} {}", if up { "up" } else { "down" });
        self.in_namespace(node, || links::set_up(interface, up))?
            .map_err(Error::system(what))
    }

    /// Sets a variable in the environment of whatever is started on a node from now on.
    pub fn set_env(&self, node: &str, name: &str, value: &str) -> Result<(), Error> {
        let mut record = self.lock();
        record
            .node_mut(node)?
            .env
            .insert(name.to_owned(), value.to_owned());
        record.save()
    }

    /// Starts the agent of a node.
    pub fn start_agent(&self, node: &str) -> Result<(), Error> {
        agent::start(&mut self.lock(), node)
    }

    /// Waits until the agent of a node answers on its socket.
    pub fn wait_agent(&self, node: &str, deadline: Duration) -> Result<(), Error> {
        let record = self.lock().clone();
        agent::wait_answering(&record, node, deadline)
    }

    /// Ends the agent of a node with SIGTERM and waits until it is gone.
    pub fn stop_agent(&self, node: &str) -> Result<(), Error> {
        agent::end(&mut self.lock(), node, Signal::SIGTERM, END)
    }

    /// Ends the agent of a node with SIGKILL and waits until it is gone.
    pub fn kill_agent(&self, node: &str) -> Result<(), Error> {
        agent::end(&mut self.lock(), node, Signal::SIGKILL, END)
    }

    /// What a process of a node has written: `agent`, `zebra`, `bgpd`, `cmd`.
    pub fn log(&self, node: &str, process: &str) -> String {
        let path = self.lock().log(node, process);
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    /// Plugs a pod in that is not.
    pub fn add_pod(&self, pod: &str, deadline: Duration) -> Result<IpAddr, Error> {
        pods::add(&mut self.lock(), pod, deadline)
    }

    /// Plugs a pod out.
    pub fn delete_pod(&self, pod: &str) -> Result<(), Error> {
        pods::del(&mut self.lock(), pod)
    }

    /// The address of a pod that is plugged in.
    pub fn pod_address(&self, pod: &str) -> Result<IpAddr, Error> {
        let node = self.node(pod)?;
        let address = node.pod.and_then(|p| p.address);
        address.ok_or_else(|| Error::Request(format!("{pod} is no pod, or is not plugged in")))
    }

    fn node(&self, name: &str) -> Result<NodeState, Error> {
        self.lock().node(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let result = down::take_down(&mut self.lock());
        for complaint in result.unwrap_or_else(|e| vec![e.to_string()]) {
            eprintln!("lab: {complaint}");
        }
    }
}
