//! Objects of the API and the texts of the datastore, one into the other. Pure.
//!
//! A resource is a document with `apiVersion`, `kind`, `metadata` (name, labels, annotations) and `spec`: what a
//! server adds is left out, so that reading it again gives no warning. A record is the JSON under `spec`.

use std::collections::BTreeMap;

use config::fields::ResourceKind;
use config::problem::Problems;
use config::yaml::{self, Kind as Yaml};
use datastore::{Incarnation, Item, Key, Version};
use serde_json::{Map, Number, Value, json};

use super::kinds::Kind;

/// Annotations of kubectl's are not shown, and kept where an object is replaced.
const KUBECTL: &str = "kubectl.kubernetes.io/";

/// A text, empty where there is none.
pub fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The labels of an object.
pub fn labels(object: &Value) -> BTreeMap<String, String> {
    map_of(&object["metadata"]["labels"])
}

/// The annotations of an object, without kubectl's.
pub fn annotations(object: &Value) -> BTreeMap<String, String> {
    let mut annotations = map_of(&object["metadata"]["annotations"]);
    annotations.retain(|name, _| !name.starts_with(KUBECTL));
    annotations
}

fn map_of(value: &Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| (name.clone(), text_of(value)))
        .collect()
}

/// The item of an object that is one by itself: everything but Nodes and leases.
pub fn item(kind: Kind, key: Key, object: &Value) -> Item {
    let value = match kind {
        Kind::Resource(_) => document(kind, object).to_string(),
        _ => object["spec"].to_string(),
    };
    Item {
        key,
        value: value.into(),
        version: Version::new(text_of(&object["metadata"]["resourceVersion"])),
        incarnation: Incarnation::new(text_of(&object["metadata"]["uid"])),
    }
}

fn document(kind: Kind, object: &Value) -> Value {
    let mut metadata = Map::from_iter([("name".to_owned(), object["metadata"]["name"].clone())]);
    for (field, found) in [("labels", labels(object)), ("annotations", annotations(object))] {
        if !found.is_empty() {
            metadata.insert(field.to_owned(), json!(found));
        }
    }
    let spec = object.get("spec").cloned().unwrap_or_else(|| json!({}));
    json!({"apiVersion": kind.api_version(), "kind": kind.name(), "metadata": metadata, "spec": spec})
}

/// The object to write for a text.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn object(key: &Key, text: &str) -> Result<Value, String> {
    let kind = Kind::of(key);
    let (metadata, spec) = match key {
        Key::Resource(..) => resource(kind, key, text)?,
        _ => {
            let spec: Value = serde_json::from_str(text)
                .map_err(|error| format!("the value of {key} is not JSON: {error}"))?;
            if !spec.is_object() {
                return Err(format!("the value of {key} is not a JSON object"));
            }
            (json!({"name": key.name()}), spec)
        }
    };
    Ok(json!({"apiVersion": kind.api_version(), "kind": kind.name(), "metadata": metadata, "spec": spec}))
}

fn resource(kind: Kind, key: &Key, text: &str) -> Result<(Value, Value), String> {
    let mut problems = Problems::new("");
    let mut documents = yaml::documents(text, &mut problems).into_iter();
    let document = match (documents.next(), documents.next(), problems.errors()) {
        (Some(document), None, 0) => json_of(document),
        _ => return Err(format!("the value of {key} is not one document of YAML or JSON")),
    };
    let of = document["kind"].as_str().and_then(ResourceKind::from_name);
    if of.map(Kind::Resource) != Some(kind) {
        return Err(format!("the document of {key} is not of kind {}", kind.name()));
    }
    if document["metadata"]["name"] != key.name() {
        return Err(format!("the document of {key} has another name"));
    }
    let mut metadata = Map::from_iter([("name".to_owned(), json!(key.name()))]);
    for field in ["labels", "annotations"] {
        if let Some(found) = document["metadata"].get(field).filter(|found| found.is_object()) {
            metadata.insert(field.to_owned(), strings(found));
        }
    }
    let spec = document.get("spec").filter(|spec| !spec.is_null()).cloned();
    Ok((Value::Object(metadata), spec.unwrap_or_else(|| json!({}))))
}

/// Labels and annotations are texts, whatever they look like.
fn strings(map: &Value) -> Value {
    let fields = map.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields
        .map(|(name, value)| (name.clone(), json!(text(value))))
        .collect::<Map<_, _>>()
        .into()
}

/// YAML as JSON. Numbers with a point stay text: `1.10` is an AS number, and 1.1 another one.
fn json_of(value: yaml::Value) -> Value {
    match value.kind {
        Yaml::Null => Value::Null,
        Yaml::Scalar { text, plain: false } => json!(text),
        Yaml::Scalar { text, plain: true } => plain(text),
        Yaml::List(items) => items.into_iter().map(json_of).collect(),
        Yaml::Map(entries) => {
            // A field without a value says the same as no field; the schema knows only the latter.
            let fields = entries.into_iter().filter(|entry| entry.value.kind != Yaml::Null);
            Value::Object(fields.map(|entry| (entry.key, json_of(entry.value))).collect())
        }
    }
}

fn plain(text: String) -> Value {
    match text.as_str() {
        "true" | "True" | "TRUE" => return json!(true),
        "false" | "False" | "FALSE" => return json!(false),
        _ => {}
    }
    let canonical = |number: i64| number.to_string() == text;
    match text.parse::<i64>() {
        Ok(number) if canonical(number) => Value::Number(Number::from(number)),
        _ => json!(text),
    }
}

/// An object that replaces another one: labels, annotations and spec are the new ones, all else that the server
/// knows (finalizers, owners, kubectl's annotations) stays.
pub fn replaced(old: &Value, new: Value) -> Value {
    let mut object = new;
    let mut metadata = old["metadata"].as_object().cloned().unwrap_or_default();
    let mut kept = map_of(&old["metadata"]["annotations"]);
    kept.retain(|name, _| name.starts_with(KUBECTL));
    kept.extend(map_of(&object["metadata"]["annotations"]));
    for (field, found) in [("labels", labels(&object)), ("annotations", kept)] {
        if found.is_empty() {
            metadata.remove(field);
        } else {
            metadata.insert(field.to_owned(), json!(found));
        }
    }
    metadata.remove("managedFields");
    object["metadata"] = Value::Object(metadata);
    object
}

#[cfg(test)]
mod tests;
