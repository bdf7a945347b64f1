//! The rights that this store needs, and no others: what `deploy/rbac.yaml` is made from.
//!
//! An agent reads the operator's resources and Kubernetes' Nodes, and writes records. Whoever runs `roadbed apply` or
//! `delete` writes resources as themselves, with [`operator`]; agents cannot.

use config::fields::ResourceKind;
use serde_json::{Value, json};

use super::kinds::{Kind, LEASE_NAMESPACE};

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "update", "delete"];

/// Leases are not watched, and end by themselves.
const LISTED: &[&str] = &["get", "list"];
const HELD: &[&str] = &["create", "update"];

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
}

fn rule(kind: Kind, verbs: &[&[&'static str]]) -> Rule {
    let namespace = (kind == Kind::Lease).then_some(LEASE_NAMESPACE);
    Rule {
        group: kind.group(),
        resource: kind.plural(),
        verbs: verbs.concat(),
        namespace,
    }
}

fn status(kind: Kind) -> Rule {
    Rule {
        resource: format!("{}/status", kind.plural()),
        ..rule(kind, &[&["patch"]])
    }
}

/// What an agent needs.
pub fn agent() -> Vec<Rule> {
    let mut rules = vec![rule(Kind::CoreNode, &[READ])];
    rules.extend(ResourceKind::ALL.map(|kind| rule(Kind::Resource(kind), &[READ])));
    rules.push(status(Kind::Resource(ResourceKind::Node)));
    rules.extend(Kind::RECORDS.map(|kind| rule(kind, &[READ, WRITE])));
    rules.push(rule(Kind::Lease, &[LISTED, HELD]));
    rules
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

/// The objects of RBAC: a service account for the agents with its roles and bindings, and roles for operators. What
/// is needed in one namespace only is granted there only.
pub fn manifest() -> Vec<Value> {
    let account = json!({"kind": "ServiceAccount", "name": "roadbed", "namespace": LEASE_NAMESPACE});
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "roadbed", "namespace": LEASE_NAMESPACE},
    })];
    for (name, needed) in [("roadbed-agent", agent()), ("roadbed-operator", operator())] {
        for (kind, namespace) in [("ClusterRole", None), ("Role", Some(LEASE_NAMESPACE))] {
            let mut metadata = json!({"name": name});
            if let Some(namespace) = namespace {
                metadata["namespace"] = json!(namespace);
            }
            let object =
                |kind: String| json!({"apiVersion": format!("{API}/v1"), "kind": kind, "metadata": metadata});
            let mut role = object(kind.to_owned());
            role["rules"] = rules(&needed, namespace);
            objects.push(role);
            if name == "roadbed-agent" {
                let mut binding = object(format!("{kind}Binding"));
                binding["roleRef"] = json!({"apiGroup": API, "kind": kind, "name": name});
                binding["subjects"] = json!([account]);
                objects.push(binding);
            }
        }
    }
    objects
}

/// Rules as RBAC writes them: what has the same group and verbs is one.
fn rules(all: &[Rule], namespace: Option<&str>) -> Value {
    let mut joined: Vec<(&str, &[&str], Vec<&str>)> = Vec::new();
    for rule in all.iter().filter(|rule| rule.namespace == namespace) {
        match joined
            .iter_mut()
            .find(|(group, verbs, _)| (*group, *verbs) == (rule.group, rule.verbs.as_slice()))
        {
            Some((_, _, resources)) => resources.push(&rule.resource),
            None => joined.push((rule.group, &rule.verbs, vec![&rule.resource])),
        }
    }
    let rules = joined.into_iter().map(
        |(group, verbs, resources)| json!({"apiGroups": [group], "resources": resources, "verbs": verbs}),
    );
    rules.collect()
}
