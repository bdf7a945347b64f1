//! `IPPool`: a range of pod addresses and how it is carried.

use ipnet::IpNet;

use super::metadata;
use super::parse::pod_prefix;
use crate::fields::ResourceKind;
use crate::intent::{AllowedUses, EncapMode, IpPool};
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
    let allowed_uses = allowed_uses(spec);
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
    let block_size = block_size
        .and_then(|size| u8::try_from(size).ok())
        .unwrap_or(default);
    if block_size < cidr.prefix_len() {
        let message = format!("a block of /{block_size} does not fit into {cidr}");
        spec.error(
            "blockSize",
            message,
            format!("write {} or more, up to {high}", cidr.prefix_len().max(low as u8)),
        );
    }
    if vxlan_mode != EncapMode::Never && ipip_mode != EncapMode::Never {
        spec.error(
            "ipipMode",
            "ipipMode and vxlanMode are both on",
            "set one of them to Never",
        );
    }
    if ipip_mode != EncapMode::Never && matches!(cidr, IpNet::V6(_)) {
        spec.error(
            "ipipMode",
            "IPIP carries IPv4 only, this pool is IPv6",
            "use vxlanMode",
        );
    }
    let name = String::new();
    Some(IpPool {
        name,
        cidr,
        block_size,
        vxlan_mode,
        ipip_mode,
        disabled,
        node_selector,
        allowed_uses,
    })
}

fn mode(spec: &mut Reader<'_, '_>, name: &str) -> EncapMode {
    let modes = [
        ("Never", Some(EncapMode::Never)),
        ("CrossSubnet", Some(EncapMode::CrossSubnet)),
        ("Always", Some(EncapMode::Always)),
        ("Auto", None),
    ];
    match spec.choice(name, &modes) {
        Some(Some(mode)) => mode,
        Some(None) => {
            spec.error(
                name,
                "Auto is not built yet",
                "write CrossSubnet: direct where the kernel has no gateway to the node",
            );
            EncapMode::Never
        }
        None => EncapMode::Never,
    }
}

fn allowed_uses(spec: &mut Reader<'_, '_>) -> AllowedUses {
    let parse = |text: &str| match text {
        "Workload" | "Tunnel" => Ok(text.to_owned()),
        "LoadBalancer" => Err("announcing services is not built yet: write Workload or Tunnel".to_owned()),
        _ => Err(format!("`{text}` is not a use: write Workload or Tunnel")),
    };
    match spec.list("allowedUses", parse) {
        // As in Calico, an empty list is no list.
        Some(uses) if !uses.is_empty() => AllowedUses {
            workload: uses.iter().any(|u| u == "Workload"),
            tunnel: uses.iter().any(|u| u == "Tunnel"),
        },
        _ => AllowedUses::default(),
    }
}
