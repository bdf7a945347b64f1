//! Structural schemas of custom resources: pruning of unknown fields, and the checks of type, `required`, `enum`,
//! bounds and `pattern`-less formats.

use serde_json::Value;

/// Drops nulls where the schema has none, as the API server does before it checks.
pub fn drop_nulls(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, child| match schema["properties"].get(key) {
                Some(schema) => !child.is_null() || schema["nullable"] == Value::Bool(true),
                None => true,
            });
            for (key, child) in object.iter_mut() {
                if let Some(schema) = schema["properties"].get(key) {
                    drop_nulls(child, schema);
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| drop_nulls(item, &schema["items"])),
        _ => {}
    }
}

/// Drops what the schema does not know, as the API server does before it stores.
pub fn prune(value: &mut Value, schema: &Value) {
    if schema["x-kubernetes-preserve-unknown-fields"] != Value::Bool(true) && schema["type"] == "object" {
        let additional = &schema["additionalProperties"];
        if let (Value::Object(object), true) = (&mut *value, additional.is_null()) {
            object.retain(|key, _| schema["properties"].get(key).is_some());
        }
    }
    match value {
        Value::Object(object) => {
            for (key, child) in object.iter_mut() {
                let known = schema["properties"].get(key);
                if let Some(schema) = known.or_else(|| schema.get("additionalProperties")) {
                    prune(child, schema);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| prune(item, &schema["items"])),
        _ => {}
    }
}

/// The first thing wrong with a value, as `path: what`.
pub fn check(value: &Value, schema: &Value, path: &str) -> Result<(), String> {
    if value.is_null() && schema["nullable"] == Value::Bool(true) {
        return Ok(());
    }
    let int_or_string = schema["x-kubernetes-int-or-string"] == Value::Bool(true);
    if !int_or_string && let Some(wanted) = schema["type"].as_str().filter(|wanted| !is(value, wanted)) {
        return Err(format!("{path}: Invalid value: must be of type {wanted}"));
    }
    if let Some(allowed) = schema["enum"]
        .as_array()
        .filter(|allowed| !allowed.contains(value))
    {
        return Err(format!(
            "{path}: Unsupported value: {value}: supported values: {allowed:?}"
        ));
    }
    for (bound, wrong) in [
        ("minimum", value.as_f64().lt(&schema["minimum"].as_f64())),
        ("maximum", above(value, schema)),
    ] {
        if value.is_number() && !schema[bound].is_null() && wrong {
            return Err(format!(
                "{path}: Invalid value: {value}: {bound} is {}",
                schema[bound]
            ));
        }
    }
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if value.get(name).is_none() {
            return Err(format!("{path}.{name}: Required value"));
        }
    }
    match value {
        Value::Object(object) => object.iter().try_for_each(|(key, child)| {
            let known = schema["properties"]
                .get(key)
                .or_else(|| schema.get("additionalProperties"));
            known.map_or(Ok(()), |schema| check(child, schema, &format!("{path}.{key}")))
        }),
        Value::Array(items) => {
            let mut numbered = items.iter().enumerate();
            numbered.try_for_each(|(at, item)| check(item, &schema["items"], &format!("{path}[{at}]")))
        }
        _ => Ok(()),
    }
}

fn above(value: &Value, schema: &Value) -> bool {
    matches!((value.as_f64(), schema["maximum"].as_f64()), (Some(value), Some(most)) if value > most)
}

fn is(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"type": "object", "required": ["a"], "properties": {
            "a": {"type": "integer", "minimum": 1, "maximum": 3},
            "b": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "c": {"type": "array", "items": {"type": "object", "properties": {"d": {"type": "string", "enum": ["x"]}}}},
        }})
    }

    #[test]
    fn unknown_fields_are_pruned_unless_kept() {
        let mut value = json!({"a": 1, "x": 1, "b": {"y": 1}, "c": [{"d": "x", "e": 1}]});
        prune(&mut value, &schema());
        assert_eq!(value, json!({"a": 1, "b": {"y": 1}, "c": [{"d": "x"}]}));
    }

    #[test]
    fn nulls_are_dropped_where_there_are_none() {
        let mut value = json!({"a": null, "b": {"y": null}, "c": [{"d": null}], "x": null});
        drop_nulls(&mut value, &schema());
        assert_eq!(value, json!({"b": {"y": null}, "c": [{}], "x": null}));
    }

    #[test]
    fn values_are_checked() {
        for (value, wrong) in [
            (json!({"a": 2}), ""),
            (json!({}), ".a: Required value"),
            (json!({"a": 0}), ".a: Invalid value: 0: minimum is 1"),
            (json!({"a": 4}), ".a: Invalid value: 4: maximum is 3"),
            (json!({"a": "1"}), ".a: Invalid value: must be of type integer"),
            (
                json!({"a": 1, "c": [{"d": "y"}]}),
                ".c[0].d: Unsupported value: \"y\": supported values: [String(\"x\")]",
            ),
        ] {
            assert_eq!(
                check(&value, &schema(), "").err().unwrap_or_default(),
                wrong,
                "{value}"
            );
        }
    }
}
