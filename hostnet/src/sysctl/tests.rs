use std::fs;

use super::*;

/// A tree of files in place of `/proc/sys`, removed at the end.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(values: &[(&str, &str)]) -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        for (key, value) in values {
            let path = tree.0.path().join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        tree
    }

    fn keys(&self, wanted: &Wanted) -> Vec<String> {
        check_under(self.0.path(), wanted)
            .into_iter()
            .map(|drift| format!("{}={}", drift.key, drift.wanted))
            .collect()
    }
}

fn wanted() -> Wanted {
    Wanted {
        ipv6: true,
        uplinks: ["eth0".into()].into(),
        tunnels: ["rb-vxlan".into()].into(),
        ..Wanted::default()
    }
}

#[test]
fn a_fresh_host() {
    let tree = Tree::new(&[
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv4/conf/all/rp_filter", "1"),
        ("net/ipv4/conf/eth0/rp_filter", "0"),
        ("net/ipv4/conf/rb-vxlan/rp_filter", "1"),
        ("net/ipv6/conf/eth0/accept_ra", "1"),
        ("net/ipv6/conf/all/forwarding", "0"),
    ]);
    let expected = [
        "net/ipv4/ip_forward=1",
        "net/ipv4/conf/eth0/rp_filter=2",
        "net/ipv4/conf/rb-vxlan/rp_filter=2",
        "net/ipv6/conf/eth0/accept_ra=2",
        "net/ipv6/conf/all/forwarding=1",
    ];
    assert_eq!(tree.keys(&wanted()), expected);
    let report = apply_under(tree.0.path(), &wanted());
    assert_eq!((report.changed.len(), report.refused.len()), (5, 0));
    assert_eq!(tree.keys(&wanted()), [""; 0]);
    assert_eq!(
        proc::read(tree.0.path(), "net/ipv4/conf/all/rp_filter").as_deref(),
        Some("1")
    );
}

#[test]
fn nothing_is_changed_that_need_not_be() {
    let tree = Tree::new(&[
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/rp_filter", "2"),
        ("net/ipv4/conf/eth0/rp_filter", "1"),
        ("net/ipv6/conf/eth0/accept_ra", "0"),
        ("net/ipv6/conf/all/forwarding", "0"),
    ]);
    assert_eq!(
        tree.keys(&Wanted {
            ipv6: false,
            ..wanted()
        }),
        [""; 0]
    );
    assert_eq!(tree.keys(&wanted()), ["net/ipv6/conf/all/forwarding=1"]);
}

#[test]
fn what_cannot_be_set_is_told_with_the_remedy() {
    let tree = Tree::new(&[]);
    let report = apply_under(tree.0.path(), &Wanted::default());
    let text = report.refused[0].to_string();
    assert!(
        text.starts_with("net/ipv4/ip_forward is missing, must be 1: "),
        "{text}"
    );
    assert!(text.contains("cannot set net/ipv4/ip_forward to 1"), "{text}");
    // A file that refuses, as all do in a container's /proc/sys.
    let refused = proc::write(Path::new(proc::ROOT), "kernel/osrelease", "1").unwrap_err();
    assert!(
        refused.to_string().contains("sysctl -w kernel/osrelease=1"),
        "{refused}"
    );
}

/// In a network namespace of its own, which goes with its thread.
#[test]
fn the_real_thing() {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("a new network namespace (root needed)");
        let wanted = Wanted {
            ipv6: true,
            uplinks: ["lo".into()].into(),
            tunnels: ["none".into()].into(),
            ..Wanted::default()
        };
        proc::write(Path::new(proc::ROOT), "net/ipv4/conf/lo/rp_filter", "1").unwrap();
        let report = apply(&wanted);
        assert!(report.refused.is_empty(), "{:?}", report.refused);
        assert_eq!(check(&wanted), []);
        let value = |key: &str| proc::read(Path::new(proc::ROOT), key).unwrap();
        assert_eq!(value("net/ipv4/ip_forward"), "1");
        assert_eq!(value("net/ipv4/conf/lo/rp_filter"), "2");
        assert_eq!(value("net/ipv6/conf/all/forwarding"), "1");
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn redirects_arp_and_link_down() {
    let two = Wanted {
        uplinks: ["eth0".into(), "eth1".into()].into(),
        ..wanted()
    };
    let key = |family, interface, name| format!("net/{family}/conf/{interface}/{name}");
    let (redirects, arp, down) = ("accept_redirects", "arp_announce", "ignore_routes_with_linkdown");
    let values = [
        ("net/ipv4/ip_forward".to_owned(), "1"),
        ("net/ipv6/conf/all/forwarding".to_owned(), "1"),
        (key("ipv4", "all", redirects), "1"),
        (key("ipv4", "eth0", redirects), "1"),
        (key("ipv4", "eth1", redirects), "0"),
        (key("ipv4", "rb-vxlan", redirects), "1"),
        (key("ipv4", "all", arp), "0"),
        (key("ipv4", "eth0", arp), "0"),
        (key("ipv4", "eth1", arp), "1"),
        (key("ipv4", "rb-vxlan", arp), "0"),
        (key("ipv4", "all", down), "0"),
        (key("ipv4", "eth0", down), "0"),
        (key("ipv6", "all", down), "0"),
        (key("ipv6", "eth1", down), "0"),
    ];
    let values: Vec<_> = values.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let tree = Tree::new(&values);
    let expected = [
        "net/ipv4/conf/eth0/accept_redirects=0",
        "net/ipv4/conf/rb-vxlan/accept_redirects=0",
        "net/ipv4/conf/eth0/arp_announce=2",
        "net/ipv4/conf/eth0/ignore_routes_with_linkdown=1",
        "net/ipv6/conf/eth1/ignore_routes_with_linkdown=1",
    ];
    assert_eq!(tree.keys(&two), expected);
    // With one uplink there is no other to take; and `all` decides as the kernel has it.
    let with_all = |changed: &[(&str, &'static str)]| {
        let mut values = values.clone();
        for (key, value) in &mut values {
            let to = changed
                .iter()
                .find(|(name, _)| *key == format!("net/ipv4/conf/all/{name}"));
            *value = to.map_or(*value, |(_, to)| *to);
        }
        Tree::new(&values).keys(&wanted())
    };
    assert_eq!(with_all(&[]), expected[..3]);
    assert_eq!(with_all(&[(redirects, "0"), (arp, "1")]), [""; 0]);
}

#[test]
fn what_is_the_namespaces_is_set_only_when_asked_for() {
    let tree = Tree::new(&[
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/forwarding", "1"),
        ("net/ipv4/fib_multipath_hash_policy", "0"),
        ("net/ipv6/fib_multipath_hash_policy", "3"),
        ("net/ipv4/nexthop_compat_mode", "1"),
    ]);
    assert_eq!(tree.keys(&wanted()), [""; 0]);
    let all = Wanted {
        multipath: true,
        nexthop_compat_off: true,
        ..wanted()
    };
    let expected = [
        "net/ipv4/fib_multipath_hash_policy=1",
        "net/ipv4/nexthop_compat_mode=0",
    ];
    assert_eq!(tree.keys(&all), expected);
}

#[test]
fn limits_are_only_said() {
    let read = |key: &str| key.ends_with("gc_thresh3").then(|| "1024".to_owned());
    let many = Wanted {
        neighbours: 1300,
        ..wanted()
    };
    let said: Vec<_> = table::advice(&many, read)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(said.len(), 2);
    let begin = "net/ipv4/neigh/default/gc_thresh3 is 1024, should be 1300 at least: the table of neighbours overflows";
    assert!(said[0].starts_with(begin), "{}", said[0]);
    assert!(table::advice(&wanted(), read).is_empty());
    assert!(table::TABLE.iter().all(|entry| !entry.key.contains("gc_thresh")));
}

/// The manual lists what is set, and nothing else.
#[test]
fn the_manual_shows_this_table() {
    let manual = include_str!("../../../docs/sysctls.md");
    let shown: Vec<_> = manual
        .lines()
        .filter(|line| line.starts_with("| `net/"))
        .collect();
    let rows = table::TABLE.iter().map(|entry| {
        let of = match entry.of {
            table::Of::Node => "the node",
            table::Of::Uplinks => "uplinks",
            table::Of::UplinksAndTunnels => "uplinks, tunnels",
        };
        format!(
            "| `{}` | {} | {of} | {} | {} |",
            entry.key, entry.value, entry.when, entry.why
        )
    });
    let said = table::ADVICE
        .iter()
        .map(|(key, why)| format!("| `{key}` | {why} |"));
    assert_eq!(shown, rows.chain(said).collect::<Vec<_>>());
}

/// Without it, plain routes through an uplink that lost its carrier go on taking packets.
#[test]
fn an_uplink_without_carrier_is_passed_over() {
    use crate::testing::{Ns, until};
    let (node, fabric) = (Ns::new(), Ns::new());
    for (number, link) in ["up0", "up1"].into_iter().enumerate() {
        node.sh(&format!(
            "ip link add {link} type veth peer name {link} netns {}
             ip addr add 192.0.{number}.1/24 dev {link}; ip addr add 2001:db8:{number}::1/64 dev {link} nodad; ip link set {link} up",
            fabric.thread_id
        ));
        fabric.sh(&format!("ip link set {link} up"));
    }
    node.sh(
        "ip route add 198.51.100.9 metric 10 via 192.0.0.2; ip route add 198.51.100.9 metric 20 via 192.0.1.2
         ip -6 route add 2001:db8:9::9 metric 10 via 2001:db8:0::2; ip -6 route add 2001:db8:9::9 metric 20 via 2001:db8:1::2",
    );
    fabric.sh("ip link set up0 down");
    until("there is no carrier", || {
        node.sh("ip link show up0").contains("NO-CARRIER")
    });
    let taken = |to: &str| node.sh(&format!("ip route get {to}"));
    for to in ["198.51.100.9", "2001:db8:9::9"] {
        assert!(taken(to).contains("dev up0"), "{}", taken(to));
    }
    let wanted = Wanted {
        ipv6: true,
        uplinks: ["up0".into(), "up1".into()].into(),
        ..Wanted::default()
    };
    let report = node.run(move || apply(&wanted));
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    for to in ["198.51.100.9", "2001:db8:9::9"] {
        assert!(taken(to).contains("dev up1"), "{}", taken(to));
    }
    fabric.sh("ip link set up0 up");
    until("the better one is taken again", || {
        taken("198.51.100.9").contains("dev up0")
    });
}

/// Without it, the node asks for neighbours with whatever source its packet has: with its pod address, too.
#[test]
fn neighbours_are_asked_for_with_an_address_of_the_uplink() {
    use crate::testing::Ns;
    let (node, fabric) = (Ns::new(), Ns::new());
    node.sh(&format!(
        "ip link add up0 type veth peer name eth0 netns {}
         ip addr add 192.0.2.1/24 dev up0; ip addr add 10.244.0.1/32 dev lo; ip link set up0 up",
        fabric.thread_id
    ));
    fabric
        .sh("ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up; ip route add 10.244.0.1 via 192.0.2.1");
    let sender = || {
        // Whoever answers a request learns its sender from it, or makes no entry.
        fabric.sh("ip neigh flush all dev eth0");
        node.sh("ip neigh flush all dev up0; ping -q -c 1 -W 5 -I 10.244.0.1 192.0.2.2");
        fabric.sh("ip neigh show dev eth0")
    };
    fabric.sh(
        "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter",
    );
    let shown = sender();
    assert!(shown.contains("10.244.0.1 "), "{shown}");
    let wanted = Wanted {
        uplinks: ["up0".into()].into(),
        ..Wanted::default()
    };
    let report = node.run(move || apply(&wanted));
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    let shown = sender();
    assert!(
        !shown.contains("10.244.0.1 ") && shown.contains("192.0.2.1 "),
        "{shown}"
    );
}
