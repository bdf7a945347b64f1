//! What operators do: the agent ended, killed, upgraded; the encapsulation of a pool changed; the datastore taken away.

use super::{Both, Ends, RATE, nothing_is_lost, pods};
use crate::datastore::cluster::{Cluster, resources};
use crate::support::{Fabric, SOON, check, eventually, kernel, pair, plugin, roadbed, view};

/// Each node with the route to the other's pods.
const ROUTES: [(&str, &str); 2] = [("n1", "10.244.2.0/24"), ("n2", "10.244.1.0/24")];

fn two_pods(scenario: &str, vxlan: &str) -> Fabric {
    let fabric = pair::wire_with(scenario, 2, vxlan)
        .pod("p1", "n1")
        .pod("p2", "n2")
        .up();
    ready(&fabric);
    fabric
}

fn ready(fabric: &Fabric) {
    for (node, route) in ROUTES {
        eventually("the session of the nodes", || view::converged(fabric, node, 1));
        eventually("the route to the other node's pods", || {
            kernel::route(fabric, node, route)
        });
    }
}

/// The agent of n1 is away for a while and starts again as this program.
fn replaced(fabric: &Fabric, both: &Both, program: &str, killed: bool) {
    if killed {
        fabric.kill_agent("n1").expect("the agent is killed");
    } else {
        fabric.stop_agent("n1").expect("the agent ends");
    }
    both.flow("without the agent");
    fabric.set_roadbed(program).expect("the program is known");
    fabric.start_agent("n1").expect("the agent starts");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    ready(fabric);
    both.flow("with the agent");
}

#[test]
fn an_agent_that_ends_or_is_killed_costs_no_packet() {
    let fabric = two_pods("again", "CrossSubnet");
    let program = roadbed().display().to_string();
    for killed in [false, true] {
        nothing_is_lost(&fabric, pods(&fabric), |both| {
            replaced(&fabric, both, &program, killed)
        });
    }
}

#[test]
fn an_upgrade_and_the_way_back_cost_no_packet_in_the_tunnel() {
    let fabric = two_pods("upgrade", "Always");
    let old = roadbed().display().to_string();
    // Another build has another path, and nothing of the old one's memory.
    let new = fabric.file("roadbed-next", "");
    std::fs::copy(&old, &new).expect("the program is copied");
    nothing_is_lost(&fabric, pods(&fabric), |both| {
        for program in [&new, &old] {
            replaced(&fabric, both, program, false);
        }
    });
}

#[test]
fn a_pool_that_changes_its_encapsulation_under_traffic_loses_no_packet() {
    let fabric = two_pods("encap", "CrossSubnet");
    nothing_is_lost(&fabric, pods(&fabric), |both| {
        for (mode, device) in [("Always", "rb-vxlan"), ("CrossSubnet", "eth1")] {
            for (node, _) in ROUTES {
                fabric.edit(node, &pair::resources(2, mode));
            }
            for (node, route) in ROUTES {
                eventually("the other device", || {
                    let route = kernel::route(&fabric, node, route)?;
                    check(kernel::text(&route, "dev") == device, || route.to_string())
                });
            }
            both.flow("in the other form");
        }
    });
}

#[test]
fn a_datastore_that_is_away_and_comes_back_costs_no_packet() {
    let pool = "cidr: 10.244.0.0/16, blockSize: 26";
    let mut cluster = Cluster::up(
        "away",
        2,
        &["p1", "p2"],
        &resources(2, pool, "addressCoolDown: 1s"),
        "",
    );
    let ends: Ends<'_> = [("p1", "n1"), ("p2", "n2")].map(|(pod, node)| {
        let address = plugin::address(&plugin::add(&cluster.fabric, node, pod));
        (pod, address.parse().expect("an address"))
    });
    eventually("the pods reach each other", || {
        let ping = ["ping", "-c", "1", "-W", "1", &ends[1].1.to_string()].map(str::to_owned);
        let done = cluster.fabric.exec("p1", &ping).map_err(|e| e.to_string())?;
        check(done.status.success(), || format!("{done:?}"))
    });
    let away = |cluster: &Cluster, node: &str, wanted: bool| {
        let store = view::status(&cluster.fabric, node)?.datastore;
        check(store.away_seconds.is_some() == wanted, || format!("{store:?}"))
    };
    // The cluster is changed while its fabric is measured.
    let both = Both::start(&cluster.fabric, ends);
    cluster.kill_etcd();
    for node in ["n1", "n2"] {
        eventually("the node knows that its datastore is away", || {
            away(&cluster, node, true)
        });
    }
    both.flow("without the datastore");
    cluster.start_etcd();
    for node in ["n1", "n2"] {
        eventually("the node follows its datastore again", || {
            away(&cluster, node, false)
        });
    }
    both.flow("with the datastore again");
    for report in both.stop() {
        assert_eq!(
            (report.lost - report.overflowed, report.refused),
            (0, 0),
            "{report:?}"
        );
        assert!(report.received > 2 * u64::from(RATE), "{report:?}");
    }
}
