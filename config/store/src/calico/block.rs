//! Blocks and affinities from their JSON: the values in etcd, and `spec` of the custom resources, which have the
//! same fields.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use super::snapshot::{Affinity, AffinityRecord, Allocation, Block, State, Use};

/// A larger block than any that Calico makes (it allows 20 to 32, and 116 to 128); its addresses are not looked at.
const MAX_ADDRESSES: u32 = 1 << 16;

#[derive(Deserialize)]
struct RawBlock {
    cidr: IpNet,
    #[serde(default)]
    affinity: Option<String>,
    #[serde(default, rename = "hostAffinity")]
    host_affinity: Option<String>,
    #[serde(default)]
    allocations: Vec<Option<i64>>,
    #[serde(default)]
    attributes: Option<Vec<Attributes>>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize, Default)]
struct Attributes {
    #[serde(default)]
    handle_id: Option<String>,
    #[serde(default)]
    secondary: Option<BTreeMap<String, String>>,
}

/// Reads a block; none where it is marked as deleted.
///
/// # Errors
/// Why it is not a block.
pub fn read(value: &Value, key: Option<IpNet>) -> Result<Option<Block>, String> {
    let raw = RawBlock::deserialize(value).map_err(|error| format!("not a block: {error}"))?;
    if raw.deleted {
        return Ok(None);
    }
    let cidr = raw.cidr.trunc();
    if key.is_some_and(|key| key != cidr) {
        return Err(format!("its value is about the block {cidr}"));
    }
    let affinity = raw
        .affinity
        .as_deref()
        .map(Affinity::parse)
        .or(raw.host_affinity.clone().map(Affinity::Host));
    let mut block = Block {
        cidr,
        affinity,
        allocations: Vec::new(),
        damage: Vec::new(),
    };
    let bits = u32::from(cidr.max_prefix_len() - cidr.prefix_len());
    let size = 1u32.checked_shl(bits).filter(|size| *size <= MAX_ADDRESSES);
    if size.is_none_or(|size| raw.allocations.len() != size as usize) {
        let found = raw.allocations.len();
        block.damage.push(format!(
            "it lists {found} addresses, which is not what {cidr} has"
        ));
    }
    let attributes = raw.attributes.unwrap_or_default();
    for (ordinal, index) in raw.allocations.iter().enumerate() {
        let Some(index) = index else { continue };
        let found = usize::try_from(*index)
            .ok()
            .and_then(|index| attributes.get(index));
        if found.is_none() {
            block.damage.push(format!(
                "its address number {ordinal} is given out, but not noted to whom"
            ));
        }
        block
            .allocations
            .push(allocation(ordinal, found.unwrap_or(&Attributes::default())));
    }
    Ok(Some(block))
}

fn allocation(ordinal: usize, attributes: &Attributes) -> Allocation {
    let handle = attributes.handle_id.as_deref().unwrap_or_default();
    let empty = BTreeMap::new();
    let noted = attributes.secondary.as_ref().unwrap_or(&empty);
    let get = |name: &str| noted.get(name).filter(|text| !text.is_empty());
    let tunnel =
        get("type").is_some_and(|kind| kind.ends_with("TunnelAddress")) || handle.contains("-tunnel-addr-");
    let purpose = if tunnel {
        Use::Tunnel
    } else if get("pod").is_some() || handle.starts_with("k8s-pod-network.") {
        Use::Pod
    } else if get("service").is_some() {
        Use::Service
    } else {
        Use::Other
    };
    let pod = get("pod").map(|pod| match get("namespace") {
        Some(namespace) => format!("{namespace}/{pod}"),
        None => pod.clone(),
    });
    Allocation {
        ordinal,
        purpose,
        node: get("node").cloned(),
        pod,
    }
}

/// The state of an affinity from a value in etcd; none where it is marked as deleted.
///
/// # Errors
/// Why it is not an affinity.
pub fn affinity(owner: Affinity, cidr: IpNet, value: &Value) -> Result<Option<AffinityRecord>, String> {
    if is_true(value.get("deleted")) {
        return Ok(None);
    }
    let state = match value.get("state").and_then(Value::as_str) {
        // Calico reads a record without a state, as its first versions wrote it, as confirmed.
        Some("confirmed" | "") | None => State::Confirmed,
        Some("pending") => State::Pending,
        Some("pendingDeletion") => State::PendingDeletion,
        Some(other) => return Err(format!("its state `{other}` is not known")),
    };
    Ok(Some(AffinityRecord { cidr, owner, state }))
}

/// An affinity from the `spec` of a `BlockAffinity`.
///
/// # Errors
/// Why it is not an affinity.
pub fn affinity_resource(spec: &Value) -> Result<Option<AffinityRecord>, String> {
    let text = |name: &str| spec.get(name).and_then(Value::as_str).unwrap_or_default();
    let cidr: IpNet = text("cidr")
        .parse()
        .map_err(|_| format!("`{}` is not a block", text("cidr")))?;
    let owner = match (text("node"), text("type")) {
        ("", _) => return Err("it names no node".to_owned()),
        (node, "" | "host") => Affinity::Host(node.to_owned()),
        (node, _) => Affinity::Virtual(node.to_owned()),
    };
    affinity(owner, cidr.trunc(), spec)
}

/// `deleted` is a boolean in etcd and a text in `crd.projectcalico.org/v1`.
fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Bool(true))) || value.and_then(Value::as_str) == Some("true")
}
