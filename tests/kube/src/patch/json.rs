//! JSON patch (RFC 6902): a list of operations, all of them or none.

use serde_json::Value;

/// Carries out all operations.
///
/// # Errors
/// The first operation that cannot be carried out, or whose `test` does not hold, in words.
pub fn patch(document: &mut Value, operations: &Value) -> Result<(), String> {
    let operations = operations
        .as_array()
        .ok_or("a JSON patch is a list of operations")?;
    operations
        .iter()
        .try_for_each(|operation| one(document, operation))
}

fn one(document: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |field: &str| {
        operation[field]
            .as_str()
            .ok_or(format!("{operation}: no {field}"))
    };
    let (what, path) = (text("op")?, text("path")?);
    let missing = |path: &str| format!("{what} operation does not apply: doc is missing path: {path}");
    match what {
        "test" => match document.pointer(path).unwrap_or(&Value::Null) == &operation["value"] {
            true => Ok(()),
            false => Err(format!("testing value {path} failed")),
        },
        "add" => add(document, path, operation["value"].clone()).ok_or(missing(path)),
        "remove" => remove(document, path).map(|_| ()).ok_or(missing(path)),
        "replace" => {
            let place = document.pointer_mut(path).ok_or(missing(path))?;
            *place = operation["value"].clone();
            Ok(())
        }
        "copy" | "move" => {
            let from = text("from")?;
            let value = match what {
                "copy" => document.pointer(from).cloned(),
                _ => remove(document, from),
            };
            add(document, path, value.ok_or(missing(from))?).ok_or(missing(path))
        }
        _ => Err(format!("{what} is no operation of a JSON patch")),
    }
}

/// The place that holds what a path names, and its name in there.
fn split<'a>(document: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, name) = path.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    Some((document.pointer_mut(parent)?, name))
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *document = value;
        return Some(());
    }
    match split(document, path)? {
        (Value::Object(fields), name) => {
            fields.insert(name, value);
        }
        (Value::Array(items), name) if name == "-" => items.push(value),
        (Value::Array(items), name) => {
            let at: usize = name.parse().ok()?;
            (at <= items.len()).then(|| items.insert(at, value))?;
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    match split(document, path)? {
        (Value::Object(fields), name) => fields.remove(&name),
        (Value::Array(items), name) => {
            let at: usize = name.parse().ok()?;
            (at < items.len()).then(|| items.remove(at))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_follow_the_rfc() {
        let start = json!({"a": [1, 2], "b": {"c/d": 1}});
        for (operations, after) in [
            (
                json!([{"op": "add", "path": "/a/1", "value": 9}]),
                Some(json!({"a": [1, 9, 2], "b": {"c/d": 1}})),
            ),
            (
                json!([{"op": "add", "path": "/a/-", "value": 9}]),
                Some(json!({"a": [1, 2, 9], "b": {"c/d": 1}})),
            ),
            (
                json!([{"op": "remove", "path": "/b/c~1d"}]),
                Some(json!({"a": [1, 2], "b": {}})),
            ),
            (
                json!([{"op": "replace", "path": "/b", "value": 1}]),
                Some(json!({"a": [1, 2], "b": 1})),
            ),
            (
                json!([{"op": "move", "from": "/a/0", "path": "/x"}]),
                Some(json!({"a": [2], "b": {"c/d": 1}, "x": 1})),
            ),
            (
                json!([{"op": "test", "path": "/a/0", "value": 1}, {"op": "remove", "path": "/a/0"}]),
                Some(json!({"a": [2], "b": {"c/d": 1}})),
            ),
            (json!([{"op": "test", "path": "/a/0", "value": 2}]), None),
            (json!([{"op": "remove", "path": "/x"}]), None),
            (json!([{"op": "replace", "path": "/x", "value": 1}]), None),
            (json!([{"op": "add", "path": "/x/y", "value": 1}]), None),
            (json!([{"op": "add", "path": "/a/3", "value": 1}]), None),
        ] {
            let mut document = start.clone();
            let done = patch(&mut document, &operations).ok().map(|()| document);
            assert_eq!(done, after, "{operations}");
        }
    }
}
