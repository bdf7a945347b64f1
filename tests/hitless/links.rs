//! A cut link costs what was on its way; the traffic goes on by the other one, and the link's return costs nothing.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Both, nothing_is_lost, pods, racks};
use crate::interop::makes::Frr;
use crate::support::{check, eventually, kernel, view};

#[test]
fn traffic_goes_on_by_the_second_uplink_and_its_return_costs_no_packet() {
    let fabric = racks::up("uplinks", 2);
    racks::last_resort(&fabric, 2);
    for wire in ["w11", "w21"] {
        let both = Both::start(&fabric, pods(&fabric));
        racks::carrier(&fabric, wire, false);
        both.flow("with one uplink less");
        drop(both.stop());
        nothing_is_lost(&fabric, pods(&fabric), |both| {
            racks::carrier(&fabric, wire, true);
            racks::whole(&fabric, 2);
            both.flow("with both uplinks again");
        });
    }
}

#[test]
fn the_only_uplink_loses_its_carrier_and_the_routes_are_there_when_it_is_back() {
    let fabric = racks::up("uplink", 1);
    let both = Both::start(&fabric, pods(&fabric));
    racks::carrier(&fabric, "w11", false);
    // The counter-proof: nothing can arrive, and the count sees it.
    both.last(Duration::from_secs(1));
    racks::carrier(&fabric, "w11", true);
    both.flow("after the return of the only uplink");
    racks::whole(&fabric, 1);
    for report in both.stop() {
        assert!(report.lost > 0, "{report:?}");
    }
    eventually("the route is as it was", || {
        let route = kernel::route(&fabric, "n1", racks::BLOCKS[1])?;
        check(kernel::text(&route, "dev") == "eth1", || route.to_string())
    });
    // The repaired route carries.
    nothing_is_lost(&fabric, pods(&fabric), |both| both.flow("with the link whole"));
}

/// The switch keeps its carrier and its session, but its BGP is frozen: only what the agent still knows can bring the route back.
#[test]
fn routes_come_back_with_the_carrier_and_do_not_wait_for_bgp() {
    // Long enough for the frozen switch, and short enough for its End-of-RIB, which FRR may send as late as its first keepalive.
    let fabric = racks::of("frozen", 1, &Frr, 30);
    let peer = || eventually("the peer", || view::established(&fabric, "n1", "198.18.11.1"));
    let before = peer();
    let bgpd = fabric.process("tor1", "bgpd");
    let both = Both::start(&fabric, pods(&fabric));
    fabric.set_link("w11", "eth1", false).expect("the carrier goes");
    bgpd.signal(Signal::SIGSTOP);
    both.last(Duration::from_secs(1));
    eventually("the kernel has forgotten the route", || {
        kernel::no_route(&fabric, "n1", racks::BLOCKS[1])
    });
    fabric.set_link("w11", "eth1", true).expect("the carrier is back");
    eventually("the route is back", || {
        let route = kernel::route(&fabric, "n1", racks::BLOCKS[1]);
        route.map_err(|e| format!("{e}; {}", fabric.run("n1", "ip route")))
    });
    both.flow("after the return of the only uplink, without BGP");
    bgpd.signal(Signal::SIGCONT);
    let lost = both.stop().map(|report| report.lost);
    nothing_is_lost(&fabric, pods(&fabric), |both| both.flow("with the link whole"));
    assert!(lost[0] > 0, "the cut was seen: {lost:?}");
    assert_eq!(peer().flaps, before.flaps, "the session stood all the time");
}
