//! Strategic merge patch: like a merge patch, but lists with a merge key are merged item by item. Of the directives,
//! `$patch: delete`, `$patch: replace` and `$setElementOrder` (which changes nothing here) are known.

use serde_json::{Map, Value};

use crate::shape::{List, Shape};

/// Merges a patch.
///
/// # Errors
/// In words: a directive that is not known, or an item without its merge key.
pub fn merge(into: &mut Value, patch: &Value, shape: &Shape<'_>) -> Result<(), String> {
    match (patch, shape.list()) {
        (Value::Object(fields), _) => {
            if fields
                .get("$patch")
                .is_some_and(|directive| directive == "replace")
                || !into.is_object()
            {
                *into = Value::Object(Map::new());
            }
            fields
                .iter()
                .try_for_each(|(name, value)| field(into, name, value, shape))
        }
        (Value::Array(items), List::Map(keys)) => {
            let Some(key) = keys.first() else { return Ok(()) };
            if !into.is_array() {
                *into = Value::Array(Vec::new());
            }
            let Some(there) = into.as_array_mut() else {
                return Ok(());
            };
            items.iter().try_for_each(|patch| item(there, patch, key, shape))
        }
        (Value::Array(items), List::Set) if into.is_array() => {
            let Some(there) = into.as_array_mut() else {
                return Ok(());
            };
            for item in items {
                if !there.contains(item) {
                    there.push(item.clone());
                }
            }
            Ok(())
        }
        _ => {
            *into = patch.clone();
            Ok(())
        }
    }
}

fn field(into: &mut Value, name: &str, value: &Value, shape: &Shape<'_>) -> Result<(), String> {
    match name {
        "$patch" if value == "replace" || value == "merge" => return Ok(()),
        name if name.starts_with("$setElementOrder/") => return Ok(()),
        name if name.starts_with('$') => {
            return Err(format!("the stand-in does not know the directive {name}"));
        }
        _ => {}
    }
    if let (Value::Null, Some(fields)) = (value, into.as_object_mut()) {
        fields.remove(name);
        return Ok(());
    }
    merge(&mut into[name], value, &shape.field(name))
}

fn item(there: &mut Vec<Value>, patch: &Value, key: &str, shape: &Shape<'_>) -> Result<(), String> {
    let wanted = &patch[key];
    if wanted.is_null() {
        return Err(format!("map: {patch} does not contain declared merge key: {key}"));
    }
    if patch["$patch"] == "delete" {
        there.retain(|item| item[key] != *wanted);
        return Ok(());
    }
    match there.iter_mut().find(|item| item[key] == *wanted) {
        Some(item) => merge(item, patch, &shape.items()),
        None => {
            let mut new = Value::Null;
            merge(&mut new, patch, &shape.items())?;
            there.push(new);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Resource;
    use serde_json::json;

    fn merged(old: Value, patch: Value) -> Result<Value, String> {
        let node = Resource::new("", "v1", "nodes", "Node");
        let mut new = old;
        merge(&mut new, &patch, &Shape::of(&node)).map(|()| new)
    }

    #[test]
    fn conditions_merge_by_type_and_taints_are_one_value() {
        let old = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "X", "status": "True"}]}});
        let patch = json!({"status": {"conditions": [{"type": "X", "status": "False"}, {"type": "Y", "status": "True"}],
            "$setElementOrder/conditions": [{"type": "X"}]}});
        assert_eq!(
            merged(old.clone(), patch),
            Ok(json!({"status": {"conditions": [
                {"type": "Ready", "status": "True"}, {"type": "X", "status": "False"}, {"type": "Y", "status": "True"}]}}))
        );
        let patch = json!({"status": {"conditions": [{"type": "X", "$patch": "delete"}]}});
        assert_eq!(
            merged(old.clone(), patch),
            Ok(json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}))
        );
        assert!(merged(old, json!({"status": {"conditions": [{"status": "True"}]}})).is_err());
        let taints = json!({"spec": {"taints": [{"key": "a"}, {"key": "b"}]}});
        let patch = json!({"spec": {"taints": [{"key": "b"}]}});
        assert_eq!(merged(taints, patch.clone()), Ok(patch));
    }

    #[test]
    fn null_removes_and_what_is_not_known_is_refused() {
        assert_eq!(
            merged(json!({"spec": {"a": 1, "b": 2}}), json!({"spec": {"a": null}})),
            Ok(json!({"spec": {"b": 2}}))
        );
        assert_eq!(
            merged(
                json!({"spec": {"a": 1}}),
                json!({"spec": {"$patch": "replace", "b": 2}})
            ),
            Ok(json!({"spec": {"b": 2}}))
        );
        assert!(merged(json!({}), json!({"spec": {"$retainKeys": ["a"]}})).is_err());
    }
}
