//! Brings a lab up: namespaces, links, `exec`, routers, agents, pods, in this order.

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::fabric::binaries::Options;
use crate::fabric::record::{NodeState, PodState, Record};
use crate::fabric::{agent, frr, pods, run};
use crate::kernel::namespaces::{self, NETNS_DIR};
use crate::kernel::{links, mounts};
use crate::topology::{Node, Runner, Topology};

/// How long an agent may take to answer, and a pod to be plugged in.
const AGENT: Duration = Duration::from_secs(30);

/// Kernel settings of every namespace: known values whatever the machine has, and no waiting for IPv6
/// duplicate address detection on links that have two ends.
const SYSCTLS: [(&str, &str); 7] = [
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    ("net/ipv6/conf/all/forwarding", "0"),
    ("net/ipv6/conf/all/accept_dad", "0"),
    ("net/ipv6/conf/default/accept_dad", "0"),
    ("net/ipv4/ping_group_range", "0 2147483647"),
];

/// Opens the record of a new lab; nothing else exists yet.
pub fn begin(topology: &Topology, options: &Options) -> Result<Record, Error> {
    let name = options.name.as_deref().unwrap_or(&topology.name);
    if !crate::topology::valid_name(name) {
        return Err(Error::Request(format!(
            "{name:?} is no good name for a lab: letters, digits, '-', '_' and '.'"
        )));
    }
    namespaces::prepare_netns_dir()?;
    let _lock = namespaces::lock(Path::new(NETNS_DIR))?;
    let mut record = Record::create(name, &topology.file)?;
    let wanted = |f: fn(&Runner) -> bool| topology.nodes.values().any(|node| f(&node.runner));
    // A lab with FRR and hosts only needs neither program.
    if wanted(|r| matches!(r, Runner::Agent)) {
        record.state.roadbed = Some(options.roadbed()?);
    }
    if wanted(|r| matches!(r, Runner::Pod { .. })) {
        record.state.cni = Some(options.cni()?);
    }
    for (name, node) in &topology.nodes {
        let state = describe(&record, name, node);
        record.state.nodes.insert(name.clone(), state);
    }
    record.save()?;
    Ok(record)
}

fn describe(record: &Record, name: &str, node: &Node) -> NodeState {
    let pod = match &node.runner {
        Runner::Pod { on, pod_name } => Some(PodState {
            on: on.clone(),
            pod_name: pod_name.clone(),
            container_id: format!("{}-{name}", record.state.lab),
            address: None,
            result: None,
        }),
        _ => None,
    };
    let mut env = node.env.clone();
    // People type `roadbed status` inside a node, wherever the program was built.
    if let Some(folder) = record.state.roadbed.as_deref().and_then(Path::parent) {
        let inherited = std::env::var("PATH").unwrap_or_default();
        env.entry("PATH".to_owned())
            .or_insert_with(|| format!("{}:{inherited}", folder.display()));
    }
    NodeState {
        kind: node.runner.word().to_owned(),
        namespaces: record.namespaces_for(name, pod.is_some()),
        env,
        pod,
        processes: Vec::new(),
    }
}

/// Makes everything. On a failure the caller takes the lab down by its record.
pub fn build(record: &mut Record, topology: &Topology, options: &Options) -> Result<(), Error> {
    namespaces::make_private_dir(&record.namespace_dir())?;
    for (name, node) in &topology.nodes {
        make_node(record, name, node)?;
    }
    for link in &topology.links {
        let (a, b) = (record.node(&link.a.node)?, record.node(&link.b.node)?);
        let end_a = links::End {
            netns: &a.namespaces.net,
            name: &link.a.interface,
        };
        let end_b = links::End {
            netns: &b.namespaces.net,
            name: &link.b.interface,
        };
        links::veth(end_a, end_b, link.mtu)?;
        for (node, end) in [(a, &link.a), (b, &link.b)] {
            let what = format!("set {}:{} up", end.node, end.interface);
            node.namespaces
                .run(|| links::set_up(&end.interface, true))?
                .map_err(Error::system(what))?;
        }
    }
    let of = |f: fn(&Runner) -> bool| topology.nodes.iter().filter(move |(_, node)| f(&node.runner));
    for (name, node) in of(|r| !matches!(r, Runner::Pod { .. })) {
        settle(record, name, node)?;
    }
    for (name, node) in of(|r| matches!(r, Runner::Frr)) {
        frr::start(record, name, node)?;
    }
    for (name, node) in of(|r| matches!(r, Runner::Agent)) {
        agent::prepare(record, name, node)?;
        if !options.without_agents {
            agent::start(record, name)?;
        }
    }
    if !options.without_agents {
        for (name, _) in of(|r| matches!(r, Runner::Agent)) {
            agent::wait_answering(record, name, AGENT)?;
        }
        for (name, node) in of(|r| matches!(r, Runner::Pod { .. })) {
            pods::add(record, name, AGENT)?;
            settle(record, name, node)?;
        }
    }
    for (name, node) in &topology.nodes {
        let Some(cmd) = &node.cmd else { continue };
        let argv = shlex::split(cmd).unwrap_or_default();
        run::daemon(record, name, "cmd", &argv)?;
    }
    Ok(())
}

/// The node's own settings and commands.
fn settle(record: &Record, name: &str, node: &Node) -> Result<(), Error> {
    for (key, value) in &node.sysctls {
        run::sysctl(record.node(name)?, key, value)?;
    }
    node.exec
        .iter()
        .try_for_each(|line| run::exec_line(record, name, line))
}

fn make_node(record: &Record, name: &str, node: &Node) -> Result<(), Error> {
    let namespaces = &record.node(name)?.namespaces;
    let base = record.dir();
    let private = namespaces.mnt.is_some();
    namespaces.create(|| {
        for (key, value) in SYSCTLS {
            set_if_there(key, value)?;
        }
        links::set_up("lo", true).map_err(Error::system("set the loopback up"))?;
        if private {
            nix::unistd::sethostname(name).map_err(Error::system("set the host name"))?;
            mounts::build(base, &node.binds)?;
        }
        Ok(())
    })
}

/// A kernel without IPv6 lacks its settings; everything else must succeed.
fn set_if_there(key: &str, value: &str) -> Result<(), Error> {
    match std::fs::write(Path::new("/proc/sys").join(key), value) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && key.starts_with("net/ipv6") => Ok(()),
        other => other.map_err(Error::system(format!("set {}", key.replace('/', ".")))),
    }
}
