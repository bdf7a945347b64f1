//! What is different in Roadbed, said only where it touches the cluster that was read.

use std::collections::BTreeSet;

use serde_json::Value;

use super::documents::{Judged, Verdict};
use super::ipam::IpamReport;
use super::snapshot::{Document, Snapshot};

/// The notes, each one sentence or two.
pub fn notes(snapshot: &Snapshot, judged: &Judged, ipam: &IpamReport) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(affinity(&snapshot.documents, ipam));
    notes.extend(cross_subnet(&snapshot.documents));
    notes.extend(pod_cidrs(snapshot));
    notes.extend(passwords(&judged.carried));
    notes.extend(first_addresses(ipam));
    let left = judged
        .judgements
        .iter()
        .filter(|j| j.verdict == Verdict::DoesNot)
        .count();
    if left > 0 {
        notes.push(
            "What does not carry over is left out of the written file as a whole: nothing is carried over with \
             another meaning."
                .to_owned(),
        );
    }
    notes.push(
        "Roadbed enforces no network policy, neither Calico's nor Kubernetes' NetworkPolicy, which Calico's Felix \
         enforces as well."
            .to_owned(),
    );
    notes
}

fn affinity(documents: &[Document], ipam: &IpamReport) -> Option<String> {
    let settings = documents
        .iter()
        .find(|document| document.kind == "IPAMConfiguration");
    let strict =
        settings.map(|document| document.value.pointer("/spec/strictAffinity") == Some(&Value::Bool(true)));
    let borrowed: usize = ipam.nodes.iter().map(|node| node.borrowed).sum();
    let used = match borrowed {
        0 => "no address is borrowed now".to_owned(),
        1 => "1 address is borrowed now".to_owned(),
        many => format!("{many} addresses are borrowed now"),
    };
    match strict {
        Some(true) => None,
        Some(false) => Some(format!(
            "Calico lets nodes borrow addresses from blocks of others ({used}); this setting is carried over. \
             Roadbed's default is strict affinity, with more blocks in place of borrowing."
        )),
        None => Some(format!(
            "Calico has no settings of address management and lets nodes borrow addresses from blocks of others \
             ({used}). Roadbed's default is strict affinity; write an IPAMConfiguration with strictAffinity: \
             false for Calico's."
        )),
    }
}

fn cross_subnet(documents: &[Document]) -> Option<String> {
    let is = |document: &Document, field: &str| {
        document.value.pointer(field).and_then(Value::as_str) == Some("CrossSubnet")
    };
    let pools = documents.iter().filter(|document| document.kind == "IPPool");
    let names: Vec<&str> = pools
        .filter(|pool| is(pool, "/spec/ipipMode") || is(pool, "/spec/vxlanMode"))
        .map(|pool| pool.name.as_str())
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "CrossSubnet ({}): Calico compares the subnets that Nodes record; Roadbed is direct exactly where the \
             kernel's route to the node has no gateway. They differ where the recorded mask is not the real one.",
            names.join(", ")
        )
    })
}

fn passwords(carried: &[Document]) -> Option<String> {
    let at = [
        "/spec/password/secretKeyRef",
        "/spec/nodeMeshPassword/secretKeyRef",
    ];
    let of = |document: &Document| {
        let secret = at.iter().find_map(|field| document.value.pointer(field))?;
        let text = |field: &str| secret.get(field).and_then(Value::as_str);
        Some(format!("{} (key {})", text("name")?, text("key")?))
    };
    let secrets: BTreeSet<String> = carried.iter().filter_map(of).collect();
    (!secrets.is_empty()).then(|| {
        let names: Vec<&str> = secrets.iter().map(String::as_str).collect();
        format!(
            "Passwords of BGP sessions are in secrets, which are not copied: {}. Make them anew in the namespace of \
             Roadbed's agents, with the right to read them (docs/kubernetes.md); until then these sessions stay down, \
             and say so.",
            names.join(", ")
        )
    })
}

fn pod_cidrs(snapshot: &Snapshot) -> Option<String> {
    let count = snapshot.pod_cidrs.len();
    (count > 0 && !snapshot.blocks.is_empty()).then(|| {
        format!(
            "{count} Kubernetes Nodes have podCIDRs, which Calico's address management does not use. Roadbed takes \
             them as given: they must not lie over Calico's blocks."
        )
    })
}

fn first_addresses(ipam: &IpamReport) -> Option<String> {
    let taken = &ipam.takeover.first_address_taken;
    (!taken.is_empty()).then(|| {
        let some: Vec<&str> = taken.iter().take(5).map(String::as_str).collect();
        let more = if taken.len() > some.len() { ", ..." } else { "" };
        format!(
            "On {} node(s) ({}{more}) a pod has the first address of the node's first block, which Roadbed keeps for \
             the node itself: that pod is to be started anew.",
            taken.len(),
            some.join(", ")
        )
    })
}
