//! One interface: what it can do, what is refused, what is left.

use std::path::Path;
use std::thread;
use std::time::Duration;

use ipnet::IpNet;

use super::namespaces::{NODE_V4, NODE_V6, Ns, eventually, host_routes, index_of, links, pod_link, talk};
use crate::netlink::Netlink;
use crate::requests;
use crate::{DefaultRoute, Error, Mac, PodLink, add, list, remove};

#[test]
fn a_pod_and_its_node_reach_each_other_at_once_in_both_families() {
    let (node, pod) = (Ns::node(), Ns::new());
    let link = pod_link(&pod.path, "both", &["10.1.0.5", "2001:db8:1::5"]);
    let wanted = link.clone();
    let attached = node.run(move || {
        let attached = add(&wanted).unwrap();
        host_routes(&wanted);
        attached
    });
    for address in [NODE_V4, NODE_V6] {
        let took = talk(&pod, &node, address);
        assert!(
            took < Duration::from_millis(900),
            "a resolution was waited for towards {address}: {took:?}"
        );
    }
    for address in ["10.1.0.5", "2001:db8:1::5"] {
        talk(&node, &pod, address);
    }
    let host_index = attached.host_index;
    let (mac, mtu) = node.run(move || {
        let mut netlink = Netlink::open().unwrap();
        let found = requests::links(&mut netlink)
            .unwrap()
            .into_iter()
            .find(|l| l.index == host_index);
        found.map(|l| (l.mac, l.mtu)).unwrap()
    });
    assert_eq!((mac, mtu), (Some(attached.host_mac), 1450));
    assert_eq!(links(&pod), [("eth0".to_owned(), 1450)]);
    let name = link.host_ifname.clone();
    let read = move |path: String| std::fs::read_to_string(path).unwrap().trim().to_owned();
    let settings = node.run(move || {
        [
            "ipv4/conf/X/rp_filter",
            "ipv4/conf/X/proxy_arp",
            "ipv4/neigh/X/proxy_delay",
            "ipv6/conf/X/forwarding",
            "ipv6/conf/X/accept_ra",
        ]
        .map(|key| read(format!("/proc/sys/net/{}", key.replace('X', &name))))
    });
    assert_eq!(settings, ["1", "1", "0", "1", "0"]);
}

#[test]
fn two_pods_of_a_node_reach_each_other() {
    let (node, one, two) = (Ns::node(), Ns::new(), Ns::new());
    let wanted = [
        pod_link(&one.path, "one", &["10.1.0.5", "2001:db8:1::5"]),
        pod_link(&two.path, "two", &["10.1.0.6", "2001:db8:1::6"]),
    ];
    node.run(move || {
        // Global forwarding belongs to the node's settings, not to a pod's.
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        for link in &wanted {
            add(link).unwrap();
            host_routes(link);
        }
    });
    talk(&one, &two, "10.1.0.6");
    talk(&two, &one, "2001:db8:1::5");
}

#[test]
fn a_pod_cannot_send_from_an_address_that_is_not_its_own() {
    let (node, pod) = (Ns::node(), Ns::new());
    let link = pod_link(&pod.path, "spoof", &["10.1.0.5"]);
    node.run(move || {
        add(&link).unwrap();
        host_routes(&link);
    });
    let receiver = node.run(|| std::net::UdpSocket::bind((NODE_V4, 0)).unwrap());
    let to = receiver.local_addr().unwrap();
    pod.run(move || {
        let forged = requests::put_address(index_of("eth0"), "10.1.0.66/32".parse().unwrap(), "eth0");
        Netlink::open().unwrap().carry_out(vec![forged]).unwrap();
        for (from, byte) in [("10.1.0.66", b"S"), ("10.1.0.5", b"G")] {
            std::net::UdpSocket::bind((from, 0))
                .unwrap()
                .send_to(byte, to)
                .unwrap();
        }
    });
    receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut byte = [0];
    receiver.recv(&mut byte).unwrap();
    assert_eq!(
        &byte, b"G",
        "the forged packet came first and must have been dropped"
    );
}

#[test]
fn add_can_be_repeated_and_corrects_what_differs() {
    let (node, pod) = (Ns::node(), Ns::new());
    let link = pod_link(&pod.path, "again", &["10.1.0.5", "2001:db8:1::5"]);
    let wanted = link.clone();
    let (first, second) = node.run(move || (add(&wanted).unwrap(), add(&wanted).unwrap()));
    assert_eq!(first, second);
    let changed = PodLink {
        mtu: 1400,
        addresses: vec!["10.1.0.9".parse().unwrap()],
        ..link.clone()
    };
    let third = node.run(move || {
        let attached = add(&changed).unwrap();
        host_routes(&changed);
        attached
    });
    assert_eq!(third.host_index, first.host_index, "the pair was adopted");
    assert_eq!(links(&pod), [("eth0".to_owned(), 1400)]);
    talk(&pod, &node, NODE_V4);
    let there =
        pod.run(|| requests::addresses(&mut Netlink::open().unwrap(), index_of("eth0"), false).unwrap());
    assert_eq!(there, ["10.1.0.9/32".parse::<IpNet>().unwrap()]);
    let mac = Mac([0x0a, 1, 2, 3, 4, 5]);
    let other = PodLink {
        mac: Some(mac),
        ..link
    };
    assert_eq!(node.run(move || add(&other).unwrap()).pod_mac, mac);
    assert_eq!(links(&node).len(), 1);
}

#[test]
fn a_container_that_starts_again_elsewhere_gets_a_new_pair() {
    let (node, old, new) = (Ns::node(), Ns::new(), Ns::new());
    let before = pod_link(&old.path, "restart", &["10.1.0.5"]);
    let after = pod_link(&new.path, "restart", &["10.1.0.5"]);
    node.run(move || {
        add(&before).unwrap();
        add(&after).unwrap();
        host_routes(&after);
    });
    assert!(links(&old).is_empty());
    talk(&new, &node, NODE_V4);
}

#[test]
fn remove_takes_both_ends_and_can_be_repeated() {
    let (node, pod) = (Ns::node(), Ns::new());
    let link = pod_link(&pod.path, "gone", &["10.1.0.5"]);
    let name = link.host_ifname.clone();
    let (listed, left) = node.run(move || {
        add(&link).unwrap();
        let listed = list().unwrap();
        remove(&link.host_ifname).unwrap();
        remove(&link.host_ifname).unwrap();
        (listed, list().unwrap())
    });
    assert_eq!(listed, [name]);
    assert!(left.is_empty());
    assert!(links(&pod).is_empty());
    assert!(matches!(node.run(|| remove("lo")), Err(Error::NotOurs(_))));
}

#[test]
fn a_pair_disappears_with_its_pod() {
    let (node, pod) = (Ns::node(), Ns::new());
    let link = pod_link(&pod.path, "dies", &["10.1.0.5"]);
    node.run(move || add(&link).map(drop).unwrap());
    drop(pod);
    eventually("the node's end is gone", || links(&node).is_empty());
}

#[test]
fn a_path_that_is_no_pod_is_said_to_be_none() {
    let node = Ns::node();
    let own = node.path.clone();
    let fails = move |path: &str| {
        let link = pod_link(Path::new(path), "none", &["10.1.0.5"]);
        node.run(move || (add(&link).unwrap_err(), list().unwrap().len()))
    };
    assert!(matches!(fails("/nowhere/at/all"), (Error::NoNetns { .. }, 0)));
    assert!(matches!(fails("/dev/null"), (Error::NotANetns { .. }, 0)));
    assert!(matches!(fails("/proc/self/ns/uts"), (Error::NotANetns { .. }, 0)));
    assert!(matches!(
        fails(own.to_str().unwrap()),
        (Error::OwnNetns { .. }, 0)
    ));
}

#[test]
fn a_name_that_the_pod_uses_already_is_refused_and_left_alone() {
    let (node, pod) = (Ns::node(), Ns::new());
    let first = pod_link(&pod.path, "first", &["10.1.0.5"]);
    let second = pod_link(&pod.path, "second", &["10.1.0.6"]);
    let (error, left) = node.run(move || {
        add(&first).unwrap();
        host_routes(&first);
        (add(&second).unwrap_err(), list().unwrap().len())
    });
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(left, 1);
    talk(&pod, &node, NODE_V4);
}

#[test]
fn an_add_that_fails_halfway_leaves_nothing() {
    let (node, pod) = (Ns::node(), Ns::new());
    let first = pod_link(&pod.path, "first", &["10.1.0.5"]);
    let mut second = pod_link(&pod.path, "second", &["10.1.0.6"]);
    second.ifname = "net1".into();
    second.default_route = DefaultRoute::Yes;
    // The second network's default route collides, after its pair was made and the node's end set up.
    let (error, left) = node.run(move || {
        add(&first).unwrap();
        (add(&second).unwrap_err(), list().unwrap().len())
    });
    assert!(matches!(error, Error::OtherDefault { .. }), "{error}");
    assert_eq!(left, 1);
    assert_eq!(links(&pod), [("eth0".to_owned(), 1450)]);
}

#[test]
fn fifty_pods_at_once() {
    let node = Ns::node();
    let pods: Vec<Ns> = (0..50).map(|_| Ns::new()).collect();
    let wanted: Vec<PodLink> = pods
        .iter()
        .enumerate()
        .map(|(n, pod)| {
            let addresses = [format!("10.1.0.{}", n + 1), format!("2001:db8:1::{}", n + 1)];
            pod_link(&pod.path, &format!("pod-{n}"), &[&addresses[0], &addresses[1]])
        })
        .collect();
    let names = node.run(move || {
        // Threads that are started here inherit the node's namespace.
        thread::scope(|scope| {
            let adds: Vec<_> = wanted
                .iter()
                .map(|link| scope.spawn(move || add(link).map(drop)))
                .collect();
            adds.into_iter().for_each(|one| one.join().unwrap().unwrap());
        });
        wanted.iter().for_each(host_routes);
        list().unwrap()
    });
    assert_eq!(names.len(), 50);
    talk(&pods[0], &node, NODE_V4);
    talk(&pods[49], &node, NODE_V6);
    let left = node.run(move || {
        names.iter().for_each(|name| remove(name).unwrap());
        list().unwrap()
    });
    assert!(left.is_empty());
}
