//! What pods ask for by annotations.

use serde_json::{Value, json};

use super::node;
use crate::support::kernel;
use crate::support::plugin::{add, address, answer, call, del, netns, network};
use crate::support::standin::KubeNode;

/// The pod of a container, with these annotations. Its name is the container's, as `plugin::call` tells the agent.
fn pod(node: &KubeNode, name: &str, annotations: Value) {
    node.api.put(
        &format!("/api/v1/namespaces/default/pods/{name}"),
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "annotations": annotations},
            "spec": {"nodeName": "n1", "containers": []},
        }),
    );
}

#[test]
fn a_pod_gets_what_it_asks_for() {
    let node = node("kube-pods");
    node.api.put(
        "/api/v1/namespaces/default",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}),
    );
    node.apply(
        "apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: special }\n\
         spec: { cidr: 10.245.0.0/24, blockSize: 28, assignmentMode: Manual }\n",
    );
    let block = node.block();
    let mut inside = block.parse::<ipnet::Ipv4Net>().expect("a block").hosts();
    let fixed = inside.nth(33).expect("a /26 has more").to_string();

    pod(
        &node,
        "c1",
        json!({"roadbed.dev/addresses": fixed, "roadbed.dev/mac": "02:00:5e:00:53:07"}),
    );
    assert_eq!(address(&add(&node.fabric, "n1", "c1")), fixed);
    let link = kernel::json(&node.fabric, "c1", &["ip", "-j", "link", "show", "dev", "eth0"]);
    assert_eq!(link[0]["address"], "02:00:5e:00:53:07");

    // Calico's words are understood, too.
    pod(
        &node,
        "c2",
        json!({"cni.projectcalico.org/ipv4pools": "[\"special\"]"}),
    );
    let special = address(&add(&node.fabric, "n1", "c2"));
    assert!(special.starts_with("10.245.0."), "{special}");

    pod(&node, "c3", json!({"roadbed.dev/addresses": "ten"}));
    let refused = call(
        &node.fabric,
        "n1",
        "ADD",
        "c3",
        &netns(&node.fabric, "c3"),
        &network(),
    );
    let error = answer(&refused);
    assert!(
        !refused.status.success() && error.to_string().contains("roadbed.dev/addresses"),
        "{error}"
    );

    // The address is the pod's: it is there again when the pod is made anew.
    del(&node.fabric, "n1", "c1");
    assert_eq!(address(&add(&node.fabric, "n1", "c1")), fixed);
}
