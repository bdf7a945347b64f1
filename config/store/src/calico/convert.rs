//! From what Calico's datastores hold to clean documents of `projectcalico.org/v3`.
//!
//! In etcd the documents are already of v3. In Kubernetes they are custom resources of `crd.projectcalico.org/v1`
//! with metadata in an annotation and, in pools, fields of Calico's first API; and a Calico Node is a Kubernetes
//! Node with annotations. The settings of address management have a form of their own in etcd. All of that is
//! taken away here, with all that servers wrote: what is left is what an operator would have written.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::snapshot::Document;

/// The version that documents are turned into.
pub const V3: &str = "projectcalico.org/v3";

/// A document of this kind and name from a value that holds one, whatever its version.
pub fn document(kind: &str, name: &str, value: &Value) -> Document {
    let mut spec = value
        .get("spec")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    spec.retain(|_, value| !value.is_null());
    let kind = match kind {
        "IPPool" => {
            first_api(&mut spec);
            kind
        }
        "IPAMConfig" | "IPAMConfiguration" => return ipam_settings(name, &spec, kind == "IPAMConfiguration"),
        _ => kind,
    };
    let labels = value
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .cloned();
    build(kind, name, labels.unwrap_or_default(), spec)
}

/// Puts a document together. The name of a kind with namespaces is `namespace/name`.
fn build(kind: &str, name: &str, labels: Map<String, Value>, spec: Map<String, Value>) -> Document {
    let short = name.rsplit('/').next().unwrap_or(name);
    let mut metadata = Map::new();
    metadata.insert("name".into(), short.into());
    if !labels.is_empty() {
        metadata.insert("labels".into(), labels.into());
    }
    let value = json!({ "apiVersion": V3, "kind": kind, "metadata": metadata, "spec": spec });
    Document {
        kind: kind.to_owned(),
        name: name.to_owned(),
        value,
    }
}

/// Fields of Calico's first API that pools made by it still have, as Calico itself reads them.
fn first_api(spec: &mut Map<String, Value>) {
    if let Some(Value::Object(ipip)) = spec.remove("ipip") {
        let mode = match (ipip.get("enabled"), ipip.get("mode").and_then(Value::as_str)) {
            (Some(Value::Bool(true)), Some("cross-subnet")) => "CrossSubnet",
            (Some(Value::Bool(true)), _) => "Always",
            _ => "Never",
        };
        spec.insert("ipipMode".into(), mode.into());
    }
    if spec.remove("nat-outgoing") == Some(Value::Bool(true)) {
        spec.insert("natOutgoing".into(), true.into());
    }
}

/// `IPAMConfiguration`, with what is absent written out: absent means false in Calico, and true here. (The v3
/// kind takes blocks on its own by default, the older ones where they say so.)
fn ipam_settings(name: &str, spec: &Map<String, Value>, v3: bool) -> Document {
    let mut spec = spec.clone();
    spec.entry("strictAffinity").or_insert(false.into());
    spec.entry("autoAllocateBlocks").or_insert(v3.into());
    if spec.get("maxBlocksPerHost") == Some(&json!(0)) {
        spec.remove("maxBlocksPerHost");
    }
    build("IPAMConfiguration", name, Map::new(), spec)
}

/// The settings of address management from their key in etcd.
pub fn etcd_ipam_settings(value: &Value) -> Document {
    let mut spec = Map::new();
    for (from, to) in [
        ("strict_affinity", "strictAffinity"),
        ("auto_allocate_blocks", "autoAllocateBlocks"),
        ("maxBlocksPerHost", "maxBlocksPerHost"),
        ("kubeVirtVMAddressPersistence", "kubeVirtVMAddressPersistence"),
    ] {
        if let Some(value) = value.get(from).filter(|value| !value.is_null()) {
            spec.insert(to.into(), value.clone());
        }
    }
    ipam_settings("default", &spec, false)
}

const ANNOTATION: &str = "projectcalico.org/";

/// Where a Kubernetes Node keeps what Calico has in a field of its Node.
const NODE_FIELDS: &[(&str, &[&str])] = &[
    ("IPv4Address", &["bgp", "ipv4Address"]),
    ("IPv6Address", &["bgp", "ipv6Address"]),
    ("ASNumber", &["bgp", "asNumber"]),
    ("RouteReflectorClusterID", &["bgp", "routeReflectorClusterID"]),
    ("IPv4IPIPTunnelAddr", &["bgp", "ipv4IPIPTunnelAddr"]),
    ("IPv4VXLANTunnelAddr", &["ipv4VXLANTunnelAddr"]),
    ("IPv6VXLANTunnelAddr", &["ipv6VXLANTunnelAddr"]),
    ("VXLANTunnelMACAddr", &["vxlanTunnelMACAddr"]),
    ("VXLANTunnelMACAddrV6", &["vxlanTunnelMACAddrV6"]),
    (
        "IPv4WireguardInterfaceAddr",
        &["wireguard", "interfaceIPv4Address"],
    ),
    (
        "IPv6WireguardInterfaceAddr",
        &["wireguard", "interfaceIPv6Address"],
    ),
];

/// A Calico Node from the labels and annotations of a Kubernetes Node. Labels of Calico's own, kept in an
/// annotation, stand behind those of Kubernetes, as in Calico.
pub fn kubernetes_node(
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Document {
    let mut merged: BTreeMap<String, String> = annotations
        .get("projectcalico.org/labels")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    merged.extend(labels.clone());
    let mut spec = Map::new();
    for (annotation, path) in NODE_FIELDS {
        let value = annotations.get(&format!("{ANNOTATION}{annotation}"));
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            continue;
        };
        // A number where it is one: a document of Calico's has it so. `1.10` stays text.
        let value = match value.parse::<u32>() {
            Ok(number) if *annotation == "ASNumber" => Value::from(number),
            _ => Value::from(value.as_str()),
        };
        match path {
            [outer, inner] => {
                let group = spec.entry(*outer).or_insert_with(|| Map::new().into());
                if let Value::Object(group) = group {
                    group.insert((*inner).to_owned(), value);
                }
            }
            [field] => drop(spec.insert((*field).to_owned(), value)),
            _ => {}
        }
    }
    let labels = merged
        .into_iter()
        .map(|(key, value)| (key, Value::from(value)))
        .collect();
    build("Node", name, labels, spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_wrote_is_gone() {
        let read = document(
            "BGPPeer",
            "tor",
            &json!({ "kind": "BGPPeer", "apiVersion": "crd.projectcalico.org/v1",
                "metadata": { "name": "tor", "uid": "1", "resourceVersion": "5", "labels": { "a": "b" },
                    "annotations": { "projectcalico.org/metadata": "{\"creationTimestamp\":null}" } },
                "spec": { "peerIP": "192.0.2.1", "asNumber": 65001, "password": null }, "status": {} }),
        );
        assert_eq!(
            read.value,
            json!({ "apiVersion": V3, "kind": "BGPPeer", "metadata": { "name": "tor", "labels": { "a": "b" } },
                "spec": { "peerIP": "192.0.2.1", "asNumber": 65001 } })
        );
    }

    #[test]
    fn pools_of_the_first_api_are_read_as_calico_reads_them() {
        let cases = [
            (
                json!({ "ipip": { "enabled": true, "mode": "cross-subnet" } }),
                json!({ "ipipMode": "CrossSubnet" }),
            ),
            (
                json!({ "ipip": { "enabled": true }, "ipipMode": "Never" }),
                json!({ "ipipMode": "Always" }),
            ),
            (
                json!({ "ipip": { "enabled": false, "mode": "always" } }),
                json!({ "ipipMode": "Never" }),
            ),
            (
                json!({ "nat-outgoing": true, "natOutgoing": false }),
                json!({ "natOutgoing": true }),
            ),
            (json!({ "nat-outgoing": false }), json!({})),
        ];
        for (before, after) in cases {
            let read = document("IPPool", "p", &json!({ "spec": before }));
            assert_eq!(read.value["spec"], after, "{before}");
        }
    }

    #[test]
    fn absent_settings_mean_what_they_mean_in_calico() {
        let etcd = etcd_ipam_settings(&json!({ "auto_allocate_blocks": true, "maxBlocksPerHost": 0 }));
        assert_eq!(etcd.id(), "IPAMConfiguration/default");
        assert_eq!(
            etcd.value["spec"],
            json!({ "strictAffinity": false, "autoAllocateBlocks": true })
        );
        let old = document(
            "IPAMConfig",
            "default",
            &json!({ "spec": { "strictAffinity": true } }),
        );
        assert_eq!(old.value["kind"], "IPAMConfiguration");
        assert_eq!(
            old.value["spec"],
            json!({ "strictAffinity": true, "autoAllocateBlocks": false })
        );
        let new = document(
            "IPAMConfiguration",
            "default",
            &json!({ "spec": { "maxBlocksPerHost": 20 } }),
        );
        let spec = json!({ "strictAffinity": false, "autoAllocateBlocks": true, "maxBlocksPerHost": 20 });
        assert_eq!(new.value["spec"], spec);
    }

    #[test]
    fn a_kubernetes_node_is_a_calico_node_with_annotations() {
        let text = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let labels = text(&[("rack", "r1"), ("kubernetes.io/hostname", "node-a")]);
        let annotations = text(&[
            ("projectcalico.org/IPv4Address", "192.0.2.11/24"),
            ("projectcalico.org/IPv4IPIPTunnelAddr", "10.244.1.1"),
            ("projectcalico.org/ASNumber", "65011"),
            ("projectcalico.org/labels", r#"{"rack":"old","zone":"z1"}"#),
            ("projectcalico.org/VXLANTunnelMACAddr", "66:aa:bb:cc:dd:ee"),
            ("volumes.kubernetes.io/controller-managed-attach-detach", "true"),
        ]);
        let node = kubernetes_node("node-a", &labels, &annotations);
        assert_eq!(
            node.value,
            json!({ "apiVersion": V3, "kind": "Node",
                "metadata": { "name": "node-a", "labels": { "kubernetes.io/hostname": "node-a", "rack": "r1", "zone": "z1" } },
                "spec": { "bgp": { "ipv4Address": "192.0.2.11/24", "asNumber": 65011, "ipv4IPIPTunnelAddr": "10.244.1.1" },
                    "vxlanTunnelMACAddr": "66:aa:bb:cc:dd:ee" } })
        );
    }
}
