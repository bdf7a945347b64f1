//! A pod comes up, talks, and leaves nothing behind.

use std::collections::BTreeSet;

use cri_testbed::{Call, Pod};
use serde_json::Value;

use super::cluster::{self, Cluster, Running, conflist, plain};
use crate::support::{eventually, kernel, require};

/// What a container does that is only there to talk.
const IDLE: [&str; 2] = ["/bin/sleep", "1000"];

#[test]
fn pods_of_two_nodes_talk_over_both_families_and_leave_nothing_behind() {
    require("ping", "iputils-ping");
    let mut cluster = cluster::up("cri-life", &conflist(&plain(), &[]));
    let version = cluster.client("n1").version().expect("Version is answered");
    assert!(version.starts_with("containerd "), "{version}");
    let before = cluster.traces("n1");
    let (here, there) = (
        cluster.run("n1", &Pod::new("here"), &IDLE),
        cluster.run("n2", &Pod::new("there"), &IDLE),
    );

    // The kubelet's view: the address of the node's block first, that of the other family as an additional one.
    for (pod, number) in [(&here, 1), (&there, 2)] {
        assert!(pod.ipv4.starts_with(&format!("10.244.{number}.")), "{}", pod.ipv4);
        assert!(
            pod.ipv6.starts_with(&format!("2001:db8:244:{number}:")),
            "{}",
            pod.ipv6
        );
    }
    the_inside_is_right(&cluster, &here);
    for (destination, pod) in [(&there.ipv4, &here), (&there.ipv6, &here)] {
        cluster.pings("n1", pod, destination);
    }
    cluster.pings("n2", &there, &here.ipv4);
    cluster.pings("n2", &there, &here.ipv6);
    // A pod and its own node reach each other.
    cluster.pings("n1", &here, &cluster::node_address(1, true));
    cluster.fabric.run("n1", &format!("ping -c 1 -W 2 {}", here.ipv4));

    // The runtime dies and comes back: to the pods it is nothing, and it knows them still.
    cluster.restart_runtime("n1");
    cluster.pings("n1", &here, &there.ipv4);
    cluster.pings("n2", &there, &here.ipv6);

    // A second pod has other addresses, and both talk on one node.
    let second = cluster.run("n1", &Pod::new("second"), &IDLE);
    assert!(
        second.ipv4 != here.ipv4 && second.ipv6 != here.ipv6,
        "{}",
        second.ipv4
    );
    cluster.pings("n1", &second, &here.ipv4);

    cluster.remove("n1", &second);
    let seen = cluster.runtime("n1").calls().len();
    cluster.remove("n1", &here);
    cluster.leaves("n1", &before);
    let name = here.netns.rsplit('/').next().expect("a path has a name");
    assert!(
        !std::path::Path::new("/run/netns").join(name).exists(),
        "the namespace {name} stays"
    );
    let calls = cluster.runtime("n1").calls();
    what_containerd_asked(&calls, &calls[seen..], &here);
}

/// Addresses, MTU and routes as the pod has them, and the host's end.
fn the_inside_is_right(cluster: &Cluster, pod: &Running) {
    let link = &cluster.inside("n1", pod, &["ip", "-j", "-d", "addr", "show", "dev", "eth0"])[0];
    let addresses: BTreeSet<String> = (link["addr_info"].as_array().into_iter().flatten())
        .filter(|a| a["scope"] == "global")
        .map(|a| format!("{}/{}", kernel::text(a, "local"), a["prefixlen"]))
        .collect();
    let expected = [format!("{}/32", pod.ipv4), format!("{}/128", pod.ipv6)];
    assert_eq!(addresses, BTreeSet::from(expected));
    // The pools may be tunnelled, over either family: the wire's 1500 less what VXLAN over IPv6 takes.
    assert_eq!(link["mtu"], 1430);
    for family in ["-4", "-6"] {
        let routes = cluster.inside("n1", pod, &["ip", "-j", family, "route", "show", "default"]);
        assert_eq!(routes.len(), 1, "{routes:?}");
        assert_eq!(routes[0]["dev"], "eth0");
        let gateway = kernel::text(&routes[0], "gateway");
        assert!(
            gateway == "169.254.1.1" || gateway.starts_with("fe80:"),
            "{gateway}"
        );
    }
    for address in [&pod.ipv4, &pod.ipv6] {
        let route = kernel::route(&cluster.fabric, "n1", address).expect("the pod's host route");
        assert!(kernel::text(&route, "dev").starts_with("rb"), "{route}");
    }
    let loopback = cluster.inside("n1", pod, &["ip", "-j", "link", "show", "dev", "lo"]);
    assert!(loopback[0]["flags"].to_string().contains("UP"), "{loopback:?}");
}

/// ADD and DEL only; two DELs, the second without a namespace and without a result.
fn what_containerd_asked(all: &[Call], at_the_end: &[Call], pod: &Running) {
    let verbs: BTreeSet<&str> = all.iter().map(|call| call.command.as_str()).collect();
    assert_eq!(verbs, BTreeSet::from(["ADD", "DEL"]));
    let add = (all.iter().find(|call| call.container_id == pod.sandbox)).expect("the pod's ADD");
    assert_eq!((add.command.as_str(), add.ifname.as_str()), ("ADD", "eth0"));
    assert_eq!(add.netns, pod.netns);
    assert_eq!(add.config["cniVersion"], "1.0.0");
    for key in [
        "K8S_POD_NAMESPACE=default",
        "K8S_POD_NAME=here",
        "K8S_POD_UID=",
        "K8S_POD_INFRA_CONTAINER_ID=",
    ] {
        assert!(add.args.contains(key), "{}", add.args);
    }
    let [first, second] = at_the_end else {
        panic!("not two calls: {at_the_end:?}");
    };
    for del in [first, second] {
        assert_eq!(
            (&del.command, &del.container_id),
            (&"DEL".to_owned(), &pod.sandbox)
        );
    }
    assert_eq!(first.netns, pod.netns);
    assert_eq!(second.netns, "");
    let result = first.config.pointer("/prevResult/ips").and_then(Value::as_array);
    assert_eq!(result.map(Vec::len), Some(2), "{first:?}");
}

#[test]
fn many_pods_at_once_have_addresses_of_their_own_and_all_of_them_go() {
    const PODS: usize = 8;
    let cluster = cluster::up("cri-many", &conflist(&plain(), &[]));
    let before = cluster.traces("n1");
    let run = |i: usize| {
        let client = cluster.client("n1");
        let sandbox = client
            .run_pod(&Pod::new(&format!("p{i}")))
            .unwrap_or_else(|e| panic!("{e}"));
        (client.addresses(&sandbox).expect("its addresses"), sandbox)
    };
    let pods: Vec<_> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..PODS).map(|i| scope.spawn(move || run(i))).collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("a pod comes up"))
            .collect()
    });
    let distinct: BTreeSet<_> = pods.iter().map(|(addresses, _)| addresses.first).collect();
    assert_eq!(distinct.len(), PODS, "{distinct:?}");
    for address in &distinct {
        // In the kernel when the runtime had its answer, so without waiting.
        kernel::route(&cluster.fabric, "n1", &address.to_string()).expect("a host route");
    }
    std::thread::scope(|scope| {
        for (_, sandbox) in &pods {
            scope.spawn(|| {
                let client = cluster.client("n1");
                client.stop_pod(sandbox).unwrap_or_else(|e| panic!("{e}"));
                client.remove_pod(sandbox).unwrap_or_else(|e| panic!("{e}"));
            });
        }
    });
    cluster.leaves("n1", &before);
    eventually("no sandbox is left", || {
        let left = cluster.client("n1").pods().map_err(|e| e.to_string())?;
        crate::support::check(left.is_empty(), || format!("{left:?}"))
    });
}
