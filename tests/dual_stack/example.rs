//! The example of the manual: two racks with a switch each, sessions over IPv4 that carry both families.

use super::{addresses, explained, leads, stage, traffic, tunnelled};
use crate::support::{Fabric, check, eventually, view};

fn up() -> Fabric {
    let fabric = Fabric::of_file("lab/examples/dual-stack.clab.yml", "dual");
    for node in ["a1", "a2", "b1"] {
        eventually("all sessions", || view::converged(&fabric, node, 3));
    }
    fabric
}

/// The routes of both families are announced over the IPv4 session, each with a next hop of its family.
fn announced(fabric: &Fabric) {
    for (prefix, next_hop) in [
        ("10.244.3.0/24", "198.51.100.11"),
        ("2001:db8:244:3::/64", "2001:db8:2::11"),
    ] {
        let route = view::route_of(fabric, "a1", prefix, &["--received", "198.51.100.11"]);
        let route = route.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            route.next_hop.map(|a| a.to_string()).as_deref(),
            Some(next_hop),
            "{route:?}"
        );
    }
}

#[test]
fn both_families_over_one_session() {
    let fabric = up();
    announced(&fabric);
    eventually("IPv6 in the rack", || {
        leads(&fabric, "a1", "2001:db8:244:2::/64", "eth1", "2001:db8:1::12")
    });
    eventually("IPv4 across", || {
        tunnelled(&fabric, "a1", "10.244.3.0/24", "rb-vxlan", "10.244.1.0")
    });
    eventually("IPv6 across", || {
        tunnelled(
            &fabric,
            "a1",
            "2001:db8:244:3::/64",
            "rb-vxlan6",
            "2001:db8:244:1::",
        )
    });
    eventually("IPv6 of the fabric", || {
        leads(&fabric, "a1", "2001:db8:c::/64", "eth1", "2001:db8:1::1")
    });
    assert_eq!(addresses(&fabric, "a1", "rb-vxlan6"), ["2001:db8:244:1::"]);
    assert_eq!(
        addresses(&fabric, "pod-a1", "eth0"),
        ["10.244.1.1", "2001:db8:244:1::1"]
    );

    for (pod, to) in [
        ("pod-a2", "10.244.2.1"),
        ("pod-b1", "10.244.3.1"),
        ("pod-a2", "2001:db8:244:2::1"),
        ("pod-b1", "2001:db8:244:3::1"),
    ] {
        traffic::ping(&fabric, "pod-a1", to);
        traffic::ping(&fabric, "a1", to);
        traffic::mtu(&fabric, "pod-a1", to, 1430);
        traffic::tcp(&fabric, "pod-a1", pod, to);
    }
    for pod in ["10.244.3.1", "2001:db8:244:3::1"] {
        traffic::ping(&fabric, "client", pod);
    }
}

#[test]
fn explain_and_status_keep_the_families_apart() {
    let fabric = up();
    eventually("IPv6 across", || {
        tunnelled(
            &fabric,
            "a1",
            "2001:db8:244:3::/64",
            "rb-vxlan6",
            "2001:db8:244:1::",
        )
    });
    let (verdict, stages) = explained(&fabric, "a1", "2001:db8:244:3::1");
    assert!(verdict.contains("VXLAN to node b1"), "{verdict}");
    assert!(
        stage(&stages, "bgp").contains("from 198.51.100.11 (iBGP), next hop 2001:db8:2::11"),
        "{stages:?}"
    );
    assert!(stage(&stages, "mtu").starts_with("1430"), "{stages:?}");
    let (_, stages) = explained(&fabric, "a1", "10.244.3.1");
    assert!(stage(&stages, "mtu").starts_with("1450"), "{stages:?}");
    let (verdict, _) = explained(&fabric, "a1", "2001:db8:244:2::1");
    assert!(verdict.starts_with("sent as it is to node a2"), "{verdict}");

    for (node, ends) in [("a1", 1), ("b1", 2)] {
        eventually("the tunnels of each family", || {
            let status = view::status(&fabric, node)?;
            let seen: Vec<_> = status
                .tunnels
                .iter()
                .map(|t| (t.name.as_str(), t.remotes))
                .collect();
            check(seen == [("rb-vxlan", ends), ("rb-vxlan6", ends)], || {
                format!("{seen:?}")
            })
        });
    }
}

/// A default route from the switches beside the node's own: the node's own leads, and nobody complains.
#[test]
fn a_learned_default_route_stands_behind_the_nodes_own() {
    let fabric = up();
    let lines = [
        "conf t",
        "ip prefix-list FABRIC seq 100 permit 0.0.0.0/0",
        "ipv6 prefix-list FABRIC6 seq 100 permit ::/0",
        "router bgp 65001",
        "no bgp network import-check",
        "address-family ipv4 unicast",
        "network 0.0.0.0/0",
        "exit-address-family",
        "address-family ipv6 unicast",
        "network ::/0",
    ];
    let mut words = vec!["vtysh"];
    words.extend(lines.iter().flat_map(|line| ["-c", line]));
    fabric
        .exec_ok("tor1", &words)
        .expect("the switch takes its new configuration");
    for prefix in ["0.0.0.0/0", "::/0"] {
        eventually("the learned default route", || {
            let route = view::route(&fabric, "a1", prefix)?;
            check(route.installed, || format!("{route:?}"))
        });
    }
    let status = view::status(&fabric, "a1").expect("the agent answers");
    assert!(
        status.ready && status.problems.is_empty(),
        "{:?}",
        status.problems
    );
    for family in ["-4", "-6"] {
        let defaults = fabric.run("a1", &format!("ip -o {family} route show default"));
        let metric = |line: &str| {
            let mut words = line.split_whitespace().skip_while(|word| *word != "metric");
            words
                .nth(1)
                .map_or(0, |text| text.parse::<u32>().expect("a metric"))
        };
        let (ours, theirs): (Vec<&str>, Vec<&str>) = defaults.lines().partition(|l| l.contains("proto 82"));
        assert!(
            ours.len() == 1 && theirs.len() == 1 && metric(theirs[0]) < metric(ours[0]),
            "{defaults}"
        );
    }
}
