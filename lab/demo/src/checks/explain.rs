//! `roadbed explain` for one address of each kind.

use crate::context::Context;
use crate::facts::{CLIENTS, by_name};

/// Where it is asked.
const NODE: &str = "a1";

pub fn explain(context: &mut Context<'_>) {
    context.step("explain: why an address of each kind is reached as it is");
    let pod = |name: &str| context.pod(name).unwrap_or_else(|e| e);
    let node = by_name("b2").map_or("", |n| n.address);
    // The kind of address, the address, what it is called, a word that the verdict must have.
    let cases = [
        ("own-pod", pod("pod-a1"), "pod of this node", "delivered"),
        (
            "rack-pod",
            pod("pod-a2"),
            "pod of another node",
            "sent as it is to node a2",
        ),
        (
            "remote-pod",
            pod("pod-b1"),
            "pod of another node",
            "VXLAN to node b1",
        ),
        (
            "client",
            CLIENTS[0].address.to_owned(),
            "outside the pools",
            "no node of the cluster",
        ),
        ("node", node.to_owned(), "node", "sent as it is"),
        ("unknown", "10.244.99.1".to_owned(), "of no node", "0.0.0.0/0"),
    ];
    for (kind, address, what, verdict) in cases {
        context.show(NODE, &["explain", &address]);
        context.check(
            format!("explain/{kind}"),
            format!("{address} is understood"),
            |c| {
                let answer = c.json(NODE, &["explain", &address])?;
                let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
                if !text("what").contains(what) || !text("verdict").contains(verdict) {
                    return Err(format!("it says \"{}\": \"{}\"", text("what"), text("verdict")));
                }
                let steps = answer["steps"].as_array().map_or(0, Vec::len);
                if steps == 0 {
                    Err("it gives no steps".into())
                } else {
                    Ok(format!("{}, {steps} steps", text("what")))
                }
            },
        );
    }
}
