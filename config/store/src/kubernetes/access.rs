//! The rights that this store needs, and no others: what `deploy/rbac.yaml` is made from.
//!
//! An agent reads the operator's resources and Kubernetes' Nodes, and writes records. Whoever runs `roadbed apply` or
//! `delete` writes resources as themselves, with [`operator`]; agents cannot.

use config::fields::ResourceKind;
use serde_json::{Value, json};

use super::kinds::{Kind, LEASE_NAMESPACE};

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "update", "delete"];

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
    rules
}

/// What an operator needs beyond what an agent has, to write resources.
pub fn operator() -> Vec<Rule> {
    let mut rules = vec![rule(Kind::CoreNode, &[READ])];
    rules.extend(ResourceKind::ALL.map(|kind| rule(Kind::Resource(kind), &[READ, WRITE])));
    rules.extend(Kind::RECORDS.map(|kind| rule(kind, &[READ])));
    rules
}

/// The objects of RBAC: a service account for the agents, its role and binding, and a role for operators.
pub fn manifest() -> Vec<Value> {
    let account = json!({"kind": "ServiceAccount", "name": "roadbed", "namespace": LEASE_NAMESPACE});
    let named = |api: &str, kind: &str, name: &str| json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}});
    let rbac = "rbac.authorization.k8s.io/v1";
    let mut service_account = named("v1", "ServiceAccount", "roadbed");
    service_account["metadata"]["namespace"] = json!(LEASE_NAMESPACE);
    let mut agents = named(rbac, "ClusterRole", "roadbed-agent");
    agents["rules"] = rules(&agent(), None);
    let mut binding = named(rbac, "ClusterRoleBinding", "roadbed-agent");
    binding["roleRef"] =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "roadbed-agent"});
    binding["subjects"] = json!([account]);
    let mut operators = named(rbac, "ClusterRole", "roadbed-operator");
    operators["rules"] = rules(&operator(), None);
    vec![service_account, agents, binding, operators]
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
