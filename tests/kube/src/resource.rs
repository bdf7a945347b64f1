//! The types of objects that are served: the builtin ones, and what definitions of custom resources bring.

use serde_json::Value;

/// A type of objects that is served.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// API group; empty for core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Plural, as in paths.
    pub plural: String,
    /// Kind.
    pub kind: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether status is written apart.
    pub status: bool,
    /// Structural schema, if its objects are pruned and checked.
    pub schema: Option<Value>,
}

impl Resource {
    /// A type of the whole cluster without schema, with a status subresource.
    pub fn new(group: &str, version: &str, plural: &str, kind: &str) -> Self {
        let [group, version, plural, kind] = [group, version, plural, kind].map(str::to_owned);
        Resource {
            group,
            version,
            plural,
            kind,
            namespaced: false,
            status: true,
            schema: None,
        }
    }

    /// What a `CustomResourceDefinition` defines: its first version.
    pub fn of_definition(definition: &Value) -> Option<Self> {
        let (spec, version) = (&definition["spec"], &definition["spec"]["versions"][0]);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Resource {
            group: text(&spec["group"])?,
            version: text(&version["name"])?,
            plural: text(&spec["names"]["plural"])?,
            kind: text(&spec["names"]["kind"])?,
            namespaced: spec["scope"] == "Namespaced",
            status: version["subresources"]["status"].is_object(),
            schema: Some(version["schema"]["openAPIV3Schema"].clone()),
        })
    }

    /// `v1`, `roadbed.dev/v1`.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether it came with a definition: such types have no strategic merge patch.
    pub(crate) fn is_custom(&self) -> bool {
        self.group.contains('.') && !self.group.ends_with(".k8s.io")
    }

    /// The builtin types that are served from the start.
    pub(crate) fn builtin() -> Vec<Resource> {
        let namespaced = |group: &str, plural: &str, kind: &str, status: bool| Resource {
            namespaced: true,
            status,
            ..Resource::new(group, "v1", plural, kind)
        };
        vec![
            Resource::new("", "v1", "nodes", "Node"),
            Resource::new("", "v1", "namespaces", "Namespace"),
            namespaced("", "pods", "Pod", true),
            namespaced("", "secrets", "Secret", false),
            namespaced("", "services", "Service", true),
            namespaced("", "events", "Event", false),
            namespaced("", "configmaps", "ConfigMap", false),
            namespaced("discovery.k8s.io", "endpointslices", "EndpointSlice", false),
            namespaced("events.k8s.io", "events", "Event", false),
            namespaced("coordination.k8s.io", "leases", "Lease", false),
        ]
    }
}
