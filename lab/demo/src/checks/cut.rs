//! The cable between a switch and a node is cut and joined again: routes go at both ends, and come back.

use std::time::{Duration, Instant};

use crate::checks::filters;
use crate::context::Context;
use crate::facts::{CLIENTS, Node, by_name};

/// The port that is shut, and whose it is.
const SWITCH: &str = "tor1";
const PORT: &str = "eth2";
const NODE: &str = "a2";

/// The switches ask for a hold time of 9 seconds, and nothing faster tells a node that a switch is gone.
const NOTICE: Duration = Duration::from_secs(20);

/// Reconnecting, and the first feed.
const RETURN: Duration = Duration::from_secs(40);

pub fn cut(context: &mut Context<'_>) {
    let Some(node) = by_name(NODE) else { return };
    context.step(&format!("cutting the link between {SWITCH} and {NODE}"));
    if context.stopped() {
        return;
    }
    let set = |c: &Context<'_>, up| c.lab.set_link(SWITCH, PORT, up).map_err(|e| e.to_string());
    if let Err(e) = set(context, false) {
        return context.check("cut/link", "the link is cut", |_| Err(e));
    }
    let start = Instant::now();
    context.check("cut/switch", format!("{SWITCH} withdraws {}", node.block), |c| {
        c.wait(NOTICE, || gone(switch_has(c, &node)?))
            .map(|()| after(start))
    });
    context.check(
        "cut/node",
        format!("{NODE} removes what {SWITCH} had told it"),
        |c| c.wait(NOTICE, || gone(node_has(c)?)).map(|()| after(start)),
    );
    context.check("cut/others", "a1 and b2 are not disturbed", |c| {
        c.ping("pod-a1", &c.pod("pod-b2")?)
    });

    context.step("joining it again");
    if let Err(e) = set(context, true) {
        return context.check("heal/link", "the link is joined", |_| Err(e));
    }
    let start = Instant::now();
    context.check("heal/switch", format!("{SWITCH} has {} again", node.block), |c| {
        c.wait(RETURN, || there(switch_has(c, &node)?))
            .map(|()| after(start))
    });
    context.check(
        "heal/node",
        format!("{NODE} has the routes of {SWITCH} again"),
        |c| c.wait(RETURN, || there(node_has(c)?)).map(|()| after(start)),
    );
    context.check(
        "heal/ping",
        format!("{} reaches its rack and the other one", node.pod),
        |c| {
            for pod in ["pod-a1", "pod-b2"] {
                let address = c.pod(pod)?;
                c.wait(RETURN, || c.ping(node.pod, &address))?;
            }
            Ok(after(start))
        },
    );
}

fn after(start: Instant) -> String {
    format!("after {:.1} s", start.elapsed().as_secs_f64())
}

fn switch_has(context: &Context<'_>, node: &Node) -> Result<bool, String> {
    Ok(filters::table(context, SWITCH)?.get(node.block).is_some())
}

/// A client's network is known by the switch alone.
fn node_has(context: &Context<'_>) -> Result<bool, String> {
    let text = context.run(NODE, &["ip", "route", "show", CLIENTS[0].network, "proto", "82"])?;
    Ok(!text.trim().is_empty())
}

fn gone(there: bool) -> Result<(), String> {
    if there {
        Err("it is still there".into())
    } else {
        Ok(())
    }
}

fn there(there: bool) -> Result<(), String> {
    if there {
        Ok(())
    } else {
        Err("it is not there".into())
    }
}
