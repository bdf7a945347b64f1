//! Peerings: whom they are for, and that no node has the same peer twice.

use std::collections::HashMap;
use std::net::IpAddr;

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

/// A session is known by the peer's address: two resources may not give one node the same one.
fn check_twice(resources: &Resources, problems: &mut Vec<Problem>) {
    let mut by_address: HashMap<IpAddr, Vec<&Read<BgpPeer>>> = HashMap::new();
    for peer in &resources.peers {
        let PeerRemote::Address { address, .. } = &peer.value.remote else {
            continue;
        };
        let others = by_address.entry(*address).or_default();
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
            let place = other.location("spec.peerIP");
            let message = format!(
                "node {node} has {address} as a peer already, by {} at {place}",
                other.value.name
            );
            problems.push(peer.problem(
                Severity::Error,
                "spec.peerIP",
                message,
                "select different nodes, or remove one",
            ));
        }
        others.push(peer);
    }
}
