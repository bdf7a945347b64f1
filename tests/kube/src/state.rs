//! The objects, their history, and what may be done to them. No IO.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::patch::merge;
use crate::path::Target;
use crate::schema;
use crate::status::Refusal;

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
    /// Whether status is written apart.
    pub status: bool,
    /// Structural schema, if its objects are pruned and checked.
    pub schema: Option<Value>,
}

impl Resource {
    /// A type without schema, with a status subresource.
    pub fn new(group: &str, version: &str, plural: &str, kind: &str) -> Self {
        let [group, version, plural, kind] = [group, version, plural, kind].map(str::to_owned);
        Resource {
            group,
            version,
            plural,
            kind,
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
            status: version["subresources"]["status"].is_object(),
            schema: Some(version["schema"]["openAPIV3Schema"].clone()),
        })
    }

    fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// Group, plural, namespace, name.
pub type ObjectKey = (String, String, String, String);

#[derive(Debug, Clone)]
pub struct Event {
    pub revision: u64,
    pub what: &'static str,
    pub key: ObjectKey,
    pub object: Value,
}

#[derive(Debug, Default)]
pub struct State {
    pub resources: BTreeMap<(String, String), Resource>,
    pub objects: BTreeMap<ObjectKey, Value>,
    pub events: Vec<Event>,
    pub revision: u64,
    pub compacted: u64,
    uids: u64,
}

/// The fields of metadata that a client may write.
const WRITABLE: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
];

impl State {
    pub fn resource(&self, target: &Target) -> Option<&Resource> {
        let resource = self
            .resources
            .get(&(target.group.clone(), target.plural.clone()))?;
        (resource.version == target.version && (resource.status || !target.status)).then_some(resource)
    }

    pub fn key(target: &Target) -> ObjectKey {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        (
            target.group.clone(),
            target.plural.clone(),
            text(&target.namespace),
            text(&target.name),
        )
    }

    pub fn get(&self, target: &Target) -> Result<Value, Refusal> {
        let found = self.objects.get(&Self::key(target)).cloned();
        found.ok_or_else(|| Refusal::not_found(target))
    }

    pub fn create(&mut self, target: &Target, body: Value) -> Result<Value, Refusal> {
        let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(Refusal::invalid(
                target,
                "metadata.name: Required value: name or generateName is required",
            ));
        }
        let target = Target {
            name: Some(name.clone()),
            ..target.clone()
        };
        if self.objects.contains_key(&Self::key(&target)) {
            return Err(Refusal::exists(&target, &name));
        }
        let mut object = self.admitted(&target, body)?;
        if let (Some(object), true) = (
            object.as_object_mut(),
            self.resource(&target).is_some_and(|r| r.status),
        ) {
            object.remove("status");
        }
        self.uids += 1;
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.uids));
        metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        metadata["generation"] = json!(1);
        Ok(self.store(&target, "ADDED", object))
    }

    pub fn replace(&mut self, target: &Target, body: Value) -> Result<Value, Refusal> {
        let old = self.get(target)?;
        let wanted = body["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !wanted.is_empty() && old["metadata"]["resourceVersion"] != wanted {
            let why =
                "the object has been modified; please apply your changes to the latest version and try again";
            return Err(Refusal::conflict(target, why));
        }
        if let Some(uid) = body["metadata"]["uid"]
            .as_str()
            .filter(|uid| old["metadata"]["uid"] != *uid)
        {
            return Err(Refusal::conflict(
                target,
                &format!("Precondition failed: UID in precondition: {uid}"),
            ));
        }
        let body_name = body["metadata"]["name"].as_str();
        if body_name != target.name.as_deref() {
            return Err(Refusal::bad_request(
                "the name of the object does not match the name on the URL",
            ));
        }
        let new = self.admitted(target, body)?;
        self.update(target, &old, new)
    }

    /// `application/merge-patch+json`, and server-side apply (which makes what is not there).
    pub fn patch(&mut self, target: &Target, patch: Value, apply: bool) -> Result<Value, Refusal> {
        let old = match self.get(target) {
            Ok(old) => old,
            Err(_) if apply && !target.status => return self.create(target, patch),
            Err(refusal) => return Err(refusal),
        };
        let wanted = patch["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if !wanted.is_empty() && old["metadata"]["resourceVersion"] != wanted {
            return Err(Refusal::conflict(target, "the object has been modified"));
        }
        let mut new = old.clone();
        merge(&mut new, &patch);
        let new = self.admitted(target, new)?;
        self.update(target, &old, new)
    }

    pub fn delete(&mut self, target: &Target, options: &Value) -> Result<Value, Refusal> {
        let old = self.get(target)?;
        for field in ["uid", "resourceVersion"] {
            let wanted = &options["preconditions"][field];
            if !wanted.is_null() && *wanted != old["metadata"][field] {
                return Err(Refusal::conflict(
                    target,
                    &format!("Precondition failed: {field}"),
                ));
            }
        }
        self.objects.remove(&Self::key(target));
        self.record(target, "DELETED", old.clone());
        Ok(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": target.name, "group": target.group, "kind": target.plural, "uid": old["metadata"]["uid"]},
        }))
    }

    /// A body as far as it is the client's to write, pruned and checked.
    fn admitted(&self, target: &Target, mut body: Value) -> Result<Value, Refusal> {
        let resource = self.resource(target).ok_or_else(|| Refusal::not_found(target))?;
        if body["kind"] != resource.kind.as_str() || body["apiVersion"] != resource.api_version().as_str() {
            let message = format!(
                "the object is not a {} of {}",
                resource.kind,
                resource.api_version()
            );
            return Err(Refusal::bad_request(message));
        }
        let mut metadata = body["metadata"].as_object().cloned().unwrap_or_default();
        metadata.retain(|field, _| WRITABLE.contains(&field.as_str()));
        body["metadata"] = Value::Object(metadata.clone());
        if let Some(schema) = &resource.schema {
            schema::check(&body, schema, "").map_err(|what| {
                let name = target.name.clone().unwrap_or_default();
                let what = what.trim_start_matches('.');
                Refusal::invalid(
                    target,
                    &format!("{} \"{name}\" is invalid: {what}", resource.kind),
                )
            })?;
            schema::prune(&mut body, schema);
            body["apiVersion"] = json!(resource.api_version());
            body["kind"] = json!(resource.kind);
            body["metadata"] = Value::Object(metadata);
        }
        Ok(body)
    }

    /// Stores a change: spec and metadata, or status, each by itself. What changes nothing is no write.
    fn update(&mut self, target: &Target, old: &Value, mut new: Value) -> Result<Value, Refusal> {
        let apart = self.resource(target).is_some_and(|resource| resource.status);
        let field = |value: &Value, name: &str| value.get(name).cloned();
        if target.status {
            let status = field(&new, "status");
            new = old.clone();
            set(&mut new, "status", status);
        } else if apart {
            set(&mut new, "status", field(old, "status"));
        }
        let mut metadata = old["metadata"].as_object().cloned().unwrap_or_default();
        metadata
            .retain(|name, _| !WRITABLE.contains(&name.as_str()) || name == "name" || name == "namespace");
        for name in WRITABLE {
            if let Some(value) = new["metadata"].get(name).filter(|value| !is_empty(value)) {
                metadata.insert((*name).to_owned(), value.clone());
            }
        }
        new["metadata"] = Value::Object(metadata);
        if new == *old {
            return Ok(new);
        }
        if new["spec"] != old["spec"] {
            let generation = old["metadata"]["generation"].as_u64().unwrap_or(0) + 1;
            new["metadata"]["generation"] = json!(generation);
        }
        Ok(self.store(target, "MODIFIED", new))
    }

    fn store(&mut self, target: &Target, what: &'static str, object: Value) -> Value {
        let object = self.record(target, what, object);
        self.objects.insert(Self::key(target), object.clone());
        object
    }

    fn record(&mut self, target: &Target, what: &'static str, mut object: Value) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let (revision, key) = (self.revision, Self::key(target));
        let event = Event {
            revision,
            what,
            key,
            object: object.clone(),
        };
        self.events.push(event);
        object
    }
}

fn set(object: &mut Value, name: &str, value: Option<Value>) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    match value {
        Some(value) => fields.insert(name.to_owned(), value),
        None => fields.remove(name),
    };
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_object().is_some_and(Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}

/// Whether the labels of an object fulfil `a=b,c=d`.
pub fn selected(object: &Value, selector: &str) -> bool {
    let labels = &object["metadata"]["labels"];
    (selector.split(',').filter(|term| !term.is_empty()))
        .filter_map(|term| term.split_once('='))
        .all(|(key, value)| labels[key] == value.trim_start_matches('='))
}
