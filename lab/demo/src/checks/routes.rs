//! Routes: for each node the encapsulation of the three other blocks, with its reason, and the kernel's own word.

use serde_json::Value;

use crate::context::Context;
use crate::facts::{NODES, Node};

pub fn routes(context: &mut Context<'_>) {
    context.step("routes of each node: direct inside the rack, VXLAN across");
    for node in &NODES {
        context.show(node.name, &["routes"]);
        let what = format!("{} reaches the other blocks as its rack demands", node.name);
        context.check(format!("routes/{}", node.name), what, |c| {
            c.wait(c.patience, || all_right(c, node))
        });
    }
}

/// Every other node's block has the right encapsulation, a reason, and a route of ours in the kernel.
pub fn all_right(context: &Context<'_>, node: &Node) -> Result<String, String> {
    let routes = context.json(node.name, &["routes"])?;
    let routes = routes.as_array().ok_or("`roadbed routes` gave no list")?;
    let kernel = context.run(node.name, &["ip", "-j", "route", "show", "proto", "82"])?;
    let kernel: Value = serde_json::from_str(&kernel).map_err(|e| format!("`ip` wrote no JSON: {e}"))?;
    let mut seen = Vec::new();
    for other in NODES.iter().filter(|other| *other != node) {
        let route = routes.iter().find(|r| r["prefix"] == other.block);
        let route = route.ok_or_else(|| format!("no route to {} ({})", other.block, other.name))?;
        let (encapsulation, device) = if other.switch == node.switch {
            ("direct", "eth1")
        } else {
            ("vxlan", "rb-vxlan")
        };
        if route["encapsulation"] != encapsulation || route["installed"] != true {
            return Err(format!(
                "{} is {}, installed: {}; wanted {encapsulation}",
                other.block, route["encapsulation"], route["installed"]
            ));
        }
        if route["reason"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{} does not say why it is {encapsulation}", other.block));
        }
        let in_kernel =
            |r: &Value| r["dst"] == other.block && r["dev"] == device && r["gateway"] == other.address;
        if !kernel.as_array().is_some_and(|list| list.iter().any(in_kernel)) {
            return Err(format!(
                "the kernel has no route of ours to {} via {} dev {device}",
                other.block, other.address
            ));
        }
        seen.push(format!("{} {encapsulation}", other.name));
    }
    Ok(seen.join(", "))
}
