//! Rule and table: made, adopted, repaired, removed; those of others stay.

use tunnel::Family::{Ipv4, Ipv6};
use tunnel::probe::{DesiredProbes, ProbeKey, Silence};

use crate::fabric::*;

fn listens(node: &Node) -> bool {
    let sockets = node
        .namespace
        .run("cat /proc/thread-self/net/udp /proc/thread-self/net/udp6");
    sockets.contains(":23DB ")
}

#[test]
fn rule_table_and_port_are_there_only_while_something_is_probed() {
    alone(|| {
        let fabric = Fabric::new();
        let a = fabric.a.start();
        assert!(!fabric.a.has_rule() && !listens(&fabric.a));
        a.bring(fabric.a.probes(&fabric.b));
        assert!(listens(&fabric.a));
        let rules = fabric.a.namespace.run("ip rule show");
        assert!(
            rules.contains("82:\tfrom all fwmark 0x52420000 lookup 21058 proto 82"),
            "{rules}"
        );
        let rules = fabric.a.namespace.run("ip -6 rule show");
        assert!(
            rules.contains("82:\tfrom all fwmark 0x52420000 lookup 21058 proto 82"),
            "{rules}"
        );
        let table = fabric.a.table();
        assert!(table.contains("10.244.2.0 via 192.0.1.1 dev eth0"), "{table}");
        assert!(
            table.contains("fd00:10:244:2:: via 2001:db8:1::1 dev eth0"),
            "{table}"
        );
        assert_eq!(table.matches("unreachable default").count(), 2, "{table}");
        // No pool is Auto any more.
        a.bring(DesiredProbes::default());
        assert!(!fabric.a.has_rule() && !listens(&fabric.a));
        assert_eq!(fabric.a.table(), "");
        assert!(a.handle().verdicts().borrow().peers.is_empty());
    });
}

#[test]
fn a_new_start_adopts_and_what_is_not_wanted_goes() {
    alone(|| {
        let fabric = Fabric::new();
        let [a, b] = fabric.start();
        a.carries(&fabric.b, Ipv4);
        let before = fabric.a.table();
        a.stop();
        assert!(fabric.a.has_rule());
        assert_eq!(fabric.a.table(), before, "an exit leaves all in place");
        fabric
            .a
            .namespace
            .run("ip route add 10.244.9.0 via 192.0.1.1 dev eth0 table 21058 proto 83");
        let a = fabric.a.start();
        a.handle().adopt([ProbeKey::new("node-b", Ipv4)].into());
        let mut verdicts = a.handle().verdicts();
        a.bring(fabric.a.probes(&fabric.b));
        // What carried is never anything else; the other family proves itself first.
        let verdict = a.verdict(&fabric.b, Ipv4);
        assert!(verdict.carries(), "{verdict}");
        assert_eq!(fabric.a.table(), before);
        a.carries(&fabric.b, Ipv6);
        until("the adopted way is proven anew", || {
            a.verdict(&fabric.b, Ipv4).seen().answered_full >= 2
        });
        assert!(
            verdicts
                .borrow_and_update()
                .of(&ProbeKey::new("node-b", Ipv4))
                .carries()
        );
        let rules = fabric.a.namespace.run("ip rule show");
        assert_eq!(rules.matches("fwmark 0x52420000").count(), 1, "{rules}");
        a.carries(&fabric.b, Ipv4);
        b.carries(&fabric.a, Ipv6);
        // Another gateway is set in place, and the way is proven anew.
        let mut moved = fabric.a.probes(&fabric.b);
        for peer in moved.peers.values_mut().filter(|peer| peer.pod.is_ipv4()) {
            peer.hop.as_mut().unwrap().gateway = "192.0.1.77".parse().unwrap();
        }
        a.bring(moved);
        assert!(
            fabric.a.table().contains("10.244.2.0 via 192.0.1.77 dev eth0"),
            "{}",
            fabric.a.table()
        );
        a.silent(&fabric.b, Ipv4, Silence::Lost);
        a.carries(&fabric.b, Ipv6);
    });
}

#[test]
fn cleanup_removes_ours_and_nothing_else() {
    alone(|| {
        let fabric = Fabric::new();
        let a = fabric.a.start();
        a.bring(fabric.a.probes(&fabric.b));
        a.stop();
        fabric
            .a
            .namespace
            .run("ip rule add fwmark 0x1 lookup 100 priority 82");
        fabric
            .a
            .namespace
            .run("ip route add 203.0.113.0/24 via 192.0.1.1 table 21058");
        assert_eq!(fabric.a.cleanup(), 6, "rule, end and one route of each family");
        assert!(!fabric.a.has_rule());
        assert!(
            fabric.a.table().trim() == "203.0.113.0/24 via 192.0.1.1 dev eth0",
            "{}",
            fabric.a.table()
        );
        assert!(
            fabric
                .a
                .namespace
                .run("ip rule show")
                .contains("fwmark 0x1 lookup 100")
        );
        assert_eq!(fabric.a.cleanup(), 0);
    });
}

#[test]
fn a_node_without_its_pod_address_says_so() {
    alone(|| {
        let fabric = Fabric::new();
        fabric.a.namespace.run("ip address del 10.244.1.0/32 dev lo");
        let [a, b] = fabric.start();
        a.silent(&fabric.b, Ipv4, Silence::Lost);
        let verdict = a.verdict(&fabric.b, Ipv4);
        assert!(
            verdict.seen().error.is_some() && verdict.to_string().contains("could not be sent"),
            "{verdict}"
        );
        fabric.a.namespace.run("ip address add 10.244.1.0/32 dev lo");
        a.carries(&fabric.b, Ipv4);
        b.carries(&fabric.a, Ipv4);
        assert!(a.verdict(&fabric.b, Ipv4).seen().error.is_none());
    });
}
