//! How lists and maps of a type are merged: by the schema of a custom resource, by a table for the builtin types.

use serde_json::Value;

use crate::resource::Resource;

/// What a list is to server-side apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    /// One value.
    Atomic,
    /// Items told apart by these fields.
    Map(Vec<String>),
    /// Scalars, each once.
    Set,
}

/// The lists of builtin types that are not atomic: kind (empty: every kind), path, keys (none: a set). The same lists have
/// a merge key in strategic merge patches, which is the first of the keys.
const LISTS: &[(&str, &str, &[&str])] = &[
    ("", "metadata.ownerReferences", &["uid"]),
    ("", "metadata.finalizers", &[]),
    ("Node", "status.conditions", &["type"]),
    ("Node", "status.addresses", &["type"]),
    ("Node", "spec.podCIDRs", &[]),
    ("Pod", "status.conditions", &["type"]),
    ("Pod", "status.podIPs", &["ip"]),
    ("Pod", "status.hostIPs", &["ip"]),
    ("Pod", "spec.containers", &["name"]),
    ("Pod", "spec.volumes", &["name"]),
    ("Namespace", "status.conditions", &["type"]),
    ("Service", "status.conditions", &["type"]),
    ("Service", "spec.ports", &["port", "protocol"]),
];

/// A place in an object of a type.
#[derive(Debug, Clone)]
pub struct Shape<'a> {
    kind: &'a str,
    path: String,
    /// The schema of this place; none for builtin types and for what a schema does not say.
    schema: Option<&'a Value>,
}

impl<'a> Shape<'a> {
    pub fn of(resource: &'a Resource) -> Self {
        Shape {
            kind: &resource.kind,
            path: String::new(),
            schema: resource.schema.as_ref(),
        }
    }

    pub fn field(&self, name: &str) -> Shape<'a> {
        let known = |schema: &'a Value| {
            let properties = schema.get("properties").and_then(|all| all.get(name));
            properties.or_else(|| schema.get("additionalProperties"))
        };
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let schema = self.schema.and_then(known);
        Shape {
            path,
            schema,
            ..self.clone()
        }
    }

    pub fn items(&self) -> Shape<'a> {
        let schema = self.schema.and_then(|schema| schema.get("items"));
        Shape {
            path: format!("{}[]", self.path),
            schema,
            ..self.clone()
        }
    }

    pub fn list(&self) -> List {
        let strings = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        if let Some(schema) = self.schema.filter(|_| !self.path.starts_with("metadata")) {
            return match schema["x-kubernetes-list-type"].as_str() {
                Some("map") => List::Map(strings(&schema["x-kubernetes-list-map-keys"])),
                Some("set") => List::Set,
                _ => List::Atomic,
            };
        }
        let of = |kind: &str| kind.is_empty() || kind == self.kind;
        match LISTS
            .iter()
            .find(|(kind, path, _)| of(kind) && *path == self.path)
        {
            Some((_, _, [])) => List::Set,
            Some((_, _, keys)) => List::Map(keys.iter().map(|&key| key.to_owned()).collect()),
            None => List::Atomic,
        }
    }

    /// Whether a map is one value.
    pub fn atomic_map(&self) -> bool {
        self.schema
            .is_some_and(|schema| schema["x-kubernetes-map-type"] == "atomic")
            || (self.schema.is_none() && self.path == "spec.selector" && self.kind == "Service")
    }
}

/// The values of the keys of an item, as one text; none where one is missing.
pub fn key_of(item: &Value, keys: &[String]) -> Option<String> {
    let mut found = serde_json::Map::new();
    for key in keys {
        // The one default among the keys: the protocol of a Service's port.
        let default = (key == "protocol").then(|| Value::from("TCP"));
        found.insert(key.clone(), item.get(key).cloned().or(default)?);
    }
    Some(Value::Object(found).to_string())
}
