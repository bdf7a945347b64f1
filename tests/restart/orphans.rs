//! Orphans: routes with our protocol number that nobody announces any more.

use std::time::Duration;

use crate::support::watch::RouteWatch;
use crate::support::{Fabric, SOON, eventually, kernel, pair, stays, view};

fn start(fabric: &Fabric, node: &str) {
    fabric.start_agent(node).expect("the agent starts");
    fabric.wait_agent(node, SOON).expect("the agent answers");
}

#[test]
fn an_orphan_of_a_killed_run_stays_until_the_first_full_feed() {
    let fabric = pair::wire("orphan", 3).up();
    eventually("the sessions", || view::converged(&fabric, "n1", 2));
    for lost_or_kept in ["10.244.2.0/24", "10.244.3.0/24"] {
        eventually("the route", || kernel::route(&fabric, "n1", lost_or_kept));
    }
    // While n1 is dead, n2's block moves: nobody will tell n1 of its withdrawal.
    fabric.kill_agent("n1").expect("the agent is killed");
    fabric.stop_agent("n2").expect("the agent ends");
    let moved = pair::resources(3, "CrossSubnet").replace("10.244.2.0/24", "10.244.7.0/24");
    for node in ["n1", "n2", "n3"] {
        fabric.edit(node, &moved);
    }
    let watch = RouteWatch::start(&fabric, "n1");
    start(&fabric, "n1");
    eventually("the session with the third node", || {
        view::established(&fabric, "n1", &pair::address(3))
    });
    // n3 has fed, n2 has not: nothing may go.
    stays(Duration::from_secs(4), "the orphan before the full feed", || {
        kernel::route(&fabric, "n1", "10.244.2.0/24").map(drop)
    });
    start(&fabric, "n2");
    eventually("the orphan's end after the full feed", || {
        kernel::no_route(&fabric, "n1", "10.244.2.0/24")
    });
    eventually("the new route", || kernel::route(&fabric, "n1", "10.244.7.0/24"));
    kernel::route(&fabric, "n1", "10.244.3.0/24").expect("the route that is still announced");
    let gone = watch.deletions_of("10.244.3.0/24");
    assert_eq!(
        gone,
        Vec::<String>::new(),
        "the route that is still announced was gone for a moment"
    );
}

#[test]
fn without_a_feed_an_orphan_goes_when_the_deferral_time_is_over() {
    let deferral = "nodeToNodeMeshEnabled: true, feedDeferralTime: 6s";
    let resources = pair::resources(2, "CrossSubnet").replace("nodeToNodeMeshEnabled: true", deferral);
    let fabric = pair::wire("deferral", 2)
        .resources(&resources)
        .up_without_agents();
    fabric.run(
        "n1",
        "ip route add 10.244.2.0/24 via 192.0.2.12 dev eth1 proto 82 metric 1082",
    );
    let started = std::time::Instant::now();
    start(&fabric, "n1");
    let looked = started.elapsed();
    stays(
        Duration::from_secs(5).saturating_sub(looked),
        "the orphan in the deferral time",
        || kernel::route(&fabric, "n1", "10.244.2.0/24").map(drop),
    );
    eventually("the orphan's end", || {
        kernel::no_route(&fabric, "n1", "10.244.2.0/24")
    });
    kernel::route(&fabric, "n1", "10.244.1.0/24").expect("our own block");
}
