//! A Node resource made of two: the Node of Kubernetes (labels, addresses, pod subnets) and ours of the same name,
//! whose fields win one by one. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use datastore::{Incarnation, Version};
use ipnet::IpNet;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::object::{labels, text_of};

/// Annotations that name an address or a number of the node's, ours before Calico's, and the field they fill.
const ANNOTATIONS: [(&str, &str, &str); 4] = [
    (
        "ipv4Address",
        "roadbed.dev/ipv4-address",
        "projectcalico.org/IPv4Address",
    ),
    (
        "ipv6Address",
        "roadbed.dev/ipv6-address",
        "projectcalico.org/IPv6Address",
    ),
    ("asNumber", "roadbed.dev/as-number", "projectcalico.org/ASNumber"),
    (
        "routeReflectorClusterID",
        "roadbed.dev/route-reflector-cluster-id",
        "projectcalico.org/RouteReflectorClusterID",
    ),
];

/// What of a Node of Kubernetes matters here. Heartbeats and conditions are not in it, so that two of these differ
/// only where something has to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoreNode {
    uid: String,
    labels: BTreeMap<String, String>,
    bgp: BTreeMap<&'static str, String>,
    pod_cidrs: Vec<String>,
    /// Annotations that say nothing usable, for the log.
    pub odd: Vec<String>,
}

impl CoreNode {
    /// Reads the object.
    pub fn read(object: &Value) -> CoreNode {
        let mut node = CoreNode {
            uid: text_of(&object["metadata"]["uid"]),
            labels: labels(object),
            pod_cidrs: texts(&object["spec"]["podCIDRs"]),
            ..CoreNode::default()
        };
        if node.pod_cidrs.is_empty() {
            node.pod_cidrs
                .extend(object["spec"]["podCIDR"].as_str().map(str::to_owned));
        }
        node.pod_cidrs.retain(|cidr| !cidr.is_empty());
        for address in object["status"]["addresses"].as_array().into_iter().flatten() {
            let internal = address["type"] == "InternalIP";
            let address = address["address"]
                .as_str()
                .and_then(|text| text.parse::<IpAddr>().ok());
            if let (true, Some(address)) = (internal, address) {
                let field = if address.is_ipv4() {
                    "ipv4Address"
                } else {
                    "ipv6Address"
                };
                node.bgp.entry(field).or_insert_with(|| address.to_string());
            }
        }
        for (field, ours, calico) in ANNOTATIONS {
            let annotations = &object["metadata"]["annotations"];
            for name in [calico, ours] {
                match annotations[name]
                    .as_str()
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                {
                    Some(text) if usable(field, text) => {
                        node.bgp.insert(field, text.to_owned());
                    }
                    Some(_) => node.odd.push(name.to_owned()),
                    None => {}
                }
            }
        }
        node
    }

    /// A short print of all that is in it.
    fn print(&self) -> String {
        let text = format!("{:?}", (&self.uid, &self.labels, &self.bgp, &self.pod_cidrs));
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(6).fold(String::new(), |mut print, byte| {
            let _ = write!(print, "{byte:02x}");
            print
        })
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether an annotation can be what the field wants. Kubelets write them: one that is odd is left out and named in
/// the log rather than making the resources of the whole cluster unreadable.
fn usable(field: &str, text: &str) -> bool {
    let address = || {
        let net = text.parse::<IpNet>().map(|net| net.addr());
        net.or_else(|_| text.parse::<IpAddr>()).ok()
    };
    match field {
        "ipv4Address" => address().is_some_and(|address| address.is_ipv4()),
        "ipv6Address" => address().is_some_and(|address| address.is_ipv6()),
        "asNumber" => text.parse::<config::Asn>().is_ok(),
        _ => true,
    }
}

/// The two halves of a node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Halves {
    /// That of Kubernetes.
    pub core: Option<CoreNode>,
    /// Ours: the custom resource.
    pub ours: Option<Value>,
}

impl Halves {
    /// The life that the node has: that of the Node of Kubernetes, which the kubelet makes anew with the machine;
    /// else that of ours.
    pub fn incarnation(&self) -> Option<Incarnation> {
        match (&self.core, &self.ours) {
            (Some(core), _) => Some(Incarnation::new(core.uid.as_str())),
            (None, Some(ours)) => Some(Incarnation::new(text_of(&ours["metadata"]["uid"]))),
            (None, None) => None,
        }
    }

    /// A mark of both: the print of the one, the `resourceVersion` of the other.
    pub fn version(&self) -> Version {
        let core = self.core.as_ref().map_or_else(|| "-".to_owned(), CoreNode::print);
        let ours = self
            .ours
            .as_ref()
            .map(|ours| text_of(&ours["metadata"]["resourceVersion"]));
        Version::new(format!("{core}/{}", ours.as_deref().unwrap_or("-")))
    }

    /// The document of both.
    pub fn document(&self, name: &str) -> Value {
        let mut labels_of_both = self
            .core
            .as_ref()
            .map(|core| core.labels.clone())
            .unwrap_or_default();
        let mut spec = self.core.as_ref().map_or_else(Map::new, spec_of);
        let mut metadata = Map::from_iter([("name".to_owned(), json!(name))]);
        if let Some(ours) = &self.ours {
            labels_of_both.extend(labels(ours));
            overlay(&mut spec, &ours["spec"]);
            let annotations = super::object::annotations(ours);
            if !annotations.is_empty() {
                metadata.insert("annotations".to_owned(), json!(annotations));
            }
        }
        if !labels_of_both.is_empty() {
            metadata.insert("labels".to_owned(), json!(labels_of_both));
        }
        json!({"apiVersion": "roadbed.dev/v1", "kind": "Node", "metadata": metadata, "spec": spec})
    }
}

/// The `resourceVersion` of our half in a version of [`Halves::version`]; `None` where there was none.
pub fn version_of_ours(version: &Version) -> Option<&str> {
    let ours = version.as_str().rsplit('/').next().unwrap_or_default();
    (ours != "-").then_some(ours)
}

fn spec_of(core: &CoreNode) -> Map<String, Value> {
    let mut spec = Map::new();
    if !core.bgp.is_empty() {
        spec.insert("bgp".to_owned(), json!(core.bgp));
    }
    if !core.pod_cidrs.is_empty() {
        spec.insert("podCIDRs".to_owned(), json!(core.pod_cidrs));
    }
    spec
}

/// Field by field, objects inside as well; lists are replaced.
fn overlay(below: &mut Map<String, Value>, above: &Value) {
    for (field, value) in above.as_object().into_iter().flatten() {
        match (below.get_mut(field), value) {
            (Some(Value::Object(below)), Value::Object(_)) => overlay(below, value),
            _ => {
                below.insert(field.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
