//! Sets of fields of objects: what managers own, and what differs between two objects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::shape::{List, Shape, key_of};

/// One step from an object into it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// `f:name`.
    Field(String),
    /// `k:{"type":"Ready"}`.
    Key(String),
    /// `v:"a"`.
    Item(String),
}

pub type Path = Vec<Step>;

/// Fields by their paths. The path of an item of a list stands for the item's being there.
pub type FieldSet = BTreeSet<Path>;

/// What nobody owns.
const NOBODYS: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "generateName",
];

/// Every field of an object with its value.
pub fn leaves(object: &Value, shape: &Shape<'_>) -> BTreeMap<Path, Value> {
    let mut into = BTreeMap::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let path = vec![Step::Field(name.clone())];
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                let mut value = value.clone();
                if let Some(metadata) = value.as_object_mut() {
                    metadata.retain(|name, _| !NOBODYS.contains(&name.as_str()));
                }
                if value != json!({}) {
                    walk(&value, &shape.field(name), path, &mut into);
                }
            }
            _ => walk(value, &shape.field(name), path, &mut into),
        }
    }
    into
}

fn walk(value: &Value, shape: &Shape<'_>, path: Path, into: &mut BTreeMap<Path, Value>) {
    let then = |step: Step| path.iter().cloned().chain([step]).collect::<Path>();
    match (value, shape.list()) {
        (Value::Object(fields), _) if !fields.is_empty() && !shape.atomic_map() => {
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                walk(value, &shape.field(name), then(Step::Field(name.clone())), into);
            }
        }
        (Value::Array(items), List::Map(keys)) => {
            for item in items {
                let Some(key) = key_of(item, &keys) else { continue };
                let path = then(Step::Key(key));
                into.insert(path.clone(), Value::Null);
                walk(item, &shape.items(), path, into);
            }
        }
        (Value::Array(items), List::Set) => {
            into.extend(
                items
                    .iter()
                    .map(|item| (then(Step::Item(item.to_string())), Value::Null)),
            );
        }
        _ => {
            into.insert(path, value.clone());
        }
    }
}

/// How one object became another.
#[derive(Debug, Default, PartialEq)]
pub struct Difference {
    /// New, and other than before.
    pub changed: FieldSet,
    /// Not there any more.
    pub removed: FieldSet,
}

pub fn difference(old: &BTreeMap<Path, Value>, new: &BTreeMap<Path, Value>) -> Difference {
    let changed = new.iter().filter(|(path, value)| old.get(*path) != Some(value));
    let removed = old.keys().filter(|path| !new.contains_key(*path));
    Difference {
        changed: changed.map(|(path, _)| path.clone()).collect(),
        removed: removed.cloned().collect(),
    }
}

/// As `managedFields` writes a set (`FieldsV1`).
pub fn written(set: &FieldSet) -> Value {
    let mut root = Value::Object(Map::new());
    for path in set {
        let mut at = &mut root;
        for step in path {
            let name = match step {
                Step::Field(name) => format!("f:{name}"),
                Step::Key(key) => format!("k:{key}"),
                Step::Item(item) => format!("v:{item}"),
            };
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            at = &mut at[name.as_str()];
        }
        if at.is_null() {
            *at = match path.last() {
                Some(Step::Key(_)) => json!({".": {}}),
                _ => json!({}),
            };
        }
    }
    root
}

/// A path in words, as conflicts name it: `.status.conditions[type="Ready"].status`.
pub fn named(path: &Path) -> String {
    let step = |step: &Step| match step {
        Step::Field(name) => format!(".{name}"),
        Step::Item(item) => format!("[={item}]"),
        Step::Key(key) => {
            let keys: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
            let pairs: Vec<String> = keys
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("[{}]", pairs.join(","))
        }
    };
    path.iter().map(step).collect()
}
