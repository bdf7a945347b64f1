//! The objects, their history, and what may be done to them. No IO.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::admit::{WRITABLE, admitted, is_empty, same_version};
use crate::managed::{self, Author, Manager};
use crate::patch::Patch;
use crate::path::Target;
use crate::resource::Resource;
use crate::shape::Shape;
use crate::status::Refusal;
use crate::validate;

/// Group, plural, namespace, name.
pub type ObjectKey = (String, String, String, String);

#[derive(Debug, Clone)]
pub struct Event {
    pub revision: u64,
    pub what: &'static str,
    pub key: ObjectKey,
    pub object: Value,
    /// What was there before, for watches that select.
    pub before: Option<Value>,
}

#[derive(Debug, Default)]
pub struct State {
    pub resources: BTreeMap<(String, String), Resource>,
    pub objects: BTreeMap<ObjectKey, Value>,
    managers: BTreeMap<ObjectKey, Vec<Manager>>,
    pub events: Vec<Event>,
    pub revision: u64,
    pub compacted: u64,
    uids: u64,
}

impl State {
    pub fn resource(&self, target: &Target) -> Option<&Resource> {
        let resource = self
            .resources
            .get(&(target.group.clone(), target.plural.clone()))?;
        (resource.version == target.version && (resource.status || !target.status)).then_some(resource)
    }

    fn known(&self, target: &Target) -> Result<Resource, Refusal> {
        let resource = self.resource(target).cloned();
        resource.ok_or_else(|| Refusal::not_found(target))
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

    pub fn create(&mut self, target: &Target, body: Value, author: &Author) -> Result<Value, Refusal> {
        let resource = self.known(target)?;
        let metadata = &body["metadata"];
        let name = match (metadata["name"].as_str(), metadata["generateName"].as_str()) {
            (Some(name), _) if !name.is_empty() => name.to_owned(),
            (_, Some(prefix)) if !prefix.is_empty() => format!("{prefix}{:05x}", self.uids + 1),
            _ => {
                let message = "metadata.name: Required value: name or generateName is required";
                return Err(Refusal::invalid(target, message));
            }
        };
        let target = Target {
            name: Some(name.clone()),
            ..target.clone()
        };
        if self.objects.contains_key(&Self::key(&target)) {
            return Err(Refusal::exists(&target, &name));
        }
        let mut object = admitted(&target, &resource, body)?;
        if let (Some(fields), true) = (object.as_object_mut(), resource.status) {
            fields.remove("status");
        }
        validate::created(&target, &resource, &object)?;
        let managers = managed::after_update(
            &[],
            &Value::Null,
            &object,
            &Shape::of(&resource),
            author,
            &resource.api_version(),
        );
        self.uids += 1;
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.uids));
        metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        metadata["generation"] = json!(1);
        Ok(self.store(&target, "ADDED", object, managers))
    }

    pub fn replace(&mut self, target: &Target, body: Value, author: &Author) -> Result<Value, Refusal> {
        let old = self.get(target)?;
        same_version(target, &old, &body)?;
        if let Some(uid) = body["metadata"]["uid"]
            .as_str()
            .filter(|uid| old["metadata"]["uid"] != *uid)
        {
            let why = format!("Precondition failed: UID in precondition: {uid}");
            return Err(Refusal::conflict(target, &why));
        }
        if body["metadata"]["name"].as_str() != target.name.as_deref() {
            let message = "the name of the object does not match the name on the URL";
            return Err(Refusal::bad_request(message));
        }
        let new = admitted(target, &self.known(target)?, body)?;
        self.update(target, &old, new, author, None)
    }

    /// A patch. Server-side apply makes what is not there.
    pub fn patch(&mut self, target: &Target, patch: &Patch, author: &Author) -> Result<Value, Refusal> {
        let old = match (self.get(target), patch) {
            (Ok(old), _) => old,
            (Err(_), Patch::Apply { object, .. }) if !target.status => {
                let mut object = object.clone();
                object["metadata"]["name"] = json!(target.name);
                return self.create(target, object, author);
            }
            (Err(refusal), _) => return Err(refusal),
        };
        let resource = self.known(target)?;
        let Patch::Apply { object, force } = patch else {
            let new = patch.onto(&old, target, &resource)?;
            same_version(target, &old, &new)?;
            let new = admitted(target, &resource, new)?;
            return self.update(target, &old, new, author, None);
        };
        same_version(target, &old, object)?;
        let mut applied = admitted(target, &resource, object.clone())?;
        // Of the subresource the status counts, of the object all else.
        if let (Some(fields), true) = (applied.as_object_mut(), resource.status) {
            fields.retain(|name, _| (name == "status") == target.status);
        }
        let key = Self::key(target);
        let managers = self.managers.get(&key).cloned().unwrap_or_default();
        let how = (author, resource.api_version(), *force);
        let (new, managers) = managed::apply(
            &managers,
            (target, &Shape::of(&resource)),
            &old,
            &applied,
            (how.0, &how.1, how.2),
        )?;
        let new = admitted(target, &resource, new)?;
        self.update(target, &old, new, author, Some(managers))
    }

    pub fn delete(&mut self, target: &Target, options: &Value) -> Result<Value, Refusal> {
        let old = self.get(target)?;
        for field in ["uid", "resourceVersion"] {
            let wanted = &options["preconditions"][field];
            if !wanted.is_null() && *wanted != old["metadata"][field] {
                let why = format!("Precondition failed: {field}");
                return Err(Refusal::conflict(target, &why));
            }
        }
        self.record(target, "DELETED", old.clone());
        self.objects.remove(&Self::key(target));
        self.managers.remove(&Self::key(target));
        Ok(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": target.name, "group": target.group, "kind": target.plural, "uid": old["metadata"]["uid"]},
        }))
    }

    /// Stores a change: spec and metadata, or status, each by itself. What changes nothing is no write.
    fn update(
        &mut self,
        target: &Target,
        old: &Value,
        mut new: Value,
        author: &Author,
        managers: Option<Vec<Manager>>,
    ) -> Result<Value, Refusal> {
        let resource = self.known(target)?;
        let field = |value: &Value, name: &str| value.get(name).cloned();
        if target.status {
            let status = field(&new, "status");
            new = old.clone();
            set(&mut new, "status", status);
        } else if resource.status {
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
        validate::updated(target, &resource, old, &new)?;
        let before = self.managers.get(&Self::key(target)).cloned().unwrap_or_default();
        let managers = managers.unwrap_or_else(|| {
            let version = resource.api_version();
            managed::after_update(&before, old, &new, &Shape::of(&resource), author, &version)
        });
        if new == *old && managers == before {
            return Ok(new);
        }
        if new["spec"] != old["spec"] {
            let generation = old["metadata"]["generation"].as_u64().unwrap_or(0) + 1;
            new["metadata"]["generation"] = json!(generation);
        }
        Ok(self.store(target, "MODIFIED", new, managers))
    }

    fn store(
        &mut self,
        target: &Target,
        what: &'static str,
        mut object: Value,
        managers: Vec<Manager>,
    ) -> Value {
        object["metadata"]["managedFields"] = managed::field_of(&managers);
        let object = self.record(target, what, object);
        self.objects.insert(Self::key(target), object.clone());
        self.managers.insert(Self::key(target), managers);
        object
    }

    fn record(&mut self, target: &Target, what: &'static str, mut object: Value) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let (revision, key) = (self.revision, Self::key(target));
        let before = self.objects.get(&key).cloned();
        let event = Event {
            revision,
            what,
            key,
            object: object.clone(),
            before,
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
