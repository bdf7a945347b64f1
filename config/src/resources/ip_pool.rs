//! `IPPool`: a range of pod addresses and how it is carried.

use ipnet::IpNet;

use super::metadata;
use super::parse::{label_key, pod_prefix};
use crate::fields::ResourceKind;
use crate::intent::{AggregateRule, AllowedUses, Assignment, EncapMode, IpPool};
use crate::reader::Reader;

const KIND: ResourceKind = ResourceKind::IpPool;

pub(super) fn read(document: &mut Reader<'_, '_>) -> Option<IpPool> {
    let metadata = metadata::read(document, KIND);
    let Some(mut spec) = document.object("spec") else {
        document.error(
            "spec",
            "is required",
            "write at least `spec: { cidr: 10.244.0.0/16 }`",
        );
        return None;
    };
    let pool = read_spec(&mut spec);
    spec.finish(KIND);
    Some(IpPool {
        name: metadata?.name,
        ..pool?
    })
}

fn read_spec(spec: &mut Reader<'_, '_>) -> Option<IpPool> {
    let had_cidr = spec.has("cidr");
    let cidr = spec.with("cidr", pod_prefix);
    if !had_cidr {
        spec.error(
            "cidr",
            "is required",
            "write the range of the pool, such as 10.244.0.0/16",
        );
    }
    let vxlan_mode = mode(spec, "vxlanMode");
    let ipip_mode = mode(spec, "ipipMode");
    let disabled = spec.boolean("disabled").unwrap_or(false);
    let node_selector = spec.parsed("nodeSelector").unwrap_or_default();
    let namespace_selector = spec.parsed("namespaceSelector").unwrap_or_default();
    let allowed_uses = allowed_uses(spec);
    let modes = [
        ("Automatic", Assignment::Automatic),
        ("Manual", Assignment::Manual),
    ];
    let assignment = spec.choice("assignmentMode", &modes).unwrap_or_default();
    let aggregate = aggregate(spec);
    let disable_bgp_export = spec.boolean("disableBGPExport").unwrap_or(false);
    let nat_outgoing = spec.boolean("natOutgoing").unwrap_or(false);
    // The bounds of the block size depend on the family; without a family they cannot be checked.
    let (low, high, default) = match cidr {
        Some(IpNet::V6(_)) => (116, 128, 122),
        _ => (20, 32, 26),
    };
    let block_size = match cidr {
        Some(_) => spec.integer("blockSize", low..=high),
        None => spec.integer("blockSize", 20..=128),
    };
    let cidr = cidr?;
    let pool = IpPool {
        block_size: block_size
            .and_then(|size| u8::try_from(size).ok())
            .unwrap_or(default),
        vxlan_mode,
        ipip_mode,
        disabled,
        node_selector,
        namespace_selector,
        allowed_uses,
        assignment,
        aggregate,
        disable_bgp_export,
        nat_outgoing,
        ..IpPool::new(String::new(), cidr)
    };
    check_sizes(spec, &pool, low, high);
    check_modes(spec, &pool);
    Some(pool)
}

/// Pool, aggregates and blocks fit into each other.
fn check_sizes(spec: &mut Reader<'_, '_>, pool: &IpPool, low: u32, high: u32) {
    let (cidr, block) = (pool.cidr, pool.block_size);
    let length = cidr.prefix_len();
    if block < length {
        let message = format!("a block of /{block} does not fit into {cidr}");
        let fix = format!("write {} or more, up to {high}", low.max(length.into()));
        spec.error("blockSize", message, fix);
    } else if let Some(rule) = &pool.aggregate
        && !(length..=block).contains(&rule.prefix_len)
    {
        let message = format!(
            "an aggregate of /{} does not lie between the pool {cidr} and its blocks of /{block}",
            rule.prefix_len
        );
        spec.error(
            "aggregate.prefixLength",
            message,
            format!("write {length} to {block}"),
        );
    }
}

fn check_modes(spec: &mut Reader<'_, '_>, pool: &IpPool) {
    let (vxlan, ipip) = (
        pool.vxlan_mode != EncapMode::Never,
        pool.ipip_mode != EncapMode::Never,
    );
    if vxlan && ipip {
        let fix = "set one of them to Never";
        spec.error("ipipMode", "ipipMode and vxlanMode are both on", fix);
    }
    if ipip && matches!(pool.cidr, IpNet::V6(_)) {
        let message = "IPIP carries IPv4 only, this pool is IPv6";
        spec.error("ipipMode", message, "use vxlanMode");
    }
}

/// `aggregate: { nodeLabel: rack, prefixLength: 22 }` (ours).
fn aggregate(spec: &mut Reader<'_, '_>) -> Option<AggregateRule> {
    let mut fields = spec.object("aggregate")?;
    let had = (fields.has("nodeLabel"), fields.has("prefixLength"));
    let node_label = fields.with("nodeLabel", label_key);
    let prefix_len = fields.integer("prefixLength", 0..=128);
    if !had.0 {
        fields.error(
            "nodeLabel",
            "is required",
            "write a label of the nodes, such as rack",
        );
    }
    if !had.1 {
        fields.error(
            "prefixLength",
            "is required",
            "write the prefix length of the ranges, such as 22",
        );
    }
    fields.finish(KIND);
    Some(AggregateRule {
        node_label: node_label?,
        prefix_len: u8::try_from(prefix_len?).ok()?,
    })
}

fn mode(spec: &mut Reader<'_, '_>, name: &str) -> EncapMode {
    let modes = [
        ("Never", EncapMode::Never),
        ("CrossSubnet", EncapMode::CrossSubnet),
        ("Always", EncapMode::Always),
        ("Auto", EncapMode::Auto),
    ];
    spec.choice(name, &modes).unwrap_or_default()
}

fn allowed_uses(spec: &mut Reader<'_, '_>) -> AllowedUses {
    let parse = |text: &str| match text {
        "Workload" | "Tunnel" | "LoadBalancer" => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not a use: write Workload or Tunnel")),
    };
    let uses = match spec.list("allowedUses", parse) {
        // As in Calico, an empty list is no list.
        Some(uses) if !uses.is_empty() => uses,
        _ => return AllowedUses::default(),
    };
    let has = |word: &str| uses.iter().any(|used| used == word);
    if has("LoadBalancer") {
        let message = "LoadBalancer has no effect: services get no addresses here";
        spec.warning("allowedUses", message, "");
    }
    AllowedUses {
        workload: has("Workload"),
        tunnel: has("Tunnel"),
        load_balancer: has("LoadBalancer"),
    }
}
