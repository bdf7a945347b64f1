//! What is up in a lab, and how it is.

use serde::Serialize;

use crate::error::Error;
use crate::fabric::record::{NodeState, Record};
use crate::kernel::links;

/// One node as `inspect` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// `frr`, `roadbed`, `host` or `pod`.
    pub kind: String,
    /// `up`; `down` where the namespace is gone or a process has ended; then it says which.
    pub state: String,
    /// For pods: the node it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The network namespace, as `ip netns` names it.
    pub netns: String,
    /// Addresses, as `interface address/length`.
    pub addresses: Vec<String>,
    /// Processes.
    pub processes: Vec<ProcessReport>,
}

/// One process of a node.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessReport {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: i32,
    /// It runs.
    pub running: bool,
    /// Where it writes.
    pub log: String,
}

/// Looks at each node.
pub fn report(record: &Record) -> Result<Vec<NodeReport>, Error> {
    Ok(record
        .state
        .nodes
        .iter()
        .map(|(name, node)| one(name, node))
        .collect())
}

fn one(name: &str, node: &NodeState) -> NodeReport {
    let processes: Vec<ProcessReport> = node
        .processes
        .iter()
        .map(|p| ProcessReport {
            name: p.name.clone(),
            pid: p.id.pid,
            running: p.id.is_alive(),
            log: p.log.display().to_string(),
        })
        .collect();
    let interfaces = node.namespaces.run(links::interfaces).map_err(|e| e.to_string());
    let interfaces = interfaces.and_then(|found| found.map_err(|e| e.to_string()));
    let ended: Vec<&str> = processes
        .iter()
        .filter(|p| !p.running)
        .map(|p| p.name.as_str())
        .collect();
    let state = match &interfaces {
        Err(e) => format!("down: {e}"),
        Ok(_) if !ended.is_empty() => format!("down: {} ended", ended.join(", ")),
        Ok(_) => "up".to_owned(),
    };
    let addresses = interfaces.unwrap_or_default();
    let addresses = addresses
        .iter()
        .flat_map(|i| i.addresses.iter().map(move |a| format!("{} {a}", i.name)));
    NodeReport {
        name: name.to_owned(),
        kind: node.kind.clone(),
        state,
        on: node.pod.as_ref().map(|p| p.on.clone()),
        netns: node
            .namespaces
            .net
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
        addresses: addresses.collect(),
        processes,
    }
}
