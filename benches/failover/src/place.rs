//! A fabric for one case: a topology and the files that its nodes read, in a folder that goes away with the value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use lab::kernel::process::ProcessId;
use lab::{Lab, Options};
use serde_json::Value;
use tempfile::TempDir;

use crate::leftovers;

/// Long enough for sessions to come up on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// Tells the fabrics of one run apart.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Where agents find their resources: a folder, so that an editor's rename is seen too.
const CLUSTER: &str = "/etc/roadbed/cluster";

/// What a fabric is to be.
#[derive(Debug, Default)]
pub struct Plan {
    nodes: BTreeMap<String, String>,
    links: String,
    files: BTreeMap<String, String>,
    datastore: Option<String>,
    agent: String,
    agents: Vec<String>,
}

/// A fabric that is up.
pub struct Place {
    lab: Lab,
    dir: TempDir,
    started: Vec<(Child, ProcessId)>,
}

impl Plan {
    /// An empty fabric, whose agents have these further lines in their own file.
    pub fn new(agent: &[String]) -> Plan {
        Plan {
            agent: agent.iter().map(|line| format!("{line}\n")).collect(),
            ..Plan::default()
        }
    }

    /// A node that runs the agent.
    pub fn agent(mut self, name: &str, exec: &[String]) -> Plan {
        let extra = format!("binds: [\"cluster-{name}:{CLUSTER}\"]\n      startup-config: agent.yaml");
        self.agents.push(name.to_owned());
        self.node(name, "roadbed", &extra, exec)
    }

    /// A router of FRR.
    pub fn frr(mut self, name: &str, config: &str, exec: &[String]) -> Plan {
        self.files.insert(format!("{name}.conf"), config.to_owned());
        self.node(name, "frr", &format!("startup-config: {name}.conf"), exec)
    }

    /// A host with a file `/etc/NAME.conf` and a program that runs as long as the lab is up.
    pub fn program(mut self, name: &str, config: &str, command: &str, exec: &[String]) -> Plan {
        self.files.insert(format!("{name}.conf"), config.to_owned());
        let extra = format!("binds: [\"{name}.conf:/etc/{name}.conf\"]\n      cmd: {command}");
        self.node(name, "linux", &extra, exec)
    }

    /// A plain host.
    pub fn host(self, name: &str, exec: &[String]) -> Plan {
        self.node(name, "linux", "", exec)
    }

    /// A pod of a node.
    pub fn pod(self, name: &str, on: &str) -> Plan {
        self.node(
            name,
            "linux",
            &format!("labels: {{ roadbed.dev/pod-on: {on} }}"),
            &[],
        )
    }

    /// A cable.
    pub fn link(mut self, a: &str, b: &str) -> Plan {
        let _ = writeln!(self.links, "    - endpoints: [\"{a}\", \"{b}\"]");
        self
    }

    /// A cable with a bridge in it, called `NAME`: it can be cut so that both ends lose carrier, and so that none does.
    pub fn wire(self, name: &str, a: &str, b: &str) -> Plan {
        let exec = [
            "ip link add lan type bridge",
            "ip link set lan up",
            "ip link set eth1 master lan",
            "ip link set eth2 master lan",
        ];
        self.host(name, &exec.map(str::to_owned))
            .link(a, &format!("{name}:eth1"))
            .link(b, &format!("{name}:eth2"))
    }

    /// The resources that all agents read.
    pub fn resources(mut self, text: &str) -> Plan {
        for agent in self.agents.clone() {
            self.files
                .insert(format!("cluster-{agent}/resources.yaml"), text.to_owned());
        }
        self
    }

    /// Another datastore than the folder.
    pub fn datastore(mut self, text: &str) -> Plan {
        self.datastore = Some(text.to_owned());
        for agent in self.agents.clone() {
            self.files.insert(format!("cluster-{agent}/.keep"), String::new());
        }
        self
    }

    fn node(mut self, name: &str, kind: &str, extra: &str, exec: &[String]) -> Plan {
        let mut text = format!("      kind: {kind}\n");
        if !extra.is_empty() {
            let _ = writeln!(text, "      {extra}");
        }
        if !exec.is_empty() {
            text.push_str("      exec:\n");
        }
        for line in exec {
            let _ = writeln!(text, "        - {line}");
        }
        self.nodes.insert(name.to_owned(), text);
        self
    }

    /// Makes it. Without agents, no pod is plugged in either.
    pub fn up(self, case: &str, without_agents: bool) -> anyhow::Result<Place> {
        let dir = leftovers::FOLDER.folder()?;
        let write = |name: &str, text: &str| -> anyhow::Result<()> {
            let path = dir.path().join(name);
            let parent = path.parent().context("a file lies in a folder")?;
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&path, text))
                .with_context(|| format!("cannot write {}", path.display()))
        };
        let datastore = self
            .datastore
            .unwrap_or_else(|| format!("{{ kind: file, path: {CLUSTER} }}"));
        write("agent.yaml", &format!("datastore: {datastore}\n{}", self.agent))?;
        for (name, text) in &self.files {
            write(name, text)?;
        }
        let mut topology = format!("name: {case}\ntopology:\n  nodes:\n");
        for (name, node) in &self.nodes {
            let _ = write!(topology, "    {name}:\n{node}");
        }
        write("fabric.clab.yml", &format!("{topology}  links:\n{}", self.links))?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let options = Options {
            name: Some(leftovers::fabric(number, case)),
            without_agents,
            ..Options::default()
        };
        Ok(Place {
            lab: Lab::up(dir.path().join("fabric.clab.yml"), &options)?,
            dir,
            started: Vec::new(),
        })
    }
}

impl Place {
    /// Runs a program inside a node and insists on success.
    pub fn run(&self, node: &str, line: &str) -> anyhow::Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(self.lab.exec_ok(node, &words)?)
    }

    /// Replaces the resources of an agent as a careful editor does.
    pub fn edit(&self, agent: &str, text: &str) -> anyhow::Result<()> {
        let next = self.file("next.yaml", text)?;
        let file = self.dir.path().join(format!("cluster-{agent}/resources.yaml"));
        std::fs::rename(next, file).context("cannot put the new resources in place")
    }

    /// Writes a file that every node sees.
    pub fn file(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).context("cannot write a file")?;
        Ok(path)
    }

    /// `roadbed` with these arguments on a node; its answer.
    pub fn ask(&self, node: &str, arguments: &[&str]) -> Result<Value, String> {
        self.lab.roadbed_json(node, arguments).map_err(|e| e.to_string())
    }

    /// Waits until a node has so many sessions, all are fed and it is well.
    pub fn converged(&self, node: &str, sessions: u64) -> anyhow::Result<()> {
        wait(&format!("{node} is ready"), || {
            let status = self.ask(node, &["status"])?;
            let peers = &status["peers"];
            let well =
                peers["established"] == sessions && peers["fullyFed"] == true && status["ready"] == true;
            if well { Ok(()) } else { Err(status.to_string()) }
        })
    }

    /// Waits until the kernel of a node has a route to this destination in which all these words are.
    pub fn route(&self, node: &str, destination: &str, words: &[&str]) -> anyhow::Result<()> {
        wait(&format!("{node}'s route to {destination} with {words:?}"), || {
            let text = self
                .run(node, &format!("ip route show {destination}"))
                .map_err(|e| e.to_string())?;
            let there = !text.trim().is_empty() && words.iter().all(|word| text.contains(word));
            if there { Ok(()) } else { Err(text) }
        })
    }

    /// The address of a pod.
    pub fn pod(&self, pod: &str) -> anyhow::Result<IpAddr> {
        Ok(self.lab.pod_address(pod)?)
    }

    /// Starts a program inside a node; it ends with the place at the latest.
    pub fn start(&mut self, node: &str, line: &str) -> anyhow::Result<ProcessId> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let child = self.lab.spawn_with(node, &words, |command| {
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
        })?;
        let pid = i32::try_from(child.id()).context("a process id")?;
        let id = ProcessId::of(pid).ok_or_else(|| anyhow!("`{line}` ended at once"))?;
        self.started.push((child, id));
        Ok(id)
    }

    /// The process that [`Place::start`] started last.
    pub fn latest(&self) -> anyhow::Result<ProcessId> {
        let last = self.started.last().map(|(_, id)| *id);
        last.ok_or_else(|| anyhow!("nothing was started"))
    }

    /// A process of a node by the name that the lab knows it by.
    pub fn process(&self, node: &str, name: &str) -> anyhow::Result<ProcessId> {
        let report = self.lab.inspect()?;
        let found = report
            .iter()
            .filter(|n| n.name == node)
            .flat_map(|n| &n.processes)
            .find(|p| p.name == name);
        found
            .and_then(|p| ProcessId::of(p.pid))
            .ok_or_else(|| anyhow!("there is no process {name} on {node}"))
    }
}

impl Deref for Place {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for (mut child, _) in self.started.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for a condition.
pub fn wait<T>(what: &str, probe: impl FnMut() -> Result<T, String>) -> anyhow::Result<T> {
    Ok(lab::wait::until(SOON, what, probe)?)
}
