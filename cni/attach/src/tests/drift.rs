//! Every kind of drift: it is made, CHECK names exactly it, ADD repairs it, CHECK is silent.

use std::process::Command;

use super::namespaces::{Ns, pod_link};
use crate::{DefaultRoute, Drift, Error, PodLink, add, check, host_ifname};

/// Where a command breaks something.
#[derive(Debug, Clone, Copy)]
enum At {
    Node,
    Pod,
}
use At::{Node, Pod};

/// A pod with two interfaces: `eth0` has the default route, `net1` has not.
struct Bench {
    node: Ns,
    pod: Ns,
    links: [PodLink; 2],
}

impl Bench {
    fn new() -> Bench {
        let (node, pod) = (Ns::node(), Ns::new());
        let mut eth0 = pod_link(&pod.path, "drift", &["10.1.0.5", "2001:db8:1::5"]);
        eth0.routes = vec![
            "10.50.0.0/16".parse().unwrap(),
            "2001:db8:50::/48".parse().unwrap(),
        ];
        let asked = [
            ("net.ipv4.conf.IFNAME.arp_notify", "1"),
            ("net.ipv4.ip_local_port_range", "2000 3000"),
        ];
        eth0.sysctls = asked.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let mut net1 = pod_link(&pod.path, "drift", &["10.1.0.6", "2001:db8:1::6"]);
        net1.ifname = "net1".into();
        net1.host_ifname = host_ifname("drift", "net1");
        let bench = Bench {
            node,
            pod,
            links: [eth0, net1],
        };
        bench.add();
        assert_eq!(bench.check(), []);
        bench
    }

    fn add(&self) {
        let links = self.links.clone();
        self.node
            .run(move || links.iter().for_each(|link| drop(add(link).unwrap())));
    }

    fn check(&self) -> Vec<Drift> {
        let links = self.links.clone();
        self.node
            .run(move || links.iter().flat_map(|link| check(link).unwrap()).collect())
    }

    /// The line with the names of the interfaces and the number of the table in it.
    fn fill(&self, line: &str) -> String {
        let table = crate::routing::table(&self.links[1].host_ifname).to_string();
        line.replace("HOST0", &self.links[0].host_ifname)
            .replace("HOST1", &self.links[1].host_ifname)
            .replace("TABLE", &table)
    }

    fn shell(&self, at: At, line: &str) {
        let line = self.fill(line);
        let ns = match at {
            Node => &self.node,
            Pod => &self.pod,
        };
        ns.run(move || {
            let done = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert!(
                done.status.success(),
                "{line}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        });
    }

    /// Breaks, expects these drifts as `what = found` (`-`: missing), repairs.
    fn breaks(&self, at: At, line: &str, expected: &[&str]) {
        self.shell(at, line);
        let drifts = self.check();
        let text = |d: &Drift| format!("{} = {}", d.what, d.found.as_deref().unwrap_or("-"));
        let found: Vec<String> = drifts.iter().map(text).collect();
        let expected: Vec<String> = expected.iter().map(|line| self.fill(line)).collect();
        assert_eq!(found, expected, "after {line}");
        assert!(drifts.iter().all(|d| Some(&d.expected) != d.found.as_ref()));
        assert_eq!(self.check(), drifts, "a check changed something after {line}");
        self.add();
        assert_eq!(self.check(), [], "an ADD did not repair {line}");
    }
}

#[test]
fn links() {
    let bench = Bench::new();
    for (at, line, expected) in [
        (
            Node,
            "ip link del HOST0",
            &["the node's end HOST0 = -", "the pod's end eth0 = -"][..],
        ),
        (
            Pod,
            "ip link set eth0 down && ip link set eth0 name eth9",
            &["the pod's end eth0 = -"],
        ),
        (Node, "ip link set HOST0 down", &["the state of HOST0 = down"]),
        (
            Pod,
            "ip link set eth0 down",
            &["the state of eth0 in the pod = down"],
        ),
        (
            Pod,
            "ip link set net1 down",
            &["the state of net1 in the pod = down"],
        ),
        (Node, "ip link set HOST0 mtu 1400", &["the MTU of HOST0 = 1400"]),
        (
            Pod,
            "ip link set eth0 mtu 1401",
            &["the MTU of eth0 in the pod = 1401"],
        ),
        (
            Pod,
            "ip link set eth0 address 0a:00:00:00:00:01",
            &[
                "the hardware address of eth0 in the pod = 0a:00:00:00:00:01",
                "the neighbour 169.254.1.1 of eth0 in the pod = -",
                "the neighbour fe80::1 of eth0 in the pod = -",
            ],
        ),
        (
            Node,
            "ip link set HOST0 address 0a:00:00:00:00:02",
            &[
                "the hardware address of HOST0 = 0a:00:00:00:00:02",
                "the neighbour 10.1.0.5 of HOST0 = -",
                "the neighbour 2001:db8:1::5 of HOST0 = -",
            ],
        ),
    ] {
        bench.breaks(at, line, expected);
    }
    bench.shell(Pod, "ip link set lo down");
    let [drift, _] = &bench.check()[..] else {
        panic!("both interfaces see it")
    };
    assert_eq!(
        (&*drift.what, drift.found.as_deref()),
        ("the state of lo in the pod", Some("down"))
    );
    bench.add();
    assert_eq!(bench.check(), []);
}

#[test]
fn addresses_and_neighbours() {
    let bench = Bench::new();
    for (at, line, expected) in [
        (
            Pod,
            "ip addr del 10.1.0.6/32 dev net1",
            &[
                "the neighbour 169.254.1.1 of net1 in the pod = -",
                "the address 10.1.0.6/32 of net1 in the pod = -",
                "the IPv4 default route for packets from the addresses of net1 in the pod = -",
            ][..],
        ),
        (
            Pod,
            "ip addr del 2001:db8:1::5/128 dev eth0",
            &["the address 2001:db8:1::5/128 of eth0 in the pod = -"],
        ),
        (
            Pod,
            "ip addr add 10.9.9.9/32 dev eth0",
            &["the address 10.9.9.9/32 of eth0 in the pod = there"],
        ),
        (
            Pod,
            "ip addr add 2001:db8:9::9/128 dev eth0 nodad",
            &["the address 2001:db8:9::9/128 of eth0 in the pod = there"],
        ),
        (
            Node,
            "ip addr del fe80::1/64 dev HOST0",
            &["the address fe80::1/64 of HOST0 = -"],
        ),
        (
            Pod,
            "ip neigh del 169.254.1.1 dev eth0",
            &["the neighbour 169.254.1.1 of eth0 in the pod = -"],
        ),
        (
            Pod,
            "ip neigh del fe80::1 dev net1",
            &["the neighbour fe80::1 of net1 in the pod = -"],
        ),
        (
            Pod,
            "ip neigh replace 169.254.1.1 lladdr 0a:00:00:00:00:03 dev eth0 nud permanent",
            &["the neighbour 169.254.1.1 of eth0 in the pod = 0a:00:00:00:00:03, permanent"],
        ),
        (
            Node,
            "ip neigh del 10.1.0.5 dev HOST0",
            &["the neighbour 10.1.0.5 of HOST0 = -"],
        ),
        (
            Node,
            "ip neigh replace 2001:db8:1::6 lladdr 0a:00:00:00:00:04 dev HOST1 nud noarp",
            &["the neighbour 2001:db8:1::6 of HOST1 = 0a:00:00:00:00:04, not permanent"],
        ),
    ] {
        bench.breaks(at, line, expected);
    }
}

#[test]
fn routes_and_rules() {
    let bench = Bench::new();
    for (line, expected) in [
        (
            "ip route del 169.254.1.1 dev eth0",
            "the route to the gateway 169.254.1.1 through eth0 in the pod = -",
        ),
        (
            "ip route del default",
            "the IPv4 default route through eth0 in the pod = -",
        ),
        (
            "ip -6 route del default",
            "the IPv6 default route through eth0 in the pod = -",
        ),
        (
            "ip route replace default via 169.254.1.2 dev eth0 onlink",
            "the IPv4 default route through eth0 in the pod = via 169.254.1.2 through eth0 in the pod",
        ),
        (
            "ip -6 route replace default via fe80::2 dev eth0",
            "the IPv6 default route through eth0 in the pod = via fe80::2 through eth0 in the pod",
        ),
        (
            "ip route del 10.50.0.0/16",
            "the route 10.50.0.0/16 through eth0 in the pod = -",
        ),
        (
            "ip -6 route del 2001:db8:50::/48",
            "the route 2001:db8:50::/48 through eth0 in the pod = -",
        ),
        (
            "ip route flush table TABLE",
            "the IPv4 default route for packets from the addresses of net1 in the pod = -",
        ),
        (
            "ip -6 route del default table TABLE",
            "the IPv6 default route for packets from the addresses of net1 in the pod = -",
        ),
        (
            "ip rule del from 10.1.0.6",
            "the rule for packets from 10.1.0.6 in the pod = -",
        ),
        (
            "ip -6 rule del from 2001:db8:1::6",
            "the rule for packets from 2001:db8:1::6 in the pod = -",
        ),
        (
            "ip rule del from 10.1.0.6 && ip rule add from 10.1.0.6 lookup TABLE pref 40000",
            "the rule for packets from 10.1.0.6 in the pod = a rule that differs",
        ),
    ] {
        bench.breaks(Pod, line, &[expected]);
    }
    // A stale rule to the table of ours goes, a rule and a route of somebody else's stay.
    bench.shell(
        Pod,
        "ip rule add from 10.1.0.99 lookup TABLE && ip rule add from 10.1.0.98 lookup 77 && ip route add 10.60.0.0/16 \
         via 169.254.1.1 dev eth0 onlink",
    );
    bench.add();
    bench.shell(
        Pod,
        "! ip rule | grep 10.1.0.99 && ip rule | grep 10.1.0.98 && ip route | grep 10.60.0.0",
    );
}

#[test]
fn sysctls() {
    let bench = Bench::new();
    for (at, key, value) in [
        (Node, "net.ipv4.conf.HOST0.forwarding", "0"),
        (Node, "net.ipv4.conf.HOST0.proxy_arp", "0"),
        (Node, "net.ipv4.conf.HOST1.rp_filter", "2"),
        (Node, "net.ipv4.neigh.HOST0.proxy_delay", "80"),
        (Node, "net.ipv6.conf.HOST0.forwarding", "0"),
        (Node, "net.ipv6.conf.HOST0.accept_ra", "1"),
        (Pod, "net.ipv6.conf.eth0.accept_ra", "1"),
        (Pod, "net.ipv4.conf.eth0.arp_notify", "0"),
        (Pod, "net.ipv4.ip_local_port_range", "2000\t3001"),
    ] {
        let place = match at {
            Node => "on the node",
            Pod => "in the pod",
        };
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        bench.breaks(
            at,
            &format!("echo '{value}' > {path}"),
            &[&format!("the sysctl {key} {place} = {value}")],
        );
    }
}

#[test]
fn what_an_add_cannot_repair_is_named_and_refused() {
    let (node, one, two) = (Ns::node(), Ns::new(), Ns::new());
    let first = pod_link(&one.path, "first", &["10.1.0.5"]);
    let second = pod_link(&two.path, "second", &["10.1.0.6"]);
    let mut crossed = first.clone();
    crossed.netns.clone_from(&second.netns);
    let (drifts, error) = node.run(move || {
        add(&first).unwrap();
        add(&second).unwrap();
        (check(&crossed).unwrap(), add(&crossed).unwrap_err())
    });
    assert!(
        drifts.iter().any(|d| d.what.starts_with("the other end of rb")),
        "{drifts:?}"
    );
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    let third = pod_link(&one.path, "third", &["10.1.0.7"]);
    let (drifts, error) = node.run(move || {
        let name = &third.host_ifname;
        let made = Command::new("ip")
            .args(["link", "add", name, "type", "bridge"])
            .status();
        assert!(made.unwrap().success());
        (check(&third).unwrap(), add(&third).unwrap_err())
    });
    assert_eq!(drifts[0].found.as_deref(), Some("a link of another kind"));
    assert!(matches!(error, Error::NotOurs(_)), "{error}");
    let gone = pod_link(std::path::Path::new("/nowhere"), "gone", &["10.1.0.8"]);
    assert!(matches!(
        node.run(move || check(&gone)),
        Err(Error::NoNetns { .. })
    ));
}

#[test]
fn a_default_route_that_has_to_be_here_and_is_elsewhere_is_drift() {
    let bench = Bench::new();
    let mut wanted = bench.links[1].clone();
    wanted.default_route = DefaultRoute::Yes;
    let drifts = bench.node.run(move || check(&wanted).unwrap());
    let found: Vec<_> = drifts
        .iter()
        .map(|d| (d.what.as_str(), d.found.as_deref()))
        .collect();
    let elsewhere = |via| Some(via);
    assert_eq!(
        found,
        [
            (
                "the IPv4 default route through net1 in the pod",
                elsewhere("via 169.254.1.1 through another interface")
            ),
            (
                "the IPv6 default route through net1 in the pod",
                elsewhere("via fe80::1 through another interface")
            ),
        ]
    );
}
