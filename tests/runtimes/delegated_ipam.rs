//! `roadbed-ipam` under the reference plugins that make the interface themselves: addresses of our pools on a
//! bridge, on point-to-point links and on the fabric itself. The kernels of test machines lack ipvlan and
//! SR-IOV's hardware: for these the IPAM plugin is executed as they execute it.

use serde_json::{Value, json};

use super::bench::{self, UNDERLAY_GATEWAY, answers, left_nothing, pings, serve, traces};
use super::list::{Attachment, Refusal, address, single};
use crate::support::{Fabric, check, eventually, kernel, view};

/// A bridge that is the gateway of its pods.
fn bridge() -> Value {
    let plugin = json!({
        "type": "bridge",
        "bridge": "br-pods",
        "isGateway": true,
        "isDefaultGateway": true,
        "ipam": { "type": "roadbed-ipam", "pools": ["bridged"], "gateway": "block" },
    });
    single("bridged", plugin)
}

/// A veth pair for each pod. Without a wish the gateway is one that `ptp` can put on the node.
fn ptp() -> Value {
    let plugin = json!({
        "type": "ptp",
        "ipam": { "type": "roadbed-ipam", "pools": ["storage"], "routes": [{ "dst": "0.0.0.0/0" }] },
    });
    single("links", plugin)
}

/// An interface on the fabric, in a network whose gateway is not ours.
fn fabric_interface(kind: &str) -> Value {
    let plugin = json!({
        "type": kind,
        "master": "eth1",
        "ipam": {
            "type": "roadbed-ipam",
            "pools": ["underlay"],
            "gateway": [format!("{UNDERLAY_GATEWAY}/24")],
            "routes": [{ "dst": "0.0.0.0/0" }],
        },
    });
    single("underlay", plugin)
}

#[test]
fn other_plugins_interfaces_have_addresses_of_our_pools() {
    let fabric = bench::up("delegated", &["c1", "c2", "c3", "c4"]);
    bridge_pods_talk(&fabric);
    point_to_point_pods_talk(&fabric);
    pods_on_the_fabric_talk(&fabric);
    what_nobody_can_make_here_gets_its_address(&fabric);
    the_gateway_decides_the_length(&fabric);
    no_address_twice(&fabric);
    the_underlay_is_not_announced(&fabric);
}

fn bridge_pods_talk(fabric: &Fabric) {
    let before = traces(fabric, "n1");
    let mut first = Attachment::new(fabric, "n1", "c1", "eth0", bridge());
    let mut second = Attachment::new(fabric, "n1", "c2", "eth0", bridge());
    let (one, two) = (first.add(), second.add());
    let (here, there) = (address(&one, "eth0"), address(&two, "eth0"));
    assert!(
        here.starts_with("10.246.1.") && there.starts_with("10.246.1.") && here != there,
        "{here} {there}"
    );
    // The gateway is the bridge's, of the same block, and nobody's else.
    let gateway = one["ips"][0]["gateway"].as_str().expect("a gateway").to_owned();
    let on_bridge = fabric.run("n1", "ip -4 addr show dev br-pods");
    assert!(on_bridge.contains(&format!("inet {gateway}/24")), "{on_bridge}");
    assert!(gateway != here && gateway != there, "{gateway}");
    pings(fabric, "c1", &there);
    pings(fabric, "c1", "192.0.2.12");
    serve(fabric, "c1", 80, "bridge");
    eventually("the block is announced", || {
        kernel::route(fabric, "n2", "10.246.1.0/24")
    });
    answers(fabric, "n2", &here, 80, "bridge");
    first.check().unwrap_or_else(|e| panic!("CHECK: {e:#?}"));
    first.del();
    second.del();
    first.del();
    // The bridge stays: that is the plugin's way.
    fabric.run("n1", "ip link del br-pods");
    left_nothing(fabric, "n1", &before);
}

fn point_to_point_pods_talk(fabric: &Fabric) {
    let before = traces(fabric, "n1");
    let mut first = Attachment::new(fabric, "n1", "c3", "eth0", ptp());
    let mut second = Attachment::new(fabric, "n1", "c4", "eth0", ptp());
    let (here, there) = (address(&first.add(), "eth0"), address(&second.add(), "eth0"));
    assert!(here.starts_with("10.245.1."), "{here}");
    pings(fabric, "c3", &there);
    serve(fabric, "c3", 80, "ptp");
    eventually("the block is announced", || {
        kernel::route(fabric, "n2", "10.245.1.0/24")
    });
    answers(fabric, "n2", &here, 80, "ptp");
    first.check().unwrap_or_else(|e| panic!("CHECK: {e:#?}"));
    first.del();
    second.del();
    left_nothing(fabric, "n1", &before);
}

fn pods_on_the_fabric_talk(fabric: &Fabric) {
    let before = traces(fabric, "n1");
    let mut near = Attachment::new(fabric, "n1", "c1", "eth0", fabric_interface("macvlan"));
    let mut far = Attachment::new(fabric, "n2", "c2", "eth0", fabric_interface("macvlan"));
    let (one, two) = (near.add(), far.add());
    let (here, there) = (address(&one, "eth0"), address(&two, "eth0"));
    assert_eq!(one["ips"][0]["gateway"], UNDERLAY_GATEWAY);
    assert_eq!(one["ips"][0]["address"], format!("{here}/24"));
    pings(fabric, "c1", &there);
    pings(fabric, "c2", &here);
    serve(fabric, "c2", 80, "macvlan");
    answers(fabric, "machine", &there, 80, "macvlan");
    near.check().unwrap_or_else(|e| panic!("CHECK: {e:#?}"));
    near.del();
    far.del();
    left_nothing(fabric, "n1", &before);
}

/// The IPAM plugin alone, as `ipvlan` and `sriov` execute it: with their own configuration on stdin.
fn delegated<'a>(fabric: &'a Fabric, container: &str, kind: &str) -> Attachment<'a> {
    let mut network = fabric_interface(kind);
    network["plugins"][0]["executable"] = "roadbed-ipam".into();
    Attachment::new(fabric, "n1", container, "net1", network)
}

fn what_nobody_can_make_here_gets_its_address(fabric: &Fabric) {
    let used = bench::used(fabric, "n1");
    for (container, kind) in [("c1", "ipvlan"), ("c2", "sriov")] {
        let mut pod = delegated(fabric, container, kind);
        let result = pod.add();
        let ip = &result["ips"][0];
        let text = kernel::text(ip, "address");
        assert!(
            text.starts_with("198.51.100.") && text.ends_with("/24"),
            "{kind}: {result:#}"
        );
        // No interface is named: the main plugin makes it.
        assert!(
            ip.get("interface").is_none() && result["interfaces"].as_array().is_none_or(Vec::is_empty),
            "{result:#}"
        );
        assert_eq!(result["routes"][0]["dst"], "0.0.0.0/0", "{result:#}");
        // The same container again has the same address; CHECK knows it.
        assert_eq!(pod.add()["ips"], result["ips"]);
        pod.check().unwrap_or_else(|e| panic!("CHECK: {e:#?}"));
        assert_eq!(bench::used(fabric, "n1"), used + 1);
        pod.del();
        pod.del();
        assert_eq!(bench::used(fabric, "n1"), used);
    }
}

/// `gateway` of the section, in words of the result.
fn the_gateway_decides_the_length(fabric: &Fabric) {
    for (gateway, length, told) in [
        (json!("link-local"), "/32", json!("169.254.1.1")),
        (json!("none"), "/32", Value::Null),
        (json!(["198.51.100.1/24"]), "/24", json!("198.51.100.1")),
    ] {
        let mut network = fabric_interface("ipvlan");
        network["plugins"][0]["executable"] = "roadbed-ipam".into();
        network["plugins"][0]["ipam"]["gateway"] = gateway.clone();
        let mut pod = Attachment::new(fabric, "n1", "c1", "net1", network);
        let ip = pod.add()["ips"][0].clone();
        assert!(kernel::text(&ip, "address").ends_with(length), "{gateway}: {ip}");
        assert_eq!(ip.get("gateway").unwrap_or(&Value::Null), &told, "{gateway}");
        pod.del();
    }
}

fn no_address_twice(fabric: &Fabric) {
    let mut first = delegated(fabric, "c1", "ipvlan").arguments("IP=198.51.100.70");
    let result = first.add();
    assert_eq!(result["ips"][0]["address"], "198.51.100.70/24");
    let mut second = delegated(fabric, "c2", "ipvlan").arguments("IP=198.51.100.70");
    let refused: Refusal = second.try_add().expect_err("the address is given");
    assert!(refused.output.contains("198.51.100.70"), "{refused:#?}");
    first.del();
    assert_eq!(second.add()["ips"], result["ips"]);
    second.del();
}

/// Addresses that the fabric itself knows are not told to peers; the other pools are.
fn the_underlay_is_not_announced(fabric: &Fabric) {
    let mut pod = delegated(fabric, "c1", "sriov");
    let here = super::list::plain(&pod.add()["ips"][0]["address"]);
    eventually("the other pools are announced", || {
        kernel::route(fabric, "n2", "10.246.1.0/24")
    });
    let prefixes = fabric
        .roadbed_json("n2", &["routes"])
        .expect("the routes of n2")
        .to_string();
    for prefix in ["198.51.100.64/26".to_owned(), format!("{here}/32")] {
        assert!(!prefixes.contains(&prefix), "n2 has {prefix}");
    }
    check(view::route(fabric, "n2", "10.246.1.0/24").is_ok(), || {
        "no route".into()
    })
    .expect("it is in the table");
    pod.del();
}
