//! Sessions: the iBGP mesh and eBGP with the switch, seen from both ends.

use serde_json::Value;

use crate::context::Context;
use crate::facts::{NODES, Node, SWITCHES};

/// Sessions of each node: three in the mesh, one with its switch.
pub const PEERS: usize = 4;

pub fn sessions(context: &mut Context<'_>) {
    context.step("sessions: each node with the three others (iBGP) and with its switch (eBGP)");
    for node in &NODES {
        context.check(
            format!("session/{}", node.name),
            format!("{} has {PEERS} sessions", node.name),
            |c| {
                c.wait(c.patience, || match established(c, node)? {
                    list if list.len() == PEERS => Ok(format!("Established with {}", list.join(", "))),
                    list => Err(format!("Established only with {}", list.join(", "))),
                })
            },
        );
    }
    for switch_name in SWITCHES {
        let what = format!("{switch_name} (FRR) has its nodes and the other switch");
        context.check(format!("session/{switch_name}"), what, |c| {
            c.wait(c.patience, || {
                switch(c, switch_name).map(|n| format!("{n} sessions Established"))
            })
        });
    }
}

/// Names of the peers with which this node's sessions are established.
pub fn established(context: &Context<'_>, node: &Node) -> Result<Vec<String>, String> {
    let peers = context.json(node.name, &["peers"])?;
    let peers = peers.as_array().ok_or("`roadbed peers` gave no list")?;
    let up = peers.iter().filter(|p| p["state"] == "Established");
    Ok(up.map(|p| p["name"].as_str().unwrap_or("?").to_owned()).collect())
}

/// The switch's three sessions, as FRR sees them.
pub fn switch(context: &Context<'_>, name: &str) -> Result<usize, String> {
    let text = context.run(name, &["vtysh", "-c", "show bgp ipv4 unicast summary json"])?;
    let summary: Value = serde_json::from_str(&text).map_err(|e| format!("vtysh wrote no JSON: {e}"))?;
    let peers = summary["peers"].as_object().ok_or("vtysh lists no peers")?;
    let down: Vec<&str> = peers
        .iter()
        .filter(|(_, p)| p["state"] != "Established")
        .map(|(n, _)| n.as_str())
        .collect();
    if down.is_empty() && peers.len() == 3 {
        Ok(peers.len())
    } else {
        Err(format!("not Established: {}", down.join(", ")))
    }
}
