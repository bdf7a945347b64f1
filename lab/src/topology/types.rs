//! The checked topology: plain values that the other modules work from.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Label that makes a node a pod, plugged into the node that it names by the CNI plugin.
pub const POD_ON: &str = "roadbed.dev/pod-on";
/// Label that names the pod towards the CNI plugin; default: the node's name.
pub const POD_NAME: &str = "roadbed.dev/pod-name";

/// A whole fabric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The lab's name.
    pub name: String,
    /// The file, absolute; binds and startup files are relative to its folder.
    pub file: PathBuf,
    /// The nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// The links, in the file's order.
    pub links: Vec<Link>,
    /// What the file says that has no meaning here.
    pub warnings: Vec<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What runs in it.
    pub runner: Runner,
    /// Commands run in order when the links are there and before any daemon starts.
    pub exec: Vec<String>,
    /// Files and folders made visible inside.
    pub binds: Vec<Bind>,
    /// Kernel settings of the namespace, dotted names.
    pub sysctls: BTreeMap<String, String>,
    /// The configuration of the node's daemon, copied to where the daemon looks for it.
    pub startup_config: Option<PathBuf>,
    /// Environment of everything started inside.
    pub env: BTreeMap<String, String>,
    /// A program that runs as long as the lab is up.
    pub cmd: Option<String>,
}

/// What runs in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runner {
    /// The routing daemons of FRR.
    Frr,
    /// `roadbed agent`.
    Agent,
    /// Nothing but what `exec` and `cmd` start.
    Host,
    /// A network namespace plugged into a node by the CNI plugin.
    Pod {
        /// The node that the pod runs on.
        on: String,
        /// `K8S_POD_NAME`.
        pod_name: String,
    },
}

impl Runner {
    /// The word that `inspect` shows.
    pub fn word(&self) -> &'static str {
        match self {
            Runner::Frr => "frr",
            Runner::Agent => "roadbed",
            Runner::Host => "host",
            Runner::Pod { .. } => "pod",
        }
    }
}

/// A bind mount, `source:destination[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// On this machine, absolute.
    pub source: PathBuf,
    /// Inside the node, absolute.
    pub destination: PathBuf,
    /// Cannot be written from inside.
    pub read_only: bool,
}

/// A veth pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// One end.
    pub a: Endpoint,
    /// The other end.
    pub b: Endpoint,
    /// MTU of both ends in bytes; the kernel's default where absent.
    pub mtu: Option<u32>,
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The node.
    pub node: String,
    /// The interface's name inside.
    pub interface: String,
}

/// A name that is good for a file, a namespace and a host: letters, digits, `-`, `_` and `.`, not first.
pub fn valid_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
