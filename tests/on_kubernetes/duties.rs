//! What the node says of itself: its condition, its taint, its BGP status, events of its peers.

use serde_json::Value;

use super::node;
use crate::support::standin::KubeNode;
use crate::support::{check, eventually};

const NODE: &str = "/api/v1/nodes/n1";
const STATUS: &str = "/apis/roadbed.dev/v1/bgpnodestatuses/n1";

/// The condition of that type.
fn condition<'a>(node: &'a Value, kind: &str) -> Option<&'a Value> {
    node["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|c| c["type"] == kind)
}

/// The reasons of the events about the node.
fn events(node: &KubeNode) -> Vec<Value> {
    node.api.objects("/apis/events.k8s.io/v1/events")
}

#[test]
fn the_node_is_marked_and_its_sessions_are_told_of() {
    let node = node("kube-duties");
    eventually("the network is available", || {
        let object = node.object(NODE)?;
        let there = condition(&object, "NetworkUnavailable");
        check(there.is_some_and(|c| c["status"] == "False"), || {
            object["status"].to_string()
        })
    });
    let object = node.object(NODE).expect("the node");
    assert!(
        condition(&object, "Ready").is_some_and(|c| c["status"] == "True"),
        "others' conditions stay: {object}"
    );
    eventually("the taint is gone, others stay", || {
        let object = node.object(NODE)?;
        let taints = object["spec"]["taints"].to_string();
        check(
            !taints.contains("network-unavailable") && taints.contains("rack"),
            || taints,
        )
    });
    let status = eventually("the status of BGP", || {
        let status = node.object(STATUS)?["status"].clone();
        check(status["peers"][0]["state"] == "Established", || {
            status.to_string()
        })?;
        Ok(status)
    });
    assert_eq!(
        (
            &status["asn"],
            &status["sessions"],
            &status["peers"][0]["address"]
        ),
        (
            &Value::from(64512),
            &Value::from("1/1"),
            &Value::from("192.0.2.1")
        ),
        "{status}"
    );

    node.fabric.run("n1", "ip link set eth1 down");
    eventually("the status says that the session is down", || {
        let status = node.object(STATUS)?["status"].clone();
        check(status["peers"][0]["state"] != "Established", || {
            status.to_string()
        })
    });
    eventually("an event on the node", || {
        let all = events(&node);
        let told = all.iter().any(|e| {
            e["reason"] == "BGPPeerDown" && e["type"] == "Warning" && e["regarding"]["name"] == "n1"
        });
        check(told, || format!("{all:?}"))
    });
    let all = format!("{:?}", events(&node));
    assert!(!all.contains(crate::support::standin::TOKEN));
}
