//! Our plugin in lists with the reference plugins: results pass both ways, each does its work on the link
//! that we made, and CHECK and DEL go through the whole list.

use serde_json::{Value, json};

use super::bench::{self, answers, left_nothing, pings, serve, traces};
use super::list::{Attachment, address, list};
use crate::support::{Fabric, check, eventually, kernel};

/// Our code of a CHECK that found something.
const DRIFT: u32 = 103;

/// All reference plugins that make sense behind ours.
fn full(version: &str) -> Value {
    list(
        version,
        "pods",
        &[
            json!({ "type": "roadbed", "capabilities": { "ips": true, "mac": true } }),
            json!({ "type": "portmap", "capabilities": { "portMappings": true } }),
            json!({ "type": "bandwidth", "capabilities": { "bandwidth": true } }),
            json!({ "type": "tuning", "sysctl": { "net.ipv4.conf.eth0.arp_filter": "1" }, "promisc": true }),
        ],
    )
}

/// What a runtime offers: everything.
fn wishes() -> Value {
    json!({
        "ips": ["10.244.1.60/32", "2001:db8:244:1::60/128"],
        "mac": "02:00:00:00:00:60",
        "portMappings": [{ "hostPort": 8080, "containerPort": 80, "protocol": "tcp" }],
        "bandwidth": { "ingressRate": 8_000_000, "ingressBurst": 800_000, "egressRate": 4_000_000, "egressBurst": 400_000 },
    })
}

/// The link of the container in its namespace.
fn link(fabric: &Fabric, container: &str) -> Value {
    kernel::json(
        fabric,
        container,
        &["ip", "-j", "-d", "link", "show", "dev", "eth0"],
    )
    .remove(0)
}

/// Kinds of queueing disciplines on a node, with their devices.
fn disciplines(fabric: &Fabric, node: &str) -> Vec<(String, String)> {
    let all = kernel::json(fabric, node, &["tc", "-j", "qdisc", "show"]);
    all.iter()
        .map(|q| (kernel::text(q, "kind"), kernel::text(q, "dev")))
        .collect()
}

/// The node's end of the link in a result.
fn host_end(result: &Value) -> String {
    let interfaces = result["interfaces"].as_array().expect("a result has interfaces");
    let ours = interfaces
        .iter()
        .map(|i| kernel::text(i, "name"))
        .find(|name| name.starts_with("rb"));
    ours.expect("our end is in the result")
}

#[test]
fn the_reference_plugins_work_behind_ours() {
    let fabric = bench::up("chain", &["c1", "c2", "c3"]);
    let before = traces(&fabric, "n1");
    serve(&fabric, "c1", 80, "behind the port");
    for version in ["1.0.0", "0.4.0", "0.3.1"] {
        every_plugin_does_its_work(&fabric, version);
        left_nothing(&fabric, "n1", &before);
        assert_eq!(kernel::links(&fabric, "c1"), ["lo"], "links of the container");
    }
    check_goes_through_the_list(&fabric);
    another_plugin_sets_the_hardware_address(&fabric);
    a_plugin_that_fails_leaves_nothing_after_del(&fabric);
    ours_comes_after_another(&fabric);
    capabilities_of_others_are_refused_on_ours(&fabric);
    left_nothing(&fabric, "n1", &before);
}

fn every_plugin_does_its_work(fabric: &Fabric, version: &str) {
    let mut pod = Attachment::new(fabric, "n1", "c1", "eth0", full(version)).wishing(wishes());
    let result = pod.add();
    assert_eq!(result["cniVersion"], version);
    assert_eq!(address(&result, "eth0"), "10.244.1.60");
    // Ours: the address and the hardware address that were asked for.
    let inside = link(fabric, "c1");
    assert_eq!(kernel::text(&inside, "address"), "02:00:00:00:00:60");
    for address in ["10.244.1.60", "2001:db8:244:1::60"] {
        pings(fabric, "machine", address);
    }
    // portmap: from another node and from a machine that knows nothing of pods.
    for from in ["n2", "machine"] {
        answers(fabric, from, "192.0.2.11", 8080, "behind the port");
    }
    answers(fabric, "n2", "2001:db8:1::11", 8080, "behind the port");
    // bandwidth: a bucket on our end, and one behind an intermediate device for the other direction.
    let ours = host_end(&result);
    let found = disciplines(fabric, "n1");
    assert!(found.contains(&("tbf".into(), ours.clone())), "{found:?}");
    assert!(found.contains(&("ingress".into(), ours)), "{found:?}");
    assert!(
        found
            .iter()
            .any(|(kind, dev)| kind == "tbf" && dev.starts_with("bwp")),
        "{found:?}"
    );
    // tuning.
    assert_eq!(
        fabric
            .run("c1", "cat /proc/sys/net/ipv4/conf/eth0/arp_filter")
            .trim(),
        "1"
    );
    assert!(inside["flags"].to_string().contains("PROMISC"), "{inside}");
    if version != "0.3.1" {
        passes_up_to_portmap(&pod);
    }
    pod.del();
    // Runtimes say it twice.
    pod.del();
}

/// The reference portmap 1.1.1 looks for its IPv4 rules in the tables of IPv6 as well: where a port is published and
/// both families can be filtered, its CHECK never succeeds. What comes before it in the list has then.
fn passes_up_to_portmap(pod: &Attachment<'_>) {
    if let Err(refused) = pod.check() {
        let known = refused.plugin == "portmap" && refused.output.contains("could not check ipv6 dnat");
        assert!(known, "CHECK: {refused:#?}");
    }
}

fn check_goes_through_the_list(fabric: &Fabric) {
    let mut wishes = wishes();
    wishes["portMappings"] = json!([]);
    let mut pod = Attachment::new(fabric, "n1", "c2", "eth0", full("1.0.0")).wishing(wishes);
    pod.add();
    pod.check().unwrap_or_else(|e| panic!("CHECK: {e:#?}"));
    // Ours finds what is ours, tuning what is tuning's.
    fabric.run("c2", "ip route del default");
    let refused = pod.check().expect_err("the default route is gone");
    assert_eq!(
        (refused.plugin.as_str(), &refused.error["code"]),
        ("roadbed", &json!(DRIFT)),
        "{refused:#?}"
    );
    assert!(
        refused.output.contains("default") || refused.output.contains("0.0.0.0/0"),
        "{refused:#?}"
    );
    fabric.run("c2", "ip route add default via 169.254.1.1 dev eth0");
    pod.check().unwrap_or_else(|e| panic!("CHECK: {e:#?}"));
    fabric.run("c2", "ip link set dev eth0 promisc off");
    assert_eq!(pod.check().expect_err("promiscuous mode is off").plugin, "tuning");
    pod.del();
}

/// `mac` is a capability of `tuning` as well, and belongs on our entry: the node knows the pod by the hardware address
/// that we gave it, and a later change cuts the pod off. CHECK says so.
fn another_plugin_sets_the_hardware_address(fabric: &Fabric) {
    let plugins = [
        json!({ "type": "roadbed" }),
        json!({ "type": "tuning", "capabilities": { "mac": true } }),
    ];
    let mac = "02:00:00:00:00:99";
    let mut pod = Attachment::new(fabric, "n1", "c3", "eth0", list("1.0.0", "pods", &plugins))
        .wishing(json!({ "mac": mac }));
    let result = pod.add();
    assert_eq!(kernel::text(&link(fabric, "c3"), "address"), mac);
    assert!(result["interfaces"].to_string().contains(mac), "{result:#}");
    let refused = pod.check().expect_err("the hardware address is another one");
    assert_eq!(refused.plugin, "roadbed", "{refused:#?}");
    assert!(refused.output.contains(mac), "{refused:#?}");
    pod.del();
}

fn a_plugin_that_fails_leaves_nothing_after_del(fabric: &Fabric) {
    let plugins = [
        json!({ "type": "roadbed" }),
        json!({ "type": "tuning", "sysctl": { "net.ipv4.conf.eth0.no_such_parameter": "1" } }),
    ];
    let mut pod = Attachment::new(fabric, "n1", "c3", "eth0", list("1.0.0", "pods", &plugins));
    assert_eq!(
        pod.try_add().expect_err("there is no such parameter").plugin,
        "tuning"
    );
    assert_eq!(kernel::links(fabric, "c3").len(), 2, "ours was there before");
    pod.del();
    assert_eq!(kernel::links(fabric, "c3"), ["lo"]);
}

/// The reference `loopback` comes first and its result to us; what both made goes on to portmap.
fn ours_comes_after_another(fabric: &Fabric) {
    let plugins = [
        json!({ "type": "loopback" }),
        json!({ "type": "roadbed" }),
        json!({ "type": "portmap", "capabilities": { "portMappings": true } }),
    ];
    let mut pod = Attachment::new(fabric, "n1", "c2", "eth0", list("1.0.0", "pods", &plugins))
        .wishing(json!({ "portMappings": [{ "hostPort": 8081, "containerPort": 81, "protocol": "tcp" }] }));
    let result = pod.add();
    let names: Vec<String> = (result["interfaces"].as_array().expect("interfaces").iter())
        .map(|i| kernel::text(i, "name"))
        .collect();
    assert_eq!([&names[0], &names[2]], ["lo", "eth0"], "{result:#}");
    let here = address(&result, "eth0");
    serve(fabric, "c2", 81, "behind");
    answers(fabric, "n2", &here, 81, "behind");
    answers(fabric, "n2", "192.0.2.11", 8081, "behind");
    passes_up_to_portmap(&pod);
    pod.del();
    eventually("the address is given back", || {
        kernel::no_route(fabric, "n1", &here)
    });
}

/// Whoever declares on our entry what belongs to another plugin is told which, and nothing is made.
fn capabilities_of_others_are_refused_on_ours(fabric: &Fabric) {
    for (capability, plugin) in [("portMappings", "portmap"), ("bandwidth", "bandwidth")] {
        let ours = json!({ "type": "roadbed", "capabilities": { capability: true } });
        let mut pod =
            Attachment::new(fabric, "n1", "c2", "eth0", list("1.0.0", "pods", &[ours])).wishing(wishes());
        let refused = pod.try_add().expect_err("it is not ours");
        assert!(
            [json!(2), json!(7)].contains(&refused.error["code"]),
            "{refused:#?}"
        );
        assert!(refused.output.contains(plugin), "{refused:#?}");
        eventually("nothing was made", || {
            let links = kernel::links(fabric, "c2");
            check(links == ["lo"], || format!("{links:?}"))
        });
    }
}
