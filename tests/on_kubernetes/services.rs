//! Addresses of Services, as the switch sees them.

use serde_json::{Value, json};

use super::{learned, node};
use crate::support::standin::KubeNode;
use crate::support::{check, eventually, kernel, view};

/// A Service of type LoadBalancer with this policy, a cluster IP, an external and a load balancer's address.
fn service(policy: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "type": "LoadBalancer", "externalTrafficPolicy": policy,
            "clusterIP": "10.96.0.80", "clusterIPs": ["10.96.0.80"], "externalIPs": ["203.0.113.7"],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.200"}]}},
    })
}

/// Its endpoints: one on each of these nodes.
fn endpoints(nodes: &[&str]) -> Value {
    let endpoint = |(n, node): (usize, &&str)| {
        json!({
            "addresses": [format!("10.244.9.{}", n + 1)], "nodeName": node,
            "conditions": {"ready": true, "serving": true, "terminating": false},
        })
    };
    let endpoints: Vec<Value> = nodes.iter().enumerate().map(endpoint).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "web-x", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4", "endpoints": endpoints,
    })
}

const SERVICE: &str = "/api/v1/namespaces/default/services/web";
const SLICE: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/web-x";

/// The switch has all of these and none of those.
fn switch_has(node: &KubeNode, these: &[&str], those: &[&str]) -> Result<(), String> {
    let known = learned(node)?;
    let has = |prefix: &&str| known.iter().any(|k| k == prefix);
    check(these.iter().all(has) && !those.iter().any(has), || {
        format!("{known:?}")
    })
}

#[test]
fn services_are_announced_by_policy_and_by_endpoints() {
    let node = node("kube-services");
    // Ranges go out whole: kube-proxy of every node serves them.
    eventually("the ranges", || {
        switch_has(
            &node,
            &["10.96.0.0/12", "203.0.113.0/25", "203.0.113.128/25"],
            &["203.0.113.200/32"],
        )
    });
    let route = view::route(&node.fabric, "n1", "10.96.0.0/12").expect("the agent knows why");
    assert_eq!(route.origin, "service", "{route:?}");
    assert!(
        kernel::no_route(&node.fabric, "n1", "10.96.0.0/12").is_ok(),
        "nothing is installed"
    );

    // Only nodes with endpoints attract what must not leave the node.
    node.api.put(SERVICE, service("Local"));
    node.api.put(SLICE, endpoints(&["n1"]));
    eventually("the addresses of a Service with local endpoints", || {
        switch_has(&node, &["203.0.113.200/32", "203.0.113.7/32"], &[])
    });
    let why = view::route(&node.fabric, "n1", "203.0.113.200/32").expect("the agent knows why");
    assert!(why.reason.contains("default/web"), "{why:?}");
    let explained = node.roadbed(&["explain", "203.0.113.200"]);
    assert!(
        explained.contains("announced by this node") && explained.contains("default/web"),
        "{explained}"
    );
    node.api.put(SLICE, endpoints(&["n2"]));
    eventually("they are withdrawn with the endpoints", || {
        switch_has(
            &node,
            &["203.0.113.128/25"],
            &["203.0.113.200/32", "203.0.113.7/32"],
        )
    });
    node.api.put(SLICE, endpoints(&["n2", "n1"]));
    eventually("they are back", || switch_has(&node, &["203.0.113.200/32"], &[]));
    node.api.put(SERVICE, service("Cluster"));
    eventually("the policy is another", || {
        switch_has(&node, &["203.0.113.128/25"], &["203.0.113.200/32"])
    });

    // Without the API server all stays as it is.
    node.api.put(SERVICE, service("Local"));
    eventually("local again", || switch_has(&node, &["203.0.113.200/32"], &[]));
    let mut node = node;
    node.api.stop();
    eventually("the node says that Kubernetes is away", || {
        let status = view::status(&node.fabric, "n1")?;
        let condition = status.conditions.iter().find(|c| c.name == "KubernetesReachable");
        check(condition.is_some_and(|c| !c.met) && status.ready, || {
            format!("{:?}", status.conditions)
        })
    });
    switch_has(&node, &["10.96.0.0/12", "203.0.113.200/32"], &[]).expect("nothing is withdrawn");
}
