//! Several networks for one pod, as Multus does it: ADD again and again for the same container, each with
//! an interface name and a network of its own. Multus itself is not in the distribution; to a plugin it is
//! nothing but this.

use serde_json::{Value, json};

use super::bench::{self, UNDERLAY_GATEWAY, answers, left_nothing, pings, serve, traces};
use super::list::{Attachment, address, list, single};
use crate::support::{Fabric, check, eventually, kernel};

/// eth0: the cluster's own network.
fn pods() -> Value {
    single("pods", json!({ "type": "roadbed" }))
}

/// net1: ours with other pools, and no default route. What comes to its address is answered through it all the same.
fn storage() -> Value {
    let ours = json!({
        "type": "roadbed",
        "pools": ["storage"],
        "defaultRoute": false,
        "routes": [{ "dst": "10.245.0.0/16" }],
    });
    single("storage", ours)
}

/// net2: the fabric itself, with addresses of ours.
fn underlay() -> Value {
    let plugin = json!({
        "type": "macvlan",
        "master": "eth1",
        "ipam": { "type": "roadbed-ipam", "pools": ["underlay"], "gateway": [format!("{UNDERLAY_GATEWAY}/24")] },
    });
    list("1.0.0", "underlay", &[plugin])
}

/// A pod with all three networks.
struct Pod<'a> {
    networks: Vec<Attachment<'a>>,
    addresses: Vec<String>,
}

const INTERFACES: [&str; 3] = ["eth0", "net1", "net2"];

fn plug<'a>(fabric: &'a Fabric, node: &str, container: &str) -> Pod<'a> {
    let networks = [pods(), storage(), underlay()];
    let mut pod = Pod {
        networks: Vec::new(),
        addresses: Vec::new(),
    };
    for (ifname, network) in INTERFACES.into_iter().zip(networks) {
        let mut one = Attachment::new(fabric, node, container, ifname, network);
        let result = one.add();
        pod.addresses.push(address(&result, ifname));
        pod.networks.push(one);
    }
    pod
}

#[test]
fn a_pod_has_three_networks_and_loses_them_in_any_order() {
    let fabric = bench::up("networks", &["near", "far", "more"]);
    let before = traces(&fabric, "n1");
    let mut near = plug(&fabric, "n1", "near");
    let far = plug(&fabric, "n2", "far");
    for (address, start) in near
        .addresses
        .iter()
        .zip(["10.244.1.", "10.245.1.", "198.51.100."])
    {
        assert!(address.starts_with(start), "{address} of {start}");
    }
    each_address_is_reached_through_its_network(&fabric, &near, &far);
    the_source_belongs_to_the_interface(&fabric, &near, &far);
    an_interface_is_made_once(&fabric, &mut near);
    for network in &near.networks {
        network.check().unwrap_or_else(|e| panic!("CHECK: {e:#?}"));
    }
    one_network_goes_the_others_stay(&fabric, &mut near, &far);
    left_nothing(&fabric, "n1", &before);
    orders_of_deletion(&fabric);
    left_nothing(&fabric, "n1", &before);
}

fn each_address_is_reached_through_its_network(fabric: &Fabric, near: &Pod<'_>, far: &Pod<'_>) {
    serve(fabric, "near", 80, "near");
    for address in &near.addresses {
        answers(fabric, "far", address, 80, "near");
    }
    for address in &far.addresses {
        pings(fabric, "near", address);
    }
    // And from where no network of the pod leads but the default route: the node takes only an answer that comes
    // out of the interface whose address it has.
    for address in &near.addresses[..2] {
        pings(fabric, "n2", address);
    }
    for address in &near.addresses {
        pings(fabric, "machine", address);
    }
}

fn the_source_belongs_to_the_interface(fabric: &Fabric, near: &Pod<'_>, far: &Pod<'_>) {
    for (i, ifname) in INTERFACES.iter().enumerate() {
        let there = &far.addresses[i];
        let route = kernel::json(fabric, "near", &["ip", "-j", "route", "get", there]).remove(0);
        assert_eq!(kernel::text(&route, "dev"), *ifname, "to {there}: {route}");
        assert_eq!(
            kernel::text(&route, "prefsrc"),
            near.addresses[i],
            "to {there}: {route}"
        );
    }
    let defaults = fabric.run("near", "ip route show default");
    assert_eq!(defaults.lines().count(), 1, "{defaults}");
    assert!(defaults.contains("dev eth0"), "{defaults}");
}

/// ADD of an interface that is there: the same answer and no second lease.
fn an_interface_is_made_once(fabric: &Fabric, near: &mut Pod<'_>) {
    let used = bench::used(fabric, "n1");
    for (i, ifname) in INTERFACES.iter().enumerate().take(2) {
        let again = near.networks[i].add();
        assert_eq!(address(&again, ifname), near.addresses[i]);
    }
    assert_eq!(bench::used(fabric, "n1"), used);
}

/// The middle one goes, then the first, then the last.
fn one_network_goes_the_others_stay(fabric: &Fabric, near: &mut Pod<'_>, far: &Pod<'_>) {
    near.networks[1].del();
    assert_eq!(kernel::links(fabric, "near").len(), 3, "lo and two networks");
    for i in [0, 2] {
        pings(fabric, "near", &far.addresses[i]);
        pings(fabric, "far", &near.addresses[i]);
    }
    eventually("the address of the second network is gone", || {
        kernel::no_route(fabric, "n1", &near.addresses[1])
    });
    near.networks[0].del();
    pings(fabric, "near", &far.addresses[2]);
    near.networks[2].del();
    assert_eq!(kernel::links(fabric, "near"), ["lo"]);
    let rules = fabric.run("near", "ip rule show");
    assert_eq!(
        rules.lines().count(),
        3,
        "only the kernel's own rules are left: {rules}"
    );
}

/// What is left works, whatever the order.
fn orders_of_deletion(fabric: &Fabric) {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut pod = plug(fabric, "n1", "more");
        for i in order {
            pod.networks[i].del();
            let links = kernel::links(fabric, "more");
            assert!(!links.contains(&INTERFACES[i].to_owned()), "{links:?}");
        }
        eventually("no address is left", || {
            let gone = pod.addresses.iter().map(|a| kernel::no_route(fabric, "n1", a));
            gone.collect::<Result<Vec<()>, String>>().map(drop)
        });
        check(kernel::links(fabric, "more") == ["lo"], || {
            "a link is left".into()
        })
        .expect("nothing is left");
    }
}
