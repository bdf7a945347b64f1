//! Whether two texts say the same, and a text as plain JSON values. Pure.

use config::problem::Problems;
use config::yaml::{self, Kind, Value, plain_type};
use serde_json::{Map, Number};

/// Fields of `metadata` that servers write.
const SERVERS: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// A resource in one spelling: keys in order, scalars as their text, without what servers write. None where the
/// text is not one document.
pub fn canonical(text: &str) -> Option<String> {
    let document = one(text)?;
    let mut out = String::new();
    write(&document, "", &mut out);
    Some(out)
}

/// The one document of a text as JSON values. Numbers that JSON would spell otherwise (`1.10`) stay texts.
pub fn value_of(text: &str) -> Option<serde_json::Value> {
    one(text).map(|document| plain(&document))
}

fn one(text: &str) -> Option<Value> {
    let mut problems = Problems::new("");
    let mut documents = yaml::documents(text, &mut problems);
    let document = documents.pop()?;
    (documents.is_empty() && problems.errors() == 0).then_some(document)
}

fn write(value: &Value, path: &str, out: &mut String) {
    match &value.kind {
        Kind::Null => out.push('~'),
        Kind::Scalar { text, .. } => out.push_str(&format!("{text:?}")),
        Kind::List(items) => {
            out.push('[');
            for item in items {
                write(item, "-", out);
                out.push(',');
            }
            out.push(']');
        }
        Kind::Map(entries) => {
            let mut entries: Vec<_> = entries
                .iter()
                .filter(|entry| !is_servers(path, &entry.key))
                .collect();
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            out.push('{');
            for entry in entries {
                out.push_str(&format!("{:?}:", entry.key));
                let inner = if path.is_empty() { entry.key.as_str() } else { "-" };
                write(&entry.value, inner, out);
                out.push(',');
            }
            out.push('}');
        }
    }
}

fn is_servers(path: &str, key: &str) -> bool {
    match path {
        "" => key == "status",
        "metadata" => SERVERS.contains(&key),
        _ => false,
    }
}

fn plain(value: &Value) -> serde_json::Value {
    match &value.kind {
        Kind::Null => serde_json::Value::Null,
        Kind::Scalar { text, plain: true } => scalar(text),
        Kind::Scalar { text, .. } => serde_json::Value::String(text.clone()),
        Kind::List(items) => serde_json::Value::Array(items.iter().map(plain).collect()),
        Kind::Map(entries) => {
            let entries = entries
                .iter()
                .map(|entry| (entry.key.clone(), plain(&entry.value)));
            serde_json::Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

fn scalar(text: &str) -> serde_json::Value {
    let same = |number: &Number| number.to_string() == text;
    match plain_type(text) {
        Some("a truth value") => serde_json::Value::Bool(text.eq_ignore_ascii_case("true")),
        Some(_) => match text.parse::<Number>().ok().filter(same) {
            Some(number) => serde_json::Value::Number(number),
            None => serde_json::Value::String(text.to_owned()),
        },
        None => serde_json::Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_spelling_and_servers_do_not_matter() {
        let one = "kind: Node\nmetadata: {name: a, uid: x, labels: {uid: kept}}\nspec: {n: 64512}\nstatus: {up: true}\n";
        let other = r#"{"metadata":{"labels":{"uid":"kept"},"name":"a"},"spec":{"n":"64512"},"kind":"Node"}"#;
        assert_eq!(canonical(one), canonical(other));
        assert_ne!(canonical(one), canonical(&one.replace("kept", "changed")));
        assert_ne!(canonical("a: 1.10"), canonical("a: 1.1"));
        assert_ne!(canonical("a: [b, c]"), canonical("a: [c, b]"));
        assert_eq!(
            (canonical("a: ["), canonical("a: 1\n---\nb: 1\n"), canonical("")),
            (None, None, None)
        );
    }

    #[test]
    fn numbers_are_not_changed_by_printing() {
        let said = value_of("a: 1.10\nb: 64512\nc: true\nd: \"7\"\ne: [~]\nf: 0x10\n").map(|v| v.to_string());
        assert_eq!(
            said.as_deref(),
            Some(r#"{"a":"1.10","b":64512,"c":true,"d":"7","e":[null],"f":"0x10"}"#)
        );
    }
}
