//! What a lab has made, on disk: `/run/roadbed-lab/LAB/state.json`, written whole and atomically.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::kernel::namespaces::{NETNS_DIR, Namespaces};
use crate::kernel::process::ProcessId;

/// The folder of all labs.
pub const ROOT: &str = "/run/roadbed-lab";

/// Format of the file; a file of another format is refused.
const FORMAT: u32 = 1;

/// A lab's record together with its folder.
#[derive(Debug, Clone)]
pub struct Record {
    dir: PathBuf,
    /// What it says.
    pub state: State,
}

/// The contents of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    format: u32,
    /// The lab's name.
    pub lab: String,
    /// The topology file.
    pub topology: PathBuf,
    /// The boot that the processes belong to.
    boot: String,
    /// The `roadbed` program, where the lab needs it.
    pub roadbed: Option<PathBuf>,
    /// The CNI plugin, where the lab needs it.
    pub cni: Option<PathBuf>,
    /// The nodes by name.
    pub nodes: BTreeMap<String, NodeState>,
}

/// One node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeState {
    /// `frr`, `roadbed`, `host` or `pod`.
    pub kind: String,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// Environment of everything started inside.
    pub env: BTreeMap<String, String>,
    /// For pods: how it is plugged in.
    pub pod: Option<PodState>,
    /// Daemons started inside.
    pub processes: Vec<Daemon>,
}

/// A pod's plug.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PodState {
    /// The node it runs on.
    pub on: String,
    /// `K8S_POD_NAME`.
    pub pod_name: String,
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// Its address, once plugged in.
    pub address: Option<IpAddr>,
    /// What ADD answered; given back to DEL.
    pub result: Option<serde_json::Value>,
}

/// A daemon.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Daemon {
    /// `agent`, `zebra`, `bgpd`, `cmd`...
    pub name: String,
    /// The process.
    pub id: ProcessId,
    /// Where it writes.
    pub log: PathBuf,
}

impl Record {
    /// A new record for a lab that is about to be made. The caller holds the lock on `/run/netns`.
    pub fn create(lab: &str, topology: &Path) -> Result<Record, Error> {
        let dir = Path::new(ROOT).join(lab);
        if dir.join("state.json").exists() {
            return Err(Error::Request(format!(
                "lab {lab} is up already; remove it with `roadbed lab down {} --name {lab}`",
                topology.display()
            )));
        }
        std::fs::create_dir_all(dir.join("logs"))
            .map_err(Error::system(format!("create {}", dir.display())))?;
        let state = State {
            format: FORMAT,
            lab: lab.to_owned(),
            topology: topology.to_owned(),
            boot: boot_id(),
            roadbed: None,
            cni: None,
            nodes: BTreeMap::new(),
        };
        Ok(Record { dir, state })
    }

    /// The record of a lab, `None` where there is no such lab.
    pub fn load(lab: &str) -> Result<Option<Record>, Error> {
        let dir = Path::new(ROOT).join(lab);
        let file = dir.join("state.json");
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::system(format!("read {}", file.display()))(e)),
        };
        let wrong = |why: String| Error::Request(format!("{} is unreadable: {why}", file.display()));
        let mut state: State = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
        if state.format != FORMAT {
            return Err(wrong(format!(
                "it has format {}, this version knows {FORMAT}",
                state.format
            )));
        }
        if state.boot != boot_id() {
            // The machine has started anew since: nothing that ran then runs now.
            state.nodes.values_mut().for_each(|node| node.processes.clear());
        }
        Ok(Some(Record { dir, state }))
    }

    /// Writes the record, whole or not at all.
    pub fn save(&self) -> Result<(), Error> {
        let what = || format!("write the record of lab {}", self.state.lab);
        let text = serde_json::to_vec_pretty(&self.state)
            .map_err(|e| Error::system(what())(std::io::Error::other(e)))?;
        let (file, next) = (self.dir.join("state.json"), self.dir.join("state.json.next"));
        std::fs::write(&next, text).map_err(Error::system(what()))?;
        std::fs::rename(next, file).map_err(Error::system(what()))
    }

    /// The lab's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder that holds mount and UTS namespaces.
    pub fn namespace_dir(&self) -> PathBuf {
        self.dir.join("ns")
    }

    /// The log of a process of a node.
    pub fn log(&self, node: &str, process: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{node}-{process}.log"))
    }

    /// Where the namespaces of a node are to be; a pod has a network namespace only.
    pub fn namespaces_for(&self, node: &str, pod: bool) -> Namespaces {
        let held = |kind: &str| (!pod).then(|| self.namespace_dir().join(format!("{node}.{kind}")));
        Namespaces {
            net: Path::new(NETNS_DIR).join(format!("{}-{node}", self.state.lab)),
            mnt: held("mnt"),
            uts: held("uts"),
        }
    }

    /// The node, or a failure that names those that there are.
    pub fn node(&self, name: &str) -> Result<&NodeState, Error> {
        self.state.nodes.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.state.nodes.keys().map(String::as_str).collect();
            Error::Request(format!(
                "lab {} has no node {name}; it has {}",
                self.state.lab,
                known.join(", ")
            ))
        })
    }

    /// The same, to be changed.
    pub fn node_mut(&mut self, name: &str) -> Result<&mut NodeState, Error> {
        self.node(name)?;
        self.state
            .nodes
            .get_mut(name)
            .ok_or_else(|| Error::Request(format!("there is no node {name}")))
    }
}

/// The last lines of a log, for failure texts.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&text))
}

/// The last lines of an output, on one line.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(4)..];
    if last.is_empty() {
        "no output".to_owned()
    } else {
        last.join(" | ")
    }
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}
