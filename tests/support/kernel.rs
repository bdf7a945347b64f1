//! The kernel's view of a node: routes, links, neighbours, as iproute2 tells them in JSON.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Fabric, check};

/// The routing protocol number of our routes.
pub const PROTOCOL: &str = "82";

/// The routes of ours in the main tables of both families, by destination as iproute2 writes it: a host route
/// has no length.
pub fn ours(fabric: &Fabric, node: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for family in ["-4", "-6"] {
        for route in json(
            fabric,
            node,
            &["ip", "-j", family, "route", "show", "proto", PROTOCOL],
        ) {
            all.insert(text(&route, "dst"), route);
        }
    }
    all
}

/// The routes of ours: one destination, or a text that says what there is.
pub fn route(fabric: &Fabric, node: &str, destination: &str) -> Result<Value, String> {
    let mut all = ours(fabric, node);
    all.remove(destination)
        .ok_or_else(|| format!("{node} has no {destination} of ours, but {:?}", all.keys()))
}

/// A route of ours through this gateway.
pub fn route_via(fabric: &Fabric, node: &str, destination: &str, gateway: &str) -> Result<(), String> {
    let route = route(fabric, node, destination)?;
    check(text(&route, "gateway") == gateway, || {
        format!("not via {gateway}: {route}")
    })
}

/// No route of ours to this destination.
pub fn no_route(fabric: &Fabric, node: &str, destination: &str) -> Result<(), String> {
    match route(fabric, node, destination) {
        Ok(route) => Err(format!("{node} has {route}")),
        Err(_) => Ok(()),
    }
}

/// Names of the links of a node.
pub fn links(fabric: &Fabric, node: &str) -> Vec<String> {
    json(fabric, node, &["ip", "-j", "link", "show"])
        .iter()
        .map(|link| text(link, "ifname"))
        .collect()
}

/// A command's JSON list.
#[track_caller]
pub fn json(fabric: &Fabric, node: &str, words: &[&str]) -> Vec<Value> {
    let output = fabric.exec_ok(node, words).unwrap_or_else(|e| panic!("{e}"));
    // iproute2 writes nothing at all where there is nothing.
    if output.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(&output).unwrap_or_else(|e| panic!("{words:?} wrote no JSON list: {e}: {output}"))
}

/// A field as text; empty where it is absent. Of a route's only next hop, where `ip` shows it as one of a group.
pub fn text(value: &Value, field: &str) -> String {
    let only = value.get("nexthops").and_then(Value::as_array);
    let only = only
        .filter(|hops| hops.len() == 1)
        .and_then(|hops| hops[0].get(field));
    match value.get(field).or(only) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
