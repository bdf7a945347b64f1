//! Words for BGP values that several handlers share.

use std::time::Duration;

use bgpd_proto::rib::{Explained, PathKind, Rib};
use bgpd_proto::speaker::PeerStatus;
use ipnet::IpNet;
use tunnel::Encapsulation;

use super::state::State;

/// Every session, in the order of the peers' addresses; none before the speaker runs.
pub async fn sessions(state: &State) -> Vec<PeerStatus> {
    let Some(bgp) = state.parts.speaker() else {
        return Vec::new();
    };
    // A speaker that is busy with a full table must not make `status` hang.
    let question = bgp.query(|speaker, now| speaker.peers(now));
    match tokio::time::timeout(Duration::from_secs(5), question).await {
        Ok(Ok(sessions)) => sessions,
        _ => Vec::new(),
    }
}

/// The field's value for an encapsulation.
pub fn encapsulation(e: Encapsulation) -> &'static str {
    match e {
        Encapsulation::Direct => "direct",
        Encapsulation::Vxlan => "vxlan",
        Encapsulation::Ipip => "ipip",
    }
}

/// How packets travel, in words.
pub fn way(e: Encapsulation) -> &'static str {
    match e {
        Encapsulation::Direct => "sent as it is",
        Encapsulation::Vxlan => "sent in VXLAN",
        Encapsulation::Ipip => "sent in IPIP",
    }
}

/// The decision for a prefix run again: the winner, and how each path fared.
pub fn explained(rib: &Rib, prefix: IpNet) -> (String, Vec<String>) {
    let explanation = rib.explain(prefix);
    let best = explanation.candidates.first().filter(|c| c.outcome.is_used());
    let result = best.map_or_else(
        || format!("{prefix}: no usable path"),
        |c| format!("{prefix} {}", path(c)),
    );
    let checks = explanation
        .candidates
        .iter()
        .map(|c| format!("{}: {}", path(c), c.outcome))
        .collect();
    (result, checks)
}

fn path(candidate: &Explained) -> String {
    let path = &candidate.path;
    let from = match (path.peer, path.kind) {
        (None, _) | (_, PathKind::Local) => return "originated here".into(),
        (Some(peer), kind) => format!("from {peer} ({kind})"),
    };
    let next_hop = path
        .next_hop
        .map_or_else(String::new, |n| format!(", next hop {n}"));
    let as_path = path.attributes.as_path.to_string();
    let as_path = if as_path.is_empty() {
        String::new()
    } else {
        format!(", AS path {as_path}")
    };
    format!("{from}{next_hop}{as_path}")
}
