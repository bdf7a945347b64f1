//! From the objects of Kubernetes to what is kept of them. What Roadbed does not use is let go here, so that the memory
//! is that of the values in [`super`] and not that of whole objects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::core::ObjectMeta;

use super::{EndpointNode, Namespace, ObjectName, Pod, Service};

/// The label of an EndpointSlice that names its Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// Annotations of these domains are kept.
const DOMAINS: [&str; 3] = ["roadbed.dev/", "cni.projectcalico.org/", "projectcalico.org/"];

/// The kubelet's note of the uid that a static pod has on the node, where its object has another one.
const STATIC_UID: &str = "kubernetes.io/config.hash";

/// Namespace and name.
pub fn name(metadata: &ObjectMeta) -> ObjectName {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    ObjectName::new(text(&metadata.namespace), text(&metadata.name))
}

/// A Service that nodes serve; none of type `ExternalName`.
pub fn service(object: &core::Service) -> Option<Service> {
    let spec = object.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    let one = spec.cluster_ip.as_slice();
    let cluster_ips = spec
        .cluster_ips
        .as_deref()
        .filter(|all| !all.is_empty())
        .unwrap_or(one);
    let status = object
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let ingress = status
        .and_then(|status| status.ingress.as_deref())
        .unwrap_or_default();
    let served = ingress
        .iter()
        .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"));
    let is_local = |policy: &Option<String>| policy.as_deref() == Some("Local");
    Some(Service {
        // "None" is no address.
        cluster_ips: addresses(cluster_ips),
        external_ips: addresses(spec.external_ips.as_deref().unwrap_or_default()),
        load_balancer_ips: addresses(served.filter_map(|ingress| ingress.ip.as_ref())),
        external_local: is_local(&spec.external_traffic_policy),
        internal_local: is_local(&spec.internal_traffic_policy),
        annotations: annotations(&object.metadata),
    })
}

fn addresses<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<IpAddr> {
    let parsed = texts.into_iter().filter_map(|text| text.parse().ok());
    // An address twice is once.
    parsed.collect::<BTreeSet<IpAddr>>().into_iter().collect()
}

/// A part of the endpoints of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The Service.
    pub service: ObjectName,
    /// Where its ready endpoints are.
    pub nodes: BTreeSet<EndpointNode>,
}

/// The ready endpoints of a slice. None where it belongs to no Service, or has no addresses (FQDN).
pub fn slice(object: &EndpointSlice) -> Option<Slice> {
    let labels = object.metadata.labels.as_ref()?;
    let service = ObjectName::new(object.metadata.namespace.clone()?, labels.get(SERVICE)?);
    let ipv4 = match object.address_type.as_str() {
        "IPv4" => true,
        "IPv6" => false,
        _ => return None,
    };
    let ready = object.endpoints.iter().filter(|endpoint| is_ready(endpoint));
    let nodes = ready.map(|endpoint| EndpointNode {
        node: endpoint.node_name.clone().unwrap_or_default(),
        ipv4,
    });
    Some(Slice {
        service,
        nodes: nodes.collect(),
    })
}

/// Not known is ready (discovery.k8s.io/v1). A terminating endpoint is not ready even while it serves, so that traffic
/// goes elsewhere before it ends; unless its Service has `publishNotReadyAddresses`, which makes all of them ready.
fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint
        .conditions
        .as_ref()
        .and_then(|conditions| conditions.ready)
        != Some(false)
}

/// A pod. The uid of a static pod is that by which the kubelet knows it.
pub fn pod(metadata: &ObjectMeta) -> Pod {
    let on_node = metadata.annotations.as_ref().and_then(|all| all.get(STATIC_UID));
    Pod {
        uid: on_node.or(metadata.uid.as_ref()).cloned().unwrap_or_default(),
        annotations: annotations(metadata),
    }
}

/// A namespace.
pub fn namespace(metadata: &ObjectMeta) -> Namespace {
    Namespace {
        labels: metadata.labels.clone().unwrap_or_default(),
        annotations: annotations(metadata),
    }
}

fn annotations(metadata: &ObjectMeta) -> BTreeMap<String, String> {
    let all = metadata.annotations.iter().flatten();
    let ours = all.filter(|(key, _)| DOMAINS.iter().any(|domain| key.starts_with(domain)));
    ours.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
        serde_json::from_value(value).expect("an object")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn what_is_kept_of_a_service() {
        let object = parse(json!({
            "metadata": {"name": "web", "namespace": "default", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "...", "roadbed.dev/x": "y"}},
            "spec": {
                "type": "LoadBalancer", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd00::1"],
                "externalIPs": ["198.51.100.1", "198.51.100.1"], "externalTrafficPolicy": "Local",
                "loadBalancerIP": "203.0.113.99",
            },
            "status": {"loadBalancer": {"ingress": [
                {"ip": "203.0.113.1", "ipMode": "VIP"}, {"ip": "203.0.113.2", "ipMode": "Proxy"},
                {"hostname": "lb.example.com"}, {"ip": "2001:db8::1"}]}},
        }));
        let expected = Service {
            cluster_ips: vec![ip("10.96.0.1"), ip("fd00::1")],
            external_ips: vec![ip("198.51.100.1")],
            load_balancer_ips: vec![ip("203.0.113.1"), ip("2001:db8::1")],
            external_local: true,
            internal_local: false,
            annotations: BTreeMap::from([("roadbed.dev/x".to_owned(), "y".to_owned())]),
        };
        assert_eq!(service(&object), Some(expected));
    }

    #[test]
    fn headless_and_external_services() {
        let headless = parse(json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}));
        assert_eq!(service(&headless), Some(Service::default()));
        let old = parse(json!({"spec": {"clusterIP": "10.96.0.1"}}));
        assert_eq!(
            service(&old).map(|service| service.cluster_ips),
            Some(vec![ip("10.96.0.1")])
        );
        let external = parse(json!({"spec": {"type": "ExternalName", "externalName": "example.com"}}));
        assert_eq!(service(&external), None);
    }

    #[test]
    fn ready_endpoints() {
        let object = parse(json!({
            "metadata": {"name": "web-x", "namespace": "default", "labels": {SERVICE: "web"}},
            "addressType": "IPv6",
            "endpoints": [
                {"addresses": ["fd00::1"], "nodeName": "ready", "conditions": {"ready": true}},
                {"addresses": ["fd00::2"], "nodeName": "unknown"},
                {"addresses": ["fd00::3"], "nodeName": "starting", "conditions": {"ready": false, "serving": false}},
                {"addresses": ["fd00::4"], "nodeName": "ending",
                 "conditions": {"ready": false, "serving": true, "terminating": true}},
                {"addresses": ["fd00::5"], "nodeName": "published", "conditions": {"ready": true, "serving": false}},
                {"addresses": ["fd00::6"], "conditions": {"ready": true}},
            ],
        }));
        let slice = slice(&object).expect("a slice");
        assert_eq!(slice.service, ObjectName::new("default", "web"));
        let nodes: Vec<&str> = slice.nodes.iter().map(|node| node.node.as_str()).collect();
        assert_eq!(nodes, ["", "published", "ready", "unknown"]);
        assert!(slice.nodes.iter().all(|node| !node.ipv4));
    }

    #[test]
    fn slices_of_no_service_or_of_names() {
        let mut object = json!({"metadata": {"name": "x", "namespace": "default"}, "addressType": "IPv4", "endpoints": []});
        assert_eq!(slice(&parse(object.clone())), None);
        object["metadata"]["labels"] = json!({SERVICE: "web"});
        assert!(slice(&parse(object.clone())).is_some());
        object["addressType"] = json!("FQDN");
        assert_eq!(slice(&parse(object)), None);
    }

    #[test]
    fn static_pods_have_the_uid_of_the_node() {
        let plain = parse(json!({"name": "web", "uid": "1"}));
        assert_eq!(pod(&plain).uid, "1");
        let mirror =
            parse(json!({"name": "web", "uid": "1", "annotations": {STATIC_UID: "2", "other": "x"}}));
        assert_eq!(
            pod(&mirror),
            Pod {
                uid: "2".into(),
                annotations: BTreeMap::new()
            }
        );
    }
}
