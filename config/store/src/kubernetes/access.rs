//! The rights of Kubernetes that our programs need, and no others: what `deploy/rbac` and `deploy/base/rbac.yaml` are
//! made from.
//!
//! Three roles. [`agent`] is what an agent needs of the datastore: it reads the operator's resources and Kubernetes'
//! Nodes, and writes records. [`node`] is what it needs beside that, with whatever datastore: it follows Services and its
//! pods, and says on its Node how it is. Whoever runs `roadbed apply` or `delete` writes resources as themselves, with
//! [`operator`]; agents cannot.
//!
//! RBAC has no "of one's own node": who may patch a Node may patch each. Of the Node only its taints, labels and
//! annotations (`patch nodes`) and its status can be reached, and no right to create or delete one is given.

use config::fields::ResourceKind;
use serde_json::{Value, json};

use super::kinds::{GROUP, Kind, LEASE_NAMESPACE};

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "update", "delete"];

/// Leases are not watched, and end by themselves.
const LISTED: &[&str] = &["get", "list"];
const HELD: &[&str] = &["create", "update"];

/// Events about Nodes, which live in no namespace, are kept in this one.
const EVENT_NAMESPACE: &str = "default";
const REPORTS: &str = "bgpnodestatuses";

/// Some verbs on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The API group; empty for core.
    pub group: &'static str,
    /// The plural, with `/status` for the subresource.
    pub resource: String,
    /// What may be done.
    pub verbs: Vec<&'static str>,
    /// The namespace, if it is one only.
    pub namespace: Option<&'static str>,
    /// The names, if it is not all.
    pub names: &'static [&'static str],
}

fn rule(kind: Kind, verbs: &[&[&'static str]]) -> Rule {
    let namespace = (kind == Kind::Lease).then_some(LEASE_NAMESPACE);
    Rule {
        group: kind.group(),
        resource: kind.plural(),
        verbs: verbs.concat(),
        namespace,
        names: &[],
    }
}

fn status(kind: Kind) -> Rule {
    Rule {
        resource: format!("{}/status", kind.plural()),
        ..rule(kind, &[&["patch"]])
    }
}

/// What an agent needs of Kubernetes as its datastore.
pub fn agent() -> Vec<Rule> {
    let mut rules = vec![rule(Kind::CoreNode, &[READ])];
    rules.extend(ResourceKind::ALL.map(|kind| rule(Kind::Resource(kind), &[READ])));
    rules.push(status(Kind::Resource(ResourceKind::Node)));
    rules.extend(Kind::RECORDS.map(|kind| rule(kind, &[READ, WRITE])));
    rules.push(rule(Kind::Lease, &[LISTED, HELD]));
    rules
}

/// What an agent needs of the Kubernetes that its node belongs to: Services, its pods and their namespaces; its own
/// Node with its taint and condition; Events about it; the status of BGP.
pub fn node() -> Vec<Rule> {
    let of = |group, resource: &str, verbs: &[&'static str]| Rule {
        group,
        resource: resource.to_owned(),
        verbs: verbs.to_vec(),
        namespace: None,
        names: &[],
    };
    vec![
        of("", "services", &["list", "watch"]),
        of("discovery.k8s.io", "endpointslices", &["list", "watch"]),
        of("", "pods", READ),
        of("", "namespaces", READ),
        of("", "nodes", READ),
        of("", "nodes", &["patch"]),
        of("", "nodes/status", &["patch"]),
        of(GROUP, REPORTS, &["get", "create", "patch"]),
        of(GROUP, &format!("{REPORTS}/status"), &["patch"]),
        Rule {
            namespace: Some(EVENT_NAMESPACE),
            ..of("events.k8s.io", "events", &["create", "patch"])
        },
        // Passwords of sessions: of the other secrets of the namespace an agent sees nothing.
        Rule {
            namespace: Some(LEASE_NAMESPACE),
            names: &["roadbed-bgp-passwords"],
            ..of("", "secrets", &["list", "watch"])
        },
    ]
}

/// What an operator needs beyond what an agent has, to write resources.
pub fn operator() -> Vec<Rule> {
    let mut rules = vec![rule(Kind::CoreNode, &[READ])];
    rules.extend(ResourceKind::ALL.map(|kind| rule(Kind::Resource(kind), &[READ, WRITE])));
    rules.extend(Kind::RECORDS.map(|kind| rule(kind, &[READ])));
    rules.push(rule(Kind::Lease, &[LISTED]));
    rules
}

const API: &str = "rbac.authorization.k8s.io";

/// The service account of the agents, with what they need whatever the datastore is.
pub fn node_manifest() -> Vec<Value> {
    let metadata = json!({"name": "roadbed", "namespace": LEASE_NAMESPACE});
    let mut objects = vec![json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})];
    objects.extend(role("roadbed-node", &node(), true));
    objects
}

/// What the agents need beside that where Kubernetes is the datastore.
pub fn datastore_manifest() -> Vec<Value> {
    role("roadbed-datastore", &agent(), true)
}

/// A role for operators. Who gets it, is theirs to say.
pub fn operator_manifest() -> Vec<Value> {
    let reports = Rule {
        group: GROUP,
        resource: REPORTS.to_owned(),
        verbs: READ.to_vec(),
        namespace: None,
        names: &[],
    };
    role("roadbed-operator", &[operator(), vec![reports]].concat(), false)
}

/// The objects of RBAC for some rules: what is needed in one namespace only is granted there only.
fn role(name: &str, needed: &[Rule], bound: bool) -> Vec<Value> {
    let account = json!({"kind": "ServiceAccount", "name": "roadbed", "namespace": LEASE_NAMESPACE});
    let mut objects = Vec::new();
    for namespace in [None, Some(LEASE_NAMESPACE), Some(EVENT_NAMESPACE)] {
        let kind = namespace.map_or("ClusterRole", |_| "Role");
        let rules = rules(needed, namespace);
        if rules.is_empty() {
            continue;
        }
        let mut metadata = json!({"name": name});
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        let version = format!("{API}/v1");
        objects.push(json!({"apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules}));
        if bound {
            objects.push(json!({
                "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": metadata,
                "roleRef": {"apiGroup": API, "kind": kind, "name": name}, "subjects": [account],
            }));
        }
    }
    objects
}

/// Rules as RBAC writes them: what has the same group, verbs and names is one.
fn rules(all: &[Rule], namespace: Option<&str>) -> Vec<Value> {
    let mut joined: Vec<(&Rule, Vec<&str>)> = Vec::new();
    for rule in all.iter().filter(|rule| rule.namespace == namespace) {
        let alike =
            |known: &Rule| (known.group, &known.verbs, known.names) == (rule.group, &rule.verbs, rule.names);
        match joined.iter_mut().find(|(known, _)| alike(known)) {
            Some((_, resources)) => resources.push(&rule.resource),
            None => joined.push((rule, vec![&rule.resource])),
        }
    }
    let rules = joined.into_iter().map(|(rule, resources)| {
        let mut written = json!({"apiGroups": [rule.group], "resources": resources, "verbs": rule.verbs});
        if !rule.names.is_empty() {
            written["resourceNames"] = json!(rule.names);
        }
        written
    });
    rules.collect()
}
