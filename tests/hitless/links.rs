//! A cut link costs what was on its way; the traffic goes on by the other one, and the link's return costs nothing.

use std::time::Duration;

use super::{Both, nothing_is_lost, pods, racks};
use crate::support::{check, eventually, kernel};

#[test]
fn traffic_goes_on_by_the_second_uplink_and_its_return_costs_no_packet() {
    let fabric = racks::up("uplinks", 2);
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
