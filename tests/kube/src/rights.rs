//! Who may do what: bearer tokens with lists of rights, as RBAC has them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::path::Target;
use crate::status::Refusal;

/// One right: a verb on a resource (`ippools.roadbed.dev`, `nodes`, `nodes.roadbed.dev/status`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// Plural and group, with `/status` for the subresource.
    pub resource: String,
    /// The namespace that it is bound to; none: everywhere.
    pub namespace: Option<String>,
}

impl Right {
    /// A right for the whole cluster.
    pub fn new(verb: &str, resource: &str) -> Self {
        let (verb, resource) = (verb.to_owned(), resource.to_owned());
        Right {
            verb,
            resource,
            namespace: None,
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What one rule of a role grants.
fn of_rule(rule: &Value, namespace: Option<&String>) -> Vec<Right> {
    let all = |field: &str| -> Vec<String> {
        let items = rule[field].as_array().into_iter().flatten();
        items.map(|item| text(item).to_owned()).collect()
    };
    let mut rights = Vec::new();
    for group in all("apiGroups") {
        for plural in all("resources") {
            let (plural, sub) = plural
                .split_once('/')
                .map_or((plural.as_str(), String::new()), |(plural, sub)| {
                    (plural, format!("/{sub}"))
                });
            let dot = if group.is_empty() { "" } else { "." };
            let resource = format!("{plural}{dot}{group}{sub}");
            rights.extend(all("verbs").iter().map(|verb| Right {
                namespace: namespace.cloned(),
                ..Right::new(verb, &resource)
            }));
        }
    }
    rights
}

/// The tokens and their rights. Without any token everybody may do everything.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// By token: the name of its user, and what it may do.
    pub tokens: BTreeMap<String, (String, BTreeSet<Right>)>,
}

impl Rights {
    /// What the objects of RBAC among these grant to a service account (namespace and name), for a token of it.
    ///
    /// # Panics
    /// Where a binding names a role that is not among them.
    pub fn granted(objects: &[Value], (namespace, account): (&str, &str), token: &str) -> Rights {
        let mut rights = BTreeSet::new();
        for binding in objects {
            let kind = text(&binding["kind"]);
            let ours = |subject: &Value| subject["name"] == account && subject["namespace"] == namespace;
            let subjects = binding["subjects"].as_array().into_iter().flatten();
            if !kind.ends_with("Binding") || !subjects.into_iter().any(ours) {
                continue;
            }
            // Of a cluster's role a binding in a namespace grants what is in there.
            let within = binding["metadata"]["namespace"].as_str().map(str::to_owned);
            let wanted = &binding["roleRef"];
            let named = |role: &&Value| {
                role["kind"] == wanted["kind"]
                    && role["metadata"]["name"] == wanted["name"]
                    && (wanted["kind"] == "ClusterRole"
                        || role["metadata"]["namespace"] == within.as_deref().unwrap_or_default())
            };
            let role = objects
                .iter()
                .find(named)
                .unwrap_or_else(|| panic!("there is no role {wanted}"));
            for rule in role["rules"].as_array().into_iter().flatten() {
                rights.extend(of_rule(rule, within.as_ref()));
            }
        }
        let user = format!("system:serviceaccount:{namespace}:{account}");
        Rights {
            tokens: [(token.to_owned(), (user, rights))].into(),
        }
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, other: Rights) -> Rights {
        self.tokens.extend(other.tokens);
        self
    }

    /// Whether this request may go on.
    pub(crate) fn check(&self, bearer: Option<&str>, verb: &str, target: &Target) -> Result<(), Refusal> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        let Some((user, rights)) = bearer.and_then(|token| self.tokens.get(token)) else {
            return Err(Refusal::new(401, "Unauthorized", "Unauthorized"));
        };
        let status = if target.status { "/status" } else { "" };
        let resource = format!("{}{status}", target.resource());
        let fits = |right: &Right| {
            right.verb == verb
                && right.resource == resource
                && (right.namespace.is_none() || right.namespace == target.namespace)
        };
        if rights.iter().any(fits) {
            return Ok(());
        }
        let name = target
            .name
            .as_ref()
            .map_or(String::new(), |name| format!(" \"{name}\""));
        let message = format!(
            "{resource}{name} is forbidden: User \"{user}\" cannot {verb} resource \"{}\" in API group \"{}\"",
            target.plural, target.group
        );
        Err(Refusal::new(403, "Forbidden", message).about(target))
    }
}
