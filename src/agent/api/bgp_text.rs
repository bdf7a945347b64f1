//! Words for BGP values that several handlers share.

use std::time::Duration;

use bgpd_proto::rib::{Explained, PathKind, Rib};
use bgpd_proto::speaker::PeerStatus;
use bgpd_proto::wire::PathAttributes;
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
    let mut checks: Vec<String> = Vec::new();
    for candidate in &explanation.candidates {
        checks.push(format!("{}: {}", path(candidate), candidate.outcome));
        checks.extend(
            candidate
                .filters
                .iter()
                .map(|looked| format!("  import, {looked}")),
        );
        if let Some(received) = &candidate.received {
            let made = difference(received, &candidate.path.attributes);
            checks.push(format!("  import policy changed it to {made}"));
        }
    }
    for export in explanation
        .exports
        .iter()
        .filter(|export| !export.filters.is_empty())
    {
        let fate = match &export.refused {
            Some(why) => format!("not told: {why}"),
            None => "told".to_owned(),
        };
        checks.push(format!("to {}: {fate}", export.peer));
        checks.extend(export.filters.iter().map(|looked| format!("  export, {looked}")));
    }
    (result, checks)
}

/// What is other in the second than in the first, in words.
pub fn difference(before: &PathAttributes, after: &PathAttributes) -> String {
    let mut parts: Vec<String> = Vec::new();
    if before.as_path != after.as_path {
        parts.push(format!("AS path {}", after.as_path));
    }
    if before.local_pref != after.local_pref {
        let value = after
            .local_pref
            .map_or_else(|| "none".into(), |value| value.to_string());
        parts.push(format!("LOCAL_PREF {value}"));
    }
    if before.communities != after.communities {
        parts.push(format!("communities {}", texts(&after.communities)));
    }
    if before.large_communities != after.large_communities {
        parts.push(format!("large communities {}", texts(&after.large_communities)));
    }
    if before.otc != after.otc {
        let value = after.otc.map_or_else(|| "none".into(), |asn| asn.to_string());
        parts.push(format!("OTC {value}"));
    }
    parts.join(", ")
}

fn texts<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
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
