//! Who owns which field: `managedFields`, server-side apply with its conflicts, and what other writes do to ownership.

use serde_json::{Map, Value, json};

use crate::fields::{FieldSet, Path, Step, difference, leaves, named, written};
use crate::path::Target;
use crate::shape::{List, Shape, key_of};
use crate::status::Refusal;

/// Who writes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// `fieldManager`, or the name of the program (before the `/` of its user agent).
    pub name: String,
    /// By server-side apply.
    pub apply: bool,
    /// Of the status subresource.
    pub status: bool,
}

/// An author and its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    pub author: Author,
    pub version: String,
    pub fields: FieldSet,
}

/// `metadata.managedFields`.
pub fn field_of(managers: &[Manager]) -> Value {
    let entry = |manager: &Manager| {
        let author = &manager.author;
        let mut entry = json!({
            "manager": author.name, "operation": if author.apply { "Apply" } else { "Update" },
            "apiVersion": manager.version, "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": written(&manager.fields),
        });
        if author.status {
            entry["subresource"] = json!("status");
        }
        entry
    };
    managers.iter().map(entry).collect()
}

fn of<'a>(managers: &'a mut Vec<Manager>, author: &Author, version: &str) -> Option<&'a mut Manager> {
    if !managers.iter().any(|manager| manager.author == *author) {
        managers.push(Manager {
            author: author.clone(),
            version: version.to_owned(),
            fields: FieldSet::new(),
        });
    }
    managers.iter_mut().find(|manager| manager.author == *author)
}

fn tidy(mut managers: Vec<Manager>) -> Vec<Manager> {
    managers.retain(|manager| !manager.fields.is_empty());
    managers
}

/// The owners after a write that is no apply: what it changed is its author's, what it removed is nobody's.
pub fn after_update(
    managers: &[Manager],
    old: &Value,
    new: &Value,
    shape: &Shape<'_>,
    author: &Author,
    version: &str,
) -> Vec<Manager> {
    let difference = difference(&leaves(old, shape), &leaves(new, shape));
    let mut managers = managers.to_vec();
    for manager in &mut managers {
        manager
            .fields
            .retain(|path| !difference.changed.contains(path) && !difference.removed.contains(path));
    }
    if let Some(own) = of(&mut managers, author, version) {
        own.fields.extend(difference.changed);
    }
    tidy(managers)
}

/// An apply: the object with what was applied and without what its author alone had and applies no more, and the owners
/// after that.
///
/// # Errors
/// 409 where it changes what others own, unless by force.
pub fn apply(
    managers: &[Manager],
    (target, shape): (&Target, &Shape<'_>),
    live: &Value,
    applied: &Value,
    (author, version, force): (&Author, &str, bool),
) -> Result<(Value, Vec<Manager>), Refusal> {
    let wanted: FieldSet = leaves(applied, shape).into_keys().collect();
    let mut new = live.clone();
    put(&mut new, applied, shape);
    let changed = difference(&leaves(live, shape), &leaves(&new, shape)).changed;
    let mut managers = managers.to_vec();
    let mut conflicts: Vec<(String, Path)> = Vec::new();
    for manager in managers.iter_mut().filter(|manager| manager.author != *author) {
        let taken = manager.fields.intersection(&changed).cloned();
        conflicts.extend(taken.map(|path| (manager.author.name.clone(), path)));
        manager.fields.retain(|path| !changed.contains(path));
    }
    if !conflicts.is_empty() && !force {
        return Err(conflict(target, &conflicts));
    }
    let Some(own) = of(&mut managers, author, version) else {
        return Ok((new, managers));
    };
    let before = std::mem::replace(&mut own.fields, wanted.clone());
    let dropped: Vec<Path> = before.difference(&wanted).cloned().collect();
    // Deepest first, so that an item goes after its fields.
    for path in dropped.iter().rev() {
        let others = managers.iter().filter(|manager| manager.author != *author);
        let kept = others.flat_map(|manager| &manager.fields);
        let mut kept = kept.chain(&wanted);
        if !kept.any(|other| other.starts_with(path)) {
            remove(&mut new, path, shape);
        }
    }
    Ok((new, tidy(managers)))
}

fn conflict(target: &Target, conflicts: &[(String, Path)]) -> Refusal {
    let cause = |(manager, path): &(String, Path)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager:?}"), "field": named(path)});
    let each: Vec<String> = conflicts
        .iter()
        .map(|(manager, path)| format!("conflict with {manager:?}: {}", named(path)))
        .collect();
    let message = format!(
        "Apply failed with {} conflict(s): {}",
        conflicts.len(),
        each.join(", ")
    );
    let mut refusal = Refusal::new(409, "Conflict", message).about(target);
    refusal.details["causes"] = conflicts.iter().map(cause).collect();
    refusal
}

/// Puts what is applied into an object.
fn put(into: &mut Value, applied: &Value, shape: &Shape<'_>) {
    match (applied, shape.list()) {
        (Value::Object(fields), _) if !shape.atomic_map() => {
            if !into.is_object() {
                *into = Value::Object(Map::new());
            }
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                put(&mut into[name.as_str()], value, &shape.field(name));
            }
        }
        (Value::Array(items), List::Map(keys)) if into.is_array() => {
            let Some(there) = into.as_array_mut() else { return };
            for item in items {
                let key = key_of(item, &keys);
                match there.iter_mut().find(|old| key_of(old, &keys) == key) {
                    Some(old) => put(old, item, &shape.items()),
                    None => there.push(item.clone()),
                }
            }
        }
        (Value::Array(items), List::Set) if into.is_array() => {
            let Some(there) = into.as_array_mut() else { return };
            for item in items {
                if !there.contains(item) {
                    there.push(item.clone());
                }
            }
        }
        _ => *into = applied.clone(),
    }
}

/// Removes one field or item, and the maps and lists that it leaves empty.
fn remove(from: &mut Value, path: &[Step], shape: &Shape<'_>) {
    let Some((step, rest)) = path.split_first() else {
        return;
    };
    match (step, from) {
        (Step::Field(name), Value::Object(fields)) => {
            if let (Some(child), false) = (fields.get_mut(name), rest.is_empty()) {
                remove(child, rest, &shape.field(name));
                if *child == json!({}) || *child == json!([]) {
                    fields.remove(name);
                }
            } else {
                fields.remove(name);
            }
        }
        (Step::Key(key), Value::Array(items)) => {
            let List::Map(keys) = shape.list() else { return };
            let here = |item: &Value| key_of(item, &keys).as_ref() == Some(key);
            match rest {
                [] => items.retain(|item| !here(item)),
                // What tells the item apart goes with the item only.
                [Step::Field(name)] if keys.contains(name) => {}
                rest => {
                    if let Some(item) = items.iter_mut().find(|item| here(item)) {
                        remove(item, rest, &shape.items());
                    }
                }
            }
        }
        (Step::Item(text), Value::Array(items)) => {
            items.retain(|item| item.to_string().as_str() != text.as_str());
        }
        _ => {}
    }
}
