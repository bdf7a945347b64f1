//! The sessions with the only switch are reset while all forward, or the agent of a node is: nodes and switch keep their routes
//! (RFC 4724), and no packet is lost either way.

use interop_table::Feature;

use super::racks::{self, BLOCKS, HOLD};
use super::{nothing_is_lost, pods, switches};
use crate::interop::makes::{Bird, Frr, Gobgp, Openbgpd, Router};
use crate::interop::record;
use crate::support::watch::RouteWatch;
use crate::support::{Fabric, SOON, check, eventually, view};

/// A hold time that a busy machine keeps, where it is no part of the matter.
const PATIENT: u8 = 9;

const SWITCH: [&str; 2] = ["198.18.11.1", "198.18.12.1"];

fn flaps(fabric: &Fabric) -> [u64; 2] {
    [("n1", SWITCH[0]), ("n2", SWITCH[1])]
        .map(|(node, peer)| eventually("the peer", || view::peer(fabric, node, peer)).flaps)
}

fn both_lost(fabric: &Fabric, before: [u64; 2]) {
    eventually("both sessions are lost", || {
        let now = flaps(fabric);
        check(now[0] > before[0] && now[1] > before[1], || {
            format!("{before:?} {now:?}")
        })
    });
}

/// Watches the routes of the nodes to each other's pods, and those of the switch to both where it is to keep them too. Where
/// something is done, none is ever deleted.
fn kept(fabric: &Fabric, make: &dyn Router, switch: bool, act: impl FnOnce()) {
    let mut watched = vec![("n1", BLOCKS[1]), ("n2", BLOCKS[0])];
    if switch {
        watched.extend(BLOCKS.map(|block| ("tor1", block)));
    }
    let watches: Vec<_> = watched
        .iter()
        .map(|(node, block)| (RouteWatch::start(fabric, node), *node, *block))
        .collect();
    act();
    for (watch, node, block) in &watches {
        assert_eq!(
            watch.deletions_of(block),
            Vec::<String>::new(),
            "{}: {node}",
            make.make()
        );
    }
}

/// The kernel of the switch ends the TCP connections of both sessions, without a word of BGP.
fn killed(fabric: &Fabric) {
    let before = flaps(fabric);
    fabric.run("tor1", "ss -K -t sport = :179 or dport = :179");
    both_lost(fabric, before);
}

/// A firewall on the switch answers all that belongs to BGP with a reset, until both ends know.
fn rejected(fabric: &Fabric) {
    let before = flaps(fabric);
    // Between switch and nodes, all TCP is BGP. The resets themselves have to get out.
    let rule = "ip saddr 198.18.0.0/15 tcp flags & rst == 0 reject with tcp reset";
    let chain = |hook| format!(" chain {hook} {{\n type filter hook {hook} priority 0\n {rule}\n }}\n");
    let table = format!("table inet severed {{\n{}{}}}\n", chain("input"), chain("output"));
    let file = fabric.file("reset.nft", &table);
    fabric.run("tor1", &format!("nft -f {file}"));
    both_lost(fabric, before);
    fabric.run("tor1", "nft delete table inet severed");
}

fn reset(scenario: &str, make: &dyn Router, act: fn(&Fabric)) {
    let fabric = racks::of(scenario, 1, make, HOLD);
    kept(&fabric, make, make.installs(), || {
        nothing_is_lost(&fabric, pods(&fabric), |both| {
            act(&fabric);
            both.flow("without the sessions");
            racks::whole(&fabric, 1);
            both.flow("with the sessions again");
        });
    });
}

#[test]
fn a_reset_of_a_switchs_sessions_costs_no_packet_and_no_route() {
    reset("reset", &Frr, killed);
}

/// BIRD says R and F only after a restart of its own.
#[test]
fn a_reset_of_a_bird_that_was_not_away_costs_no_packet_and_no_route() {
    reset("reset-bird", &Bird, killed);
}

#[test]
fn a_reset_of_gobgp_costs_no_packet_and_no_route() {
    reset("reset-gobgp", &Gobgp, killed);
}

#[test]
fn a_firewall_that_resets_connections_costs_no_packet_and_no_route() {
    for make in [&Frr as &dyn Router, &Bird] {
        reset("reject", make, rejected);
    }
}

/// Our own restarts, seen from the switch: it keeps our routes, because our OPEN says R and F.
fn agent_restarts(make: &dyn Router) {
    let fabric = racks::of("switch", 1, make, PATIENT);
    for killed in [false, true] {
        kept(&fabric, make, make.installs(), || {
            nothing_is_lost(&fabric, pods(&fabric), |both| {
                if killed {
                    fabric.kill_agent("n1").expect("the agent is killed");
                } else {
                    fabric.stop_agent("n1").expect("the agent ends");
                }
                both.flow("without the agent");
                fabric.start_agent("n1").expect("the agent starts");
                fabric.wait_agent("n1", SOON).expect("the agent answers");
                racks::whole(&fabric, 1);
                both.flow("with the agent");
            });
        });
    }
    record::works(
        make,
        &fabric,
        "tor1",
        Feature::WeRestart,
        &measured(make.installs()),
    );
}

/// What was measured, as the table tells it.
fn measured(switch: bool) -> String {
    let whose = if switch { "nodes and switch" } else { "the nodes" };
    format!("0 packets lost both ways, no route of {whose} deleted")
}

#[test]
fn frr_keeps_the_routes_of_an_agent_that_ends_or_is_killed() {
    agent_restarts(&Frr);
}

#[test]
fn bird_keeps_the_routes_of_an_agent_that_ends_or_is_killed() {
    agent_restarts(&Bird);
}

#[test]
fn gobgp_keeps_the_routes_of_an_agent_that_ends_or_is_killed() {
    agent_restarts(&Gobgp);
}

#[test]
fn openbgpd_keeps_the_routes_of_an_agent_that_ends_or_is_killed() {
    agent_restarts(&Openbgpd);
}

/// The switch's own restart: its process is killed and comes back, while its kernel forwards.
fn switch_restarts(make: &dyn Router, keeps_its_kernel: bool) {
    let fabric = racks::of("switch-again", 1, make, PATIENT);
    if make.installs() && !keeps_its_kernel {
        racks::last_resort(&fabric, 1);
    }
    let mut process = fabric.process("tor1", make.process());
    kept(&fabric, make, keeps_its_kernel, || {
        nothing_is_lost(&fabric, pods(&fabric), |both| {
            let before = flaps(&fabric);
            fabric.kill(process);
            both_lost(&fabric, before);
            both.flow("without the switch's BGP");
            process = make.restart(&fabric, &switches::site(1, PATIENT));
            racks::whole(&fabric, 1);
            both.flow("with the switch's BGP again");
        });
    });
    let detail = measured(keeps_its_kernel);
    record::works(make, &fabric, "tor1", Feature::TheyRestart, &detail);
}

/// FRR deletes what its last peer has taught it from its own kernel as soon as the first peer is fed: so its kernel has a
/// last resort.
#[test]
fn frr_that_is_killed_and_comes_back_costs_no_packet_and_no_route() {
    switch_restarts(&Frr, false);
}

#[test]
fn bird_that_is_killed_and_comes_back_costs_no_packet_and_no_route() {
    switch_restarts(&Bird, true);
}

#[test]
fn gobgp_that_is_killed_and_comes_back_costs_no_packet_and_no_route() {
    switch_restarts(&Gobgp, false);
}
