//! What of a request's body gets in: the fields that a client may write, at the version that it has seen, pruned and
//! checked by the type's schema.

use serde_json::{Map, Value, json};

use crate::path::Target;
use crate::resource::Resource;
use crate::schema;
use crate::status::Refusal;

/// The fields of metadata that a client may write.
pub const WRITABLE: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
];

/// A body as far as it is the client's to write, pruned and checked.
pub fn admitted(target: &Target, resource: &Resource, mut body: Value) -> Result<Value, Refusal> {
    if body["kind"] != resource.kind.as_str() || body["apiVersion"] != resource.api_version().as_str() {
        let (kind, version) = (&resource.kind, resource.api_version());
        return Err(Refusal::bad_request(format!(
            "the object is not a {kind} of {version}"
        )));
    }
    let mut metadata = body["metadata"].as_object().cloned().unwrap_or_default();
    metadata.retain(|field, _| WRITABLE.contains(&field.as_str()));
    metadata.insert("name".to_owned(), json!(target.name));
    if let Some(namespace) = &target.namespace {
        let given = metadata.insert("namespace".to_owned(), json!(namespace));
        if given.is_some_and(|given| given != namespace.as_str() && !is_empty(&given)) {
            let message =
                "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(message));
        }
    }
    body["metadata"] = Value::Object(metadata.clone());
    if let Some(schema) = &resource.schema {
        schema::drop_nulls(&mut body, schema);
        schema::check(&body, schema, "").map_err(|what| {
            let name = target.name.clone().unwrap_or_default();
            let what = what.trim_start_matches('.');
            let message = format!("{} \"{name}\" is invalid: {what}", resource.kind);
            Refusal::invalid(target, &message)
        })?;
        schema::prune(&mut body, schema);
        body["apiVersion"] = json!(resource.api_version());
        body["kind"] = json!(resource.kind);
        body["metadata"] = Value::Object(metadata);
    }
    Ok(body)
}

/// Whether a write is made over what is there, if it says over what.
pub fn same_version(target: &Target, old: &Value, new: &Value) -> Result<(), Refusal> {
    let wanted = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if wanted.is_empty() || old["metadata"]["resourceVersion"] == wanted {
        return Ok(());
    }
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    Err(Refusal::conflict(target, why))
}

pub fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value == ""
        || value.as_object().is_some_and(Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}
