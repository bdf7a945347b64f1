//! Ways to break the fabric, each with the checks that must fail then, and no others.
//!
//! All break node b1 or the switches; repair and the cut link are played with other nodes, so that they hold.

use std::time::Duration;

use crate::checks;
use crate::context::Context;
use crate::facts::{CLIENTS, NODES, SWITCHES, by_name, pairs};

/// The node that suffers.
const VICTIM: &str = "b1";

/// How long the fabric may take until the damage is done.
const SETTLE: Duration = Duration::from_secs(40);

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// The VXLAN forwarding table of a node is empty, and its agent repairs nothing.
    EmptyFdb,
    /// A node's agent is killed and stays dead.
    DeadAgent,
    /// The switches tell each other everything.
    FilterLifted,
    /// A node's routes of ours are flushed, and its agent repairs nothing.
    RoutesFlushed,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 4] = [
        Sabotage::EmptyFdb,
        Sabotage::DeadAgent,
        Sabotage::FilterLifted,
        Sabotage::RoutesFlushed,
    ];

    /// The ids of the checks that must fail, sorted.
    pub fn must_fail(self) -> Vec<String> {
        let touches = |wanted: &dyn Fn(&str, &str) -> bool| -> Vec<String> {
            let touched = pairs()
                .filter(|(a, b)| wanted(a.name, b.name))
                .map(|(a, b)| format!("{}>{}", a.name, b.name));
            touched
                .flat_map(|pair| [format!("ping/{pair}"), format!("wire/{pair}")])
                .collect()
        };
        let across = |a: &str, b: &str| by_name(a).map(|n| n.switch) != by_name(b).map(|n| n.switch);
        let client = format!("client/client2>{VICTIM}");
        let mut ids = match self {
            Sabotage::EmptyFdb => touches(&|a, b| (a == VICTIM || b == VICTIM) && across(a, b)),
            Sabotage::DeadAgent => {
                // Its kernel goes on forwarding, and its peers keep its routes for the restart time that it
                // announced (RFC 4724): sessions are missing, and nobody says what it does; no packet is lost.
                let sessions = NODES.map(|n| n.name).into_iter().chain([SWITCHES[1]]);
                let sessions = sessions.map(|name| format!("session/{name}"));
                sessions.chain([format!("routes/{VICTIM}")]).collect()
            }
            Sabotage::FilterLifted => SWITCHES
                .into_iter()
                .chain(CLIENTS.map(|c| c.name))
                .map(|name| format!("filter/{name}"))
                .collect(),
            Sabotage::RoutesFlushed => {
                let mut ids = touches(&|a, b| a == VICTIM || b == VICTIM);
                ids.extend([format!("routes/{VICTIM}"), client]);
                ids
            }
        };
        ids.sort();
        ids
    }

    /// Breaks the fabric and returns when it is broken.
    pub fn commit(self, context: &Context<'_>) -> Result<(), String> {
        context.step(&format!("sabotage: {self:?}"));
        match self {
            Sabotage::EmptyFdb => {
                without_repair(context)?;
                empty_fdb(context)
            }
            Sabotage::DeadAgent => {
                context.lab.kill_agent(VICTIM).map_err(|e| e.to_string())?;
                context.wait(SETTLE, || match checks::switch(context, SWITCHES[1]) {
                    Ok(_) => Err(format!("{} has not noticed yet", SWITCHES[1])),
                    Err(_) => Ok(()),
                })
            }
            Sabotage::FilterLifted => lift_filters(context),
            Sabotage::RoutesFlushed => {
                without_repair(context)?;
                context.run(VICTIM, &["sh", "-c", FLUSH]).map(drop)
            }
        }
    }
}

/// Removes the IPv4 routes of ours one by one: `ip route flush` sends each back as it was shown, with its nexthop object
/// and what is in that, which the kernel refuses.
const FLUSH: &str = "ip -o route show proto 82 | while read -r kind to rest; do \
    if [ \"$kind\" = blackhole ]; then ip route del blackhole \"$to\" proto 82; \
    else ip route del \"$kind\" proto 82; fi || exit 1; done";

/// Starts the victim's agent anew with repair off, and waits until all is well again.
fn without_repair(context: &Context<'_>) -> Result<(), String> {
    let lab = context.lab;
    lab.set_env(VICTIM, "ROADBED_REPAIR", "false")
        .and_then(|()| lab.stop_agent(VICTIM))
        .and_then(|()| lab.start_agent(VICTIM))
        .and_then(|()| lab.wait_agent(VICTIM, SETTLE))
        .map_err(|e| e.to_string())?;
    checks::settle(context, SETTLE);
    Ok(())
}

fn empty_fdb(context: &Context<'_>) -> Result<(), String> {
    let list = || context.run(VICTIM, &["bridge", "fdb", "show", "dev", "rb-vxlan"]);
    let before = list()?;
    if before.trim().is_empty() {
        return Err(format!("{VICTIM} has no forwarding entries to begin with"));
    }
    for line in before.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [mac, "dst", endpoint, ..] = words[..] else {
            continue;
        };
        context.run(
            VICTIM,
            &["bridge", "fdb", "del", mac, "dev", "rb-vxlan", "dst", endpoint],
        )?;
    }
    match list()?.contains("dst") {
        true => Err("the forwarding table is not empty".into()),
        false => Ok(()),
    }
}

fn lift_filters(context: &Context<'_>) -> Result<(), String> {
    for (switch, asn, other) in [
        (SWITCHES[0], "65001", "198.18.0.2"),
        (SWITCHES[1], "65002", "198.18.0.1"),
    ] {
        let lines = [
            "configure terminal".to_owned(),
            format!("router bgp {asn}"),
            "no bgp ebgp-requires-policy".to_owned(),
            "address-family ipv4 unicast".to_owned(),
            format!("no neighbor {other} route-map BETWEEN-RACKS in"),
            format!("no neighbor {other} route-map BETWEEN-RACKS out"),
        ];
        let argv: Vec<&str> = ["vtysh"]
            .into_iter()
            .chain(lines.iter().flat_map(|l| ["-c", l.as_str()]))
            .collect();
        context.run(switch, &argv)?;
    }
    let everything = |switch: &str| {
        let table = checks::switch_table(context, switch)?;
        match NODES.iter().find(|n| table.get(n.block).is_none()) {
            Some(node) => Err(format!("{switch} has no {} yet", node.block)),
            None => Ok(()),
        }
    };
    context.wait(SETTLE, || SWITCHES.into_iter().try_for_each(everything))
}
