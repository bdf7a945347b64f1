//! Who may do what: bearer tokens with lists of rights, as RBAC has them.

use std::collections::{BTreeMap, BTreeSet};

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

/// The tokens and their rights. Without any token everybody may do everything.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// By token: the name of its user, and what it may do.
    pub tokens: BTreeMap<String, (String, BTreeSet<Right>)>,
}

impl Rights {
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
