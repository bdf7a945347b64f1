//! The life of a pod's interfaces through every verb, executed as a runtime of specification 1.1.0 does.

use serde_json::{Value, json};

use super::call::{Attachment, Plugins};
use crate::support::plugin::{address, answer};
use crate::support::{Fabric, SOON, check, eventually, kernel, pair, view};

/// The default network.
fn pods() -> Value {
    json!({
        "cniVersion": "1.1.0", "name": "pods", "type": "roadbed", "waitFor": "announced",
        "sysctl": { "net.ipv4.conf.IFNAME.arp_filter": "1" },
    })
}

/// A second network of the same pod.
fn second() -> Value {
    json!({
        "cniVersion": "1.1.0", "name": "second", "type": "roadbed", "defaultRoute": false,
        "routes": [{ "dst": "198.51.100.0/24" }],
    })
}

#[test]
fn every_verb_in_the_life_of_a_pod() {
    let fabric = pair::wire("cni-life", 2)
        .host("c1", &[])
        .host("c2", &[])
        .up_without_agents();
    let plugins = Plugins::install();
    let of = |container, ifname| Attachment {
        fabric: &fabric,
        plugins: &plugins,
        container,
        ifname,
    };
    status_follows_readiness(&fabric, of("c1", "eth0"));
    let first = add_and_again(&fabric, of("c1", "eth0"));
    let net1 = second_interface(&fabric, of("c1", "net1"));
    let result = check_names_each_drift(&fabric, of("c1", "eth0"), &first);
    a_removed_host_route_comes_back(&fabric, &address(&first));
    assert_eq!(of("c1", "net1").with_result("CHECK", &second(), &net1), Ok(()));
    gc_removes_exactly_what_is_not_listed(&fabric, of("c1", "eth0"), of("c2", "eth0"), &result);

    assert_eq!(of("c1", "eth0").with_result("DEL", &pods(), &result), Ok(()));
    assert_eq!(of("c1", "net1").with_result("DEL", &second(), &net1), Ok(()));
    let left: Vec<String> = kernel::links(&fabric, "n1")
        .into_iter()
        .filter(|l| is_pod_link(l))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(kernel::links(&fabric, "c1"), ["lo"]);
    let gone = of("c1", "eth0")
        .with_result("CHECK", &pods(), &result)
        .expect_err("the lease is gone");
    assert!(gone.to_string().contains("lease of eth0"), "{gone}");
}

fn is_pod_link(name: &str) -> bool {
    name.starts_with("rb") && !name.contains('-')
}

/// 50 without an agent, 51 while its peer has not fed it, success when the node is ready.
fn status_follows_readiness(fabric: &Fabric, pod: Attachment<'_>) {
    let status = || {
        let done = pod.call("STATUS", &pods(), "");
        match done.status.success() {
            true => Ok(()),
            false => Err(answer(&done)),
        }
    };
    let absent = status().expect_err("there is no agent");
    assert_eq!(absent["code"], 50, "{absent}");
    fabric.start_agent("n1").expect("the agent starts");
    fabric.wait_agent("n1", SOON).expect("the agent answers");
    eventually(
        "an agent without its peer is available and not connected",
        || match status() {
            Err(said) => check(said["code"] == 51, || said.to_string()),
            Ok(()) => Err("it says that it is ready".into()),
        },
    );
    fabric.start_agent("n2").expect("the other agent starts");
    fabric.wait_agent("n2", SOON).expect("the other agent answers");
    eventually("the session", || view::converged(fabric, "n1", 1));
    eventually("STATUS succeeds", || status().map_err(|said| said.to_string()));
}

/// Hardware address, sysctl and announcement as asked; the same answer again; another wish is granted.
fn add_and_again(fabric: &Fabric, pod: Attachment<'_>) -> Value {
    let first = pod.add(&pods(), ";MAC=02:00:5e:00:53:01");
    assert_eq!(first["cniVersion"], "1.1.0");
    let inside = |field: &str| {
        let link = kernel::json(fabric, "c1", &["ip", "-j", "link", "show", "dev", "eth0"]);
        kernel::text(&link[0], field)
    };
    assert_eq!(inside("address"), "02:00:5e:00:53:01");
    let arp_filter = fabric.run("c1", "cat /proc/sys/net/ipv4/conf/eth0/arp_filter");
    assert_eq!(arp_filter.trim(), "1");
    // It was announced when the answer came.
    view::route_of(
        fabric,
        "n1",
        "10.244.1.0/24",
        &["--advertised", &pair::address(2)],
    )
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(pod.add(&pods(), ";MAC=02:00:5e:00:53:01"), first);
    let other = pod.add(&pods(), ";MAC=02:00:5e:00:53:02");
    assert_eq!(
        (address(&other), inside("address")),
        (address(&first), "02:00:5e:00:53:02".to_owned())
    );
    other
}

/// Another network: an address and routes of its own, and the default route stays where it is.
fn second_interface(fabric: &Fabric, pod: Attachment<'_>) -> Value {
    let result = pod.add(&second(), "");
    let via = |destination: &str| {
        let route = kernel::json(fabric, "c1", &["ip", "-j", "route", "show", destination]);
        let through: Vec<String> = route.iter().map(|r| kernel::text(r, "dev")).collect();
        through
    };
    assert_eq!(via("default"), ["eth0"]);
    assert_eq!(via("198.51.100.0/24"), ["net1"]);
    fabric.run("c1", "ip route del 198.51.100.0/24");
    let drifted = pod
        .with_result("CHECK", &second(), &result)
        .expect_err("a route is missing");
    assert!(drifted.to_string().contains("198.51.100.0/24"), "{drifted}");
    assert_eq!(pod.add(&second(), ""), result);
    assert_eq!(pod.with_result("CHECK", &second(), &result), Ok(()));
    result
}

/// What is broken by hand is named, each thing, and a repeated ADD mends it.
fn check_names_each_drift(fabric: &Fabric, pod: Attachment<'_>, result: &Value) -> Value {
    assert_eq!(pod.with_result("CHECK", &pods(), result), Ok(()));
    let here = address(result);
    let link = kernel::text(
        &kernel::route(fabric, "n1", &here).expect("the host route"),
        "dev",
    );
    fabric.run("c1", "ip route del default");
    fabric.run("c1", &format!("ip addr del {here}/32 dev eth0"));
    fabric.run("n1", &format!("ip neigh del {here} dev {link}"));
    let drifted = pod
        .with_result("CHECK", &pods(), result)
        .expect_err("things are missing");
    assert_eq!(drifted["code"], 103, "{drifted}");
    let said = drifted.to_string();
    for what in ["address", "default", "neighbour"] {
        assert!(said.contains(what), "no word of the {what}: {said}");
    }
    fabric.run("n1", &format!("ip link set {link} down"));
    let down = pod
        .with_result("CHECK", &pods(), result)
        .expect_err("the link is down")
        .to_string();
    assert!(down.contains(&link), "{down}");
    let mended = pod.add(&pods(), ";MAC=02:00:5e:00:53:02");
    assert_eq!(&mended, result);
    assert_eq!(pod.with_result("CHECK", &pods(), &mended), Ok(()));
    mended
}

fn a_removed_host_route_comes_back(fabric: &Fabric, here: &str) {
    fabric.run("n1", &format!("ip route del {here}/32 proto 82"));
    eventually("the host route is repaired", || kernel::route(fabric, "n1", here));
}

/// The listed pod stays, the other goes, and so does a link that no lease has; the other network is not touched.
fn gc_removes_exactly_what_is_not_listed(
    fabric: &Fabric,
    listed: Attachment<'_>,
    other: Attachment<'_>,
    result: &Value,
) {
    let gone = other.add(&pods(), "");
    fabric.run(
        "n1",
        "ip link add rb0000000000a type veth peer name rb0000000000b",
    );
    let mut config = pods();
    config["cni.dev/valid-attachments"] =
        json!([{ "containerID": listed.container, "ifname": listed.ifname }]);
    let done = other.call("GC", &config, "");
    assert!(done.status.success(), "{done:?}");
    eventually("the route of what is not listed goes", || {
        kernel::no_route(fabric, "n1", &address(&gone))
    });
    assert_eq!(kernel::links(fabric, "c2"), ["lo"]);
    let links = kernel::links(fabric, "n1");
    assert!(
        !links.iter().any(|link| link.starts_with("rb00000000")),
        "{links:?}"
    );
    assert_eq!(
        kernel::links(fabric, "c1").len(),
        3,
        "lo, eth0 and net1 of the listed pod"
    );
    assert_eq!(listed.with_result("CHECK", &pods(), result), Ok(()));
}
