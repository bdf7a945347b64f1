//! The switches really filter: no pod prefix of the other rack, in their tables and in fact.

use serde_json::Value;

use crate::context::Context;
use crate::facts::{CLIENTS, NODES, SWITCHES};

pub fn filters(context: &mut Context<'_>) {
    context
        .step("the switches keep pod prefixes off the link between the racks: that is why there is a tunnel");
    for switch in SWITCHES {
        let what = format!("{switch} has no route to the other rack's pods");
        context.check(format!("filter/{switch}"), what, |c| {
            let routes = table(c, switch)?;
            let others = NODES.iter().filter(|n| n.switch != switch);
            let leaked: Vec<&str> = others
                .map(|n| n.block)
                .filter(|b| routes.get(b).is_some())
                .collect();
            match leaked.is_empty() {
                true => Ok("only those of its own rack".to_owned()),
                false => Err(format!("it has {}", leaked.join(", "))),
            }
        });
    }
    for client in &CLIENTS {
        let Some(far) = NODES.iter().rev().find(|n| n.switch != client.switch) else {
            continue;
        };
        let what = format!("{} does not reach {} in the other rack", client.name, far.pod);
        context.check(format!("filter/{}", client.name), what, |c| {
            let target = c.pod(far.pod)?;
            match c.ping(client.name, &target) {
                Ok(answer) => Err(answer),
                Err(_) => Ok("no answer".to_owned()),
            }
        });
    }
}

/// The switch's routing table by prefix.
pub fn table(context: &Context<'_>, switch: &str) -> Result<Value, String> {
    let text = context.run(switch, &["vtysh", "-c", "show ip route json"])?;
    serde_json::from_str(&text).map_err(|e| format!("vtysh wrote no JSON: {e}"))
}
