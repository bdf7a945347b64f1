//! Verdicts about paths that carry, drop, cut and heal.

use std::time::Duration;

use tunnel::Family::{Ipv4, Ipv6};
use tunnel::probe::{NativeHop, ProbeVerdict, Silence};

use crate::fabric::*;

#[test]
fn a_fabric_that_routes_pod_addresses_carries() {
    alone(|| {
        let fabric = Fabric::new();
        let [a, b] = fabric.start();
        for family in [Ipv4, Ipv6] {
            a.carries(&fabric.b, family);
            b.carries(&fabric.a, family);
        }
        let verdict = a.verdict(&fabric.b, Ipv4);
        let seen = verdict.seen();
        assert!(seen.answered_full >= 2 && seen.round_trip.is_some(), "{verdict}");
        let text = verdict.to_string();
        assert!(
            text.contains("10.244.1.0 -> 10.244.2.0 via 192.0.1.1 on eth0"),
            "{text}"
        );
    });
}

#[test]
fn sources_dropped_one_way_silence_that_way_alone_until_it_heals() {
    alone(|| {
        let fabric = Fabric::new();
        fabric.drop_packets("ip saddr 10.244.1.0/24");
        let [a, b] = fabric.start();
        a.silent(&fabric.b, Ipv4, Silence::Lost);
        b.carries(&fabric.a, Ipv4);
        // The other family goes its own way.
        a.carries(&fabric.b, Ipv6);
        fabric.heal();
        a.carries(&fabric.b, Ipv4);
        // It breaks while it is in use: b's way is never in doubt.
        let before = b.verdict(&fabric.a, Ipv4).seen().answered;
        fabric.drop_packets("ip saddr 10.244.1.0/24");
        a.silent(&fabric.b, Ipv4, Silence::Lost);
        until("b's probes go on", || {
            b.verdict(&fabric.a, Ipv4).seen().answered > before + 3
        });
        let verdict = b.verdict(&fabric.a, Ipv4);
        assert!(verdict.carries(), "{verdict}");
        fabric.heal();
        a.carries(&fabric.b, Ipv4);
    });
}

#[test]
fn a_narrow_link_in_the_middle_is_no_way_for_full_packets() {
    alone(|| {
        let fabric = Fabric::new();
        let [a, b] = fabric.start();
        a.carries(&fabric.b, Ipv4);
        b.carries(&fabric.a, Ipv4);
        fabric.router.run("ip link set to-2 mtu 1300");
        for family in [Ipv4, Ipv6] {
            a.silent(&fabric.b, family, Silence::TooLarge);
            b.silent(&fabric.a, family, Silence::TooLarge);
        }
        fabric.router.run("ip link set to-2 mtu 1500");
        for family in [Ipv4, Ipv6] {
            a.carries(&fabric.b, family);
            b.carries(&fabric.a, family);
        }
    });
}

#[test]
fn a_peer_that_does_not_probe_us_proves_nothing_and_says_why() {
    alone(|| {
        let fabric = Fabric::new();
        let a = fabric.a.start();
        let mut desired = fabric.a.probes(&fabric.b);
        a.bring(desired.clone());
        a.silent(&fabric.b, Ipv4, Silence::Lost);
        // Without a route to the node nothing is sent, and nothing is known.
        for peer in desired.peers.values_mut() {
            peer.hop = None;
        }
        a.bring(desired.clone());
        let verdict = a.verdict(&fabric.b, Ipv4);
        assert!(matches!(verdict, ProbeVerdict::Unknown(_)), "{verdict}");
        assert!(verdict.to_string().contains("cannot be probed"), "{verdict}");
        // A link that is not there is a problem with a name.
        for peer in desired.peers.values_mut() {
            peer.hop = Some(NativeHop {
                gateway: fabric.a.gateways[0],
                interface: "eth7".into(),
            });
        }
        a.handle().publish(desired);
        let verdicts = a.handle().verdicts();
        until("the missing link is named", || {
            verdicts
                .borrow()
                .problems
                .iter()
                .any(|problem| problem.contains("eth7"))
        });
    });
}

#[test]
fn a_verdict_that_stands_wakes_nobody_though_counts_go_on() {
    alone(|| {
        let fabric = Fabric::new();
        let [a, _b] = fabric.start();
        a.carries(&fabric.b, Ipv4);
        a.carries(&fabric.b, Ipv6);
        let mut verdicts = a.handle().verdicts();
        verdicts.mark_unchanged();
        let before = a.verdict(&fabric.b, Ipv4).seen().sent;
        until("probes go on", || {
            a.verdict(&fabric.b, Ipv4).seen().sent > before + 5
        });
        assert!(!verdicts.has_changed().unwrap(), "{:?}", verdicts.borrow());
        assert!(a.verdict(&fabric.b, Ipv4).seen().since > Duration::ZERO);
    });
}
