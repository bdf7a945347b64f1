//! Peerings: whom they are for, and that no node has the same peer twice.

use std::collections::HashMap;

use crate::intent::{BgpPeer, PeerNodes, PeerRemote};
use crate::problem::{Problem, Severity};
use crate::resources::{Read, Resources};

pub(super) fn check(resources: &Resources, problems: &mut Vec<Problem>) {
    if resources.complete {
        for peer in &resources.peers {
            check_selects(peer, resources, problems);
        }
    }
    check_twice(resources, problems);
}

fn check_selects(peer: &Read<BgpPeer>, resources: &Resources, problems: &mut Vec<Problem>) {
    if !resources.nodes.iter().any(|node| peer.value.selects(&node.value)) {
        let (field, fix) = match &peer.value.nodes {
            PeerNodes::Named(_) => ("spec.node", "write the name of a Node"),
            PeerNodes::Selected(_) => ("spec.nodeSelector", "compare it with the labels of the Nodes"),
        };
        let message = "selects no node: this peering does nothing".to_owned();
        problems.push(peer.problem(Severity::Warning, field, message, fix));
    }
    let PeerRemote::Nodes(selector) = &peer.value.remote else {
        return;
    };
    if !resources
        .nodes
        .iter()
        .any(|node| selector.matches(&node.value.labels))
    {
        let message = "selects no node to peer with".to_owned();
        let fix = "compare it with the labels of the Nodes";
        problems.push(peer.problem(Severity::Warning, "spec.peerSelector", message, fix));
    }
}

/// What sessions are known by, with the field that says it: an address, an interface, a range.
fn identity(remote: &PeerRemote) -> Option<(&'static str, String)> {
    match remote {
        PeerRemote::Address { address, .. } => Some(("spec.peerIP", address.to_string())),
        PeerRemote::Range { prefix, .. } => Some(("spec.peerIPRange", prefix.to_string())),
        PeerRemote::Interface { name, .. } => Some(("spec.interface", name.clone())),
        PeerRemote::Nodes(_) => None,
    }
}

/// Two resources may not give one node the same peer.
fn check_twice(resources: &Resources, problems: &mut Vec<Problem>) {
    let mut known: HashMap<(&str, String), Vec<&Read<BgpPeer>>> = HashMap::new();
    for peer in &resources.peers {
        let Some((field, who)) = identity(&peer.value.remote) else {
            continue;
        };
        let others = known.entry((field, who.clone())).or_default();
        let both = |other: &Read<BgpPeer>| {
            let mut nodes = resources.nodes.iter().map(|node| &node.value);
            nodes
                .find(|node| other.value.selects(node) && peer.value.selects(node))
                .map(|node| node.name.clone())
        };
        let clash = others
            .iter()
            .find_map(|other| both(other).map(|node| (*other, node)));
        if let Some((other, node)) = clash.filter(|(other, _)| other.value.name != peer.value.name) {
            let place = other.location(field);
            let message = format!(
                "node {node} has {who} as a peer already, by {} at {place}",
                other.value.name
            );
            problems.push(peer.problem(
                Severity::Error,
                field,
                message,
                "select different nodes, or remove one",
            ));
        }
        others.push(peer);
    }
}
