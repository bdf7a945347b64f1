//! IPv6 beside IPv4 and without it, and the modes of pools that the other scenarios leave out: what the nodes
//! announce, what stands in their kernels, what pods can do with it and what `explain` says of it.

mod cluster;
mod example;
mod modes;
mod only_ipv6;
mod traffic;

use serde_json::Value;

use crate::support::{Fabric, check, kernel};

/// The kernel of a node has a route of ours to this destination over this link, through this gateway.
fn leads(fabric: &Fabric, node: &str, destination: &str, link: &str, gateway: &str) -> Result<Value, String> {
    let route = kernel::route(fabric, node, destination)?;
    let is = (kernel::text(&route, "dev"), kernel::text(&route, "gateway"));
    check(is == (link.to_owned(), gateway.to_owned()), || {
        format!("{node}: {destination} is not via {gateway} dev {link}, but {route}")
    })?;
    Ok(route)
}

/// The kernel of a node has a route of ours into this tunnel device, with the node's own pod address as its source.
fn tunnelled(fabric: &Fabric, node: &str, destination: &str, link: &str, source: &str) -> Result<(), String> {
    let route = kernel::route(fabric, node, destination)?;
    let is = (kernel::text(&route, "dev"), kernel::text(&route, "prefsrc"));
    check(is == (link.to_owned(), source.to_owned()), || {
        format!("{node}: {destination} is not into {link} from {source}, but {route}")
    })
}

/// The addresses of a link of a node that are not link-local.
fn addresses(fabric: &Fabric, node: &str, link: &str) -> Vec<String> {
    let found = kernel::json(fabric, node, &["ip", "-j", "addr", "show", "dev", link]);
    let infos = found.iter().filter_map(|l| l["addr_info"].as_array()).flatten();
    infos
        .filter(|info| info["scope"] == "global")
        .map(|info| kernel::text(info, "local"))
        .collect()
}

/// What `explain` says, as one text for each stage.
fn explained(fabric: &Fabric, node: &str, target: &str) -> (String, Vec<(String, String)>) {
    let answer = fabric
        .roadbed_json(node, &["explain", target])
        .unwrap_or_else(|e| panic!("{e}"));
    let steps = answer["steps"].as_array().cloned().unwrap_or_default();
    let stages = steps
        .iter()
        .map(|step| (kernel::text(step, "stage"), kernel::text(step, "result")))
        .collect();
    (kernel::text(&answer, "verdict"), stages)
}

/// One stage of an explanation.
#[track_caller]
fn stage<'a>(stages: &'a [(String, String)], name: &str) -> &'a str {
    let found = stages.iter().find(|(stage, _)| stage == name);
    found.map_or_else(
        || panic!("no stage {name} in {stages:?}"),
        |(_, result)| result.as_str(),
    )
}
