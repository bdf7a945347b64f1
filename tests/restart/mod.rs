//! The data plane outlives the agent: an agent that is killed, or ended, and started again under traffic loses
//! no packet, and what a killed run left behind is swept when the first full feed is in, not sooner.
//!
//! The traffic leaves the node whose agent restarts. Traffic towards that node depends on its neighbours, who
//! withdraw its routes when the session ends: for that there is graceful restart, which is not spoken yet.

mod orphans;

use std::time::Duration;

use lab::traffic::{Report, Traffic};

use crate::support::watch::RouteWatch;
use crate::support::{Builder, Fabric, SOON, eventually, kernel, pair, view};

/// Packets a second.
const RATE: u32 = 100;
/// One second of them.
const SECOND: u64 = RATE as u64;
/// The other node's pods.
const TESTED: &str = "10.244.2.0/24";

/// How the agent ends.
#[derive(Clone, Copy)]
enum End {
    Kill,
    Terminate,
}

fn two_pods(scenario: &str, vxlan: &str) -> Fabric {
    let builder: Builder = pair::wire_with(scenario, 2, vxlan)
        .pod("p1", "n1")
        .pod("p2", "n2");
    let fabric = builder.up();
    for node in ["n1", "n2"] {
        eventually("the session of the nodes", || view::converged(&fabric, node, 1));
    }
    eventually("the route to the other node's pods", || {
        kernel::route(&fabric, "n1", TESTED)
    });
    fabric
}

fn packets(fabric: &Fabric) -> Traffic {
    let to = fabric.pod_address("p2").expect("the pod has an address");
    let traffic = Traffic::start(fabric, "p1", "p2", to, RATE).unwrap_or_else(|e| panic!("{e}"));
    traffic
        .wait_arrived(SECOND, SOON)
        .expect("packets arrive before anything happens");
    traffic
}

/// One restart under traffic; checks all but the rate.
fn restart(fabric: &Fabric, end: End) -> Report {
    let before = kernel::route(fabric, "n1", TESTED).expect("our route, with our protocol number");
    let watch = RouteWatch::start(fabric, "n1");
    let traffic = packets(fabric);
    match end {
        End::Kill => fabric.kill_agent("n1").expect("the agent is killed"),
        End::Terminate => fabric.stop_agent("n1").expect("the agent ends"),
    }
    traffic
        .wait_arrived(SECOND, SOON)
        .expect("packets arrive without the agent");
    let without = kernel::route(fabric, "n1", TESTED).expect("our route stays without the agent");
    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    eventually("the node after the restart", || view::converged(fabric, "n1", 1));
    traffic
        .wait_arrived(SECOND, SOON)
        .expect("packets arrive after the restart");
    let report = traffic.stop();
    let after = kernel::route(fabric, "n1", TESTED).expect("our route after the restart");
    assert_eq!(
        (&before, &before),
        (&without, &after),
        "the route is adopted as it is"
    );
    assert_eq!(
        watch.deletions_of(TESTED),
        Vec::<String>::new(),
        "the route was gone for a moment"
    );
    assert_eq!((report.lost, report.refused), (0, 0), "{report:?}");
    report
}

/// A run in which a busy machine did not send the full rate proves nothing, and is done again.
fn no_packet_is_lost(scenario: &str, vxlan: &str, end: End) {
    let fabric = two_pods(scenario, vxlan);
    let mut last = None;
    for _ in 0..4 {
        let report = restart(&fabric, end);
        assert!(report.sent >= 3 * SECOND, "{report:?}");
        if report.full_rate() {
            return;
        }
        last = Some(report);
    }
    panic!("the machine is too busy to send {RATE} packets a second: {last:?}");
}

#[test]
fn killed_no_packet_is_lost() {
    no_packet_is_lost("killed", "CrossSubnet", End::Kill);
}

#[test]
fn killed_no_packet_is_lost_in_the_tunnel() {
    no_packet_is_lost("killed", "Always", End::Kill);
}

#[test]
fn terminated_no_packet_is_lost() {
    no_packet_is_lost("ended", "CrossSubnet", End::Terminate);
}

#[test]
fn the_count_sees_a_loss() {
    // The counter-proof: the same traffic, and a route that is really gone for a while.
    let fabric = two_pods("loss", "CrossSubnet");
    let watch = RouteWatch::start(&fabric, "n1");
    let traffic = packets(&fabric);
    fabric.kill_agent("n1").expect("the agent is killed");
    fabric.run("n1", &format!("ip route del {TESTED} proto 82"));
    let sent = traffic.sent();
    traffic.wait_sent(sent + SECOND / 2).expect("packets are sent");
    fabric.start_agent("n1").expect("the agent starts again");
    traffic
        .wait_arrived(SECOND / 2, Duration::from_secs(60))
        .expect("packets arrive again");
    let report = traffic.stop();
    assert!(report.lost >= SECOND / 4, "{report:?}");
    assert_ne!(watch.deletions_of(TESTED), Vec::<String>::new());
}
