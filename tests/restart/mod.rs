//! The data plane outlives the agent: an agent that is killed, or ended, and started again under traffic loses
//! no packet in either direction, and what a killed run left behind is swept when the first full feed is in, not
//! sooner.
//!
//! The traffic that leaves the node depends on its own kernel alone. The traffic towards it depends on its
//! neighbour, which keeps its routes while it restarts (RFC 4724).

mod orphans;

use std::time::Duration;

use lab::traffic::{Report, Traffic};
use serde_json::Value;

use crate::support::watch::RouteWatch;
use crate::support::{Builder, Fabric, SOON, eventually, kernel, pair, view};

/// Packets a second.
const RATE: u32 = 100;
/// One second of them.
const SECOND: u64 = RATE as u64;
/// The node whose agent restarts and the other one, each with the route to the other's pods.
const TESTED: [(&str, &str); 2] = [("n1", "10.244.2.0/24"), ("n2", "10.244.1.0/24")];

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
    for (node, route) in TESTED {
        eventually("the route to the other node's pods", || {
            kernel::route(&fabric, node, route)
        });
    }
    fabric
}

fn packets(fabric: &Fabric, from: &str, to: &str) -> Traffic {
    let address = fabric.pod_address(to).expect("the pod has an address");
    let traffic = Traffic::start(fabric, from, to, address, RATE).unwrap_or_else(|e| panic!("{e}"));
    traffic
        .wait_arrived(SECOND, SOON)
        .expect("packets arrive before anything happens");
    traffic
}

/// The tested routes, which carry our protocol number.
fn tested(fabric: &Fabric) -> [Value; 2] {
    TESTED.map(|(node, route)| kernel::route(fabric, node, route).unwrap_or_else(|e| panic!("{e}")))
}

/// One restart under traffic both ways; checks all but the rate.
fn restart(fabric: &Fabric, end: End) -> [Report; 2] {
    let before = tested(fabric);
    let watches = TESTED.map(|(node, route)| (route, RouteWatch::start(fabric, node)));
    let streams = [packets(fabric, "p1", "p2"), packets(fabric, "p2", "p1")];
    let arrive = |when: &str| {
        for stream in &streams {
            stream
                .wait_arrived(SECOND, SOON)
                .unwrap_or_else(|e| panic!("{when}: {e}"));
        }
    };
    match end {
        End::Kill => fabric.kill_agent("n1").expect("the agent is killed"),
        End::Terminate => fabric.stop_agent("n1").expect("the agent ends"),
    }
    arrive("without the agent");
    assert_eq!(tested(fabric), before, "the routes stay without the agent");
    fabric.start_agent("n1").expect("the agent starts again");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    for node in ["n1", "n2"] {
        eventually("the session after the restart", || {
            view::converged(fabric, node, 1)
        });
    }
    arrive("after the restart");
    let reports = streams.map(Traffic::stop);
    assert_eq!(tested(fabric), before, "the routes are adopted as they are");
    for (route, watch) in &watches {
        assert_eq!(
            watch.deletions_of(route),
            Vec::<String>::new(),
            "the route was gone for a moment"
        );
    }
    for report in &reports {
        assert_eq!((report.lost, report.refused), (0, 0), "{report:?}");
        assert!(report.sent >= 3 * SECOND, "{report:?}");
    }
    reports
}

/// A run in which a busy machine did not send the full rate proves nothing, and is done again.
fn no_packet_is_lost(scenario: &str, vxlan: &str, end: End) {
    let fabric = two_pods(scenario, vxlan);
    let mut last = None;
    for _ in 0..4 {
        let reports = restart(&fabric, end);
        if reports.iter().all(Report::full_rate) {
            return;
        }
        last = Some(reports);
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
    let (node, route) = TESTED[0];
    let watch = RouteWatch::start(&fabric, node);
    let traffic = packets(&fabric, "p1", "p2");
    fabric.kill_agent("n1").expect("the agent is killed");
    fabric.run(node, &format!("ip route del {route} proto 82"));
    let sent = traffic.sent();
    traffic.wait_sent(sent + SECOND / 2).expect("packets are sent");
    fabric.start_agent("n1").expect("the agent starts again");
    traffic
        .wait_arrived(SECOND / 2, Duration::from_secs(60))
        .expect("packets arrive again");
    let report = traffic.stop();
    assert!(report.lost >= SECOND / 4, "{report:?}");
    assert_ne!(watch.deletions_of(route), Vec::<String>::new());
}
