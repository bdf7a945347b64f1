//! A pod as Kubernetes has it: its object in the API server (a stand-in, `tests/kube`), the sandbox made by containerd as
//! the kubelet asks for it, and the agent between them, which knows the one by the other's namespace, name and UID.

use cri_testbed::Pod;
use serde_json::json;

use super::cluster::{conflist, plain, runtime};
use crate::support::standin::KubeNode;
use crate::support::{eventually, kernel};

const RESOURCES: &str = "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
                         spec: { asNumber: 64512 }\n---\n\
                         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\n\
                         spec: { cidr: 10.244.0.0/16, blockSize: 26, vxlanMode: Never }\n";

/// Makes or changes the object of a pod, and gives the pod its UID: the API server's, as the kubelet has it.
fn object(node: &KubeNode, pod: Pod) -> Pod {
    let path = format!("/api/v1/namespaces/{}/pods/{}", pod.namespace, pod.name);
    node.api.put(
        &path,
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": pod.name, "namespace": pod.namespace, "annotations": pod.annotations},
            "spec": {"nodeName": "n1", "containers": []},
        }),
    );
    let object = node.object(&path).unwrap_or_else(|e| panic!("{e}"));
    Pod {
        uid: kernel::text(&object["metadata"], "uid"),
        ..pod
    }
}

#[test]
fn a_pod_has_the_address_and_the_mac_of_its_annotations() {
    let node = KubeNode::up("cri-kube", &[], "wire", |fabric| fabric.host("wire", &[]));
    node.api.put(
        "/api/v1/namespaces/default",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}),
    );
    node.apply(RESOURCES);
    let block = node.block();
    let (network, _) = block.rsplit_once('.').expect("an IPv4 block");
    let first: u32 = block
        .rsplit(['.', '/'])
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a block");
    let fixed = format!("{network}.{}", first + 33);
    let mac = "02:00:5e:00:53:21";

    let containerd = runtime(&node.fabric, "n1", Some(&conflist(&plain(), &[])));
    let client = containerd.client();
    eventually("the network of the runtime", || {
        client.network_ready().map_err(|e| e.to_string())?
    });
    let pod = Pod::new("db-0")
        .annotation("roadbed.dev/addresses", &fixed)
        .annotation("roadbed.dev/mac", mac);
    let pod = object(&node, pod);
    let sandbox = client.run_pod(&pod).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        client.addresses(&sandbox).expect("its address").first.to_string(),
        fixed
    );
    let (netns, _) = client.network(&sandbox).expect("its namespace");
    let enter = format!("--net={netns}");
    let words = ["nsenter", &enter, "ip", "-j", "link", "show", "dev", "eth0"];
    let link = kernel::json(&node.fabric, "n1", &words);
    assert_eq!(link[0]["address"], mac);
    client.stop_pod(&sandbox).unwrap_or_else(|e| panic!("{e}"));
    client.remove_pod(&sandbox).unwrap_or_else(|e| panic!("{e}"));

    // A wish that cannot be read fails the pod with its words, and the mended one comes up.
    let wrong = Pod::new("db-1").annotation("roadbed.dev/addresses", "ten");
    let wrong = object(&node, wrong);
    let refused = client.run_pod(&wrong).expect_err("no address is called ten");
    assert!(refused.to_string().contains("roadbed.dev/addresses"), "{refused}");
    let mended = object(&node, wrong.annotation("roadbed.dev/addresses", &fixed));
    let sandbox = eventually("the mended pod", || {
        client.run_pod(&mended).map_err(|e| e.to_string())
    });
    assert_eq!(
        client.addresses(&sandbox).expect("its address").first.to_string(),
        fixed
    );
}
