//! The rights that this crate needs, and no others: what a ClusterRole is made from.
//!
//! RBAC cannot say "its own Node only": who may patch one Node may patch each. Where that matters, a
//! ValidatingAdmissionPolicy can compare the name of the Node with
//! `request.userInfo.extra["authentication.kubernetes.io/node-name"]` of the agent's token.

use crate::secrets::DEFAULT_SECRET;

/// Some verbs on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The API group; empty for core.
    pub group: &'static str,
    /// The plural, with `/status` for the subresource.
    pub resource: &'static str,
    /// What may be done.
    pub verbs: &'static [&'static str],
    /// The namespace, if it is one only.
    pub namespace: Option<&'static str>,
    /// The names, if it is not all.
    pub names: &'static [&'static str],
    /// What for.
    pub why: &'static str,
}

/// The namespace of Events about Nodes, which have none themselves.
pub const EVENT_NAMESPACE: &str = "default";

/// The namespace that the manifests put the agent into.
const AGENT_NAMESPACE: &str = "kube-system";

/// Everything that [`start`](crate::start) needs. Without a right the rest works, and
/// [`Handle::problems`](crate::Handle::problems) names what is missing.
pub const fn access() -> &'static [Access] {
    const fn of(
        group: &'static str,
        resource: &'static str,
        verbs: &'static [&'static str],
        why: &'static str,
    ) -> Access {
        Access {
            group,
            resource,
            verbs,
            namespace: None,
            names: &[],
            why,
        }
    }
    const EVENTS: Access = Access {
        namespace: Some(EVENT_NAMESPACE),
        ..of(
            "events.k8s.io",
            "events",
            &["create", "patch"],
            "Events on the Node",
        )
    };
    const {
        &[
            of("", "services", &["list", "watch"], "addresses of Services"),
            of(
                "discovery.k8s.io",
                "endpointslices",
                &["list", "watch"],
                "which nodes serve them",
            ),
            of(
                "",
                "pods",
                &["get", "list", "watch"],
                "annotations of the node's pods",
            ),
            of(
                "",
                "namespaces",
                &["get", "list", "watch"],
                "annotations and labels of their namespaces",
            ),
            of(
                "",
                "nodes",
                &["get", "list", "watch"],
                "labels, taints and conditions of the own Node",
            ),
            of(
                "",
                "nodes",
                &["patch"],
                "the taint node.kubernetes.io/network-unavailable of the own Node",
            ),
            of(
                "",
                "nodes/status",
                &["patch"],
                "the condition NetworkUnavailable of the own Node",
            ),
            of(
                "roadbed.dev",
                "bgpnodestatuses",
                &["get", "create", "patch"],
                "the node's BGP status",
            ),
            of(
                "roadbed.dev",
                "bgpnodestatuses/status",
                &["patch"],
                "the node's BGP status",
            ),
            EVENTS,
            Access {
                namespace: Some(AGENT_NAMESPACE),
                names: &[DEFAULT_SECRET],
                ..of("", "secrets", &["list", "watch"], "passwords of BGP sessions")
            },
        ]
    }
}
