//! Selectors of lists and watches: by labels and by fields.

use serde_json::Value;

use crate::resource::Resource;
use crate::status::Refusal;

/// What a list or a watch shows of the objects of its type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<Label>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Label {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// A path, whether it shall be equal, and the value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field(String, bool, String);

/// The fields by which objects are selected, beside name and namespace; of events, each begins with what it is about.
const FIELDS: &[(&str, &str, &[&str])] = &[
    ("", "Node", &["spec.unschedulable"]),
    ("", "Namespace", &["status.phase"]),
    ("", "Service", &["spec.clusterIP", "spec.type"]),
    (
        "",
        "Pod",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
    ),
    (
        "",
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "reason",
            "type",
        ],
    ),
    (
        "events.k8s.io",
        "Event",
        &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "reason",
            "type",
        ],
    ),
];

impl Selector {
    /// Of the texts of `labelSelector` and `fieldSelector`.
    ///
    /// # Errors
    /// 400 where one cannot be read, or names a field by which this type is not selected.
    pub fn new(labels: &str, fields: &str, resource: &Resource) -> Result<Self, Refusal> {
        let labels = terms(labels).map(label).collect::<Result<_, _>>()?;
        let fields = terms(fields)
            .map(|term| field(term, resource))
            .collect::<Result<_, _>>()?;
        Ok(Selector { labels, fields })
    }

    /// Whether an object is selected.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let one_of = |key: &str, values: &[String]| {
            let value = labels[key].as_str();
            value.is_some_and(|value| values.iter().any(|wanted| wanted == value))
        };
        let label = |label: &Label| match label {
            Label::In(key, values) => one_of(key, values),
            Label::NotIn(key, values) => !one_of(key, values),
            Label::Exists(key) => labels.get(key).is_some(),
            Label::Missing(key) => labels.get(key).is_none(),
        };
        let field = |Field(path, equal, wanted): &Field| {
            let value = path.split('.').fold(object, |value, name| &value[name]);
            let text = match value {
                Value::Null if path == "spec.unschedulable" || path == "spec.hostNetwork" => {
                    "false".to_owned()
                }
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (text == *wanted) == *equal
        };
        self.labels.iter().all(label) && self.fields.iter().all(field)
    }
}

/// The terms between commas that are not in parentheses.
fn terms(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    let parts = text.split(move |c| {
        inside = (inside || c == '(') && c != ')';
        c == ',' && !inside
    });
    parts.map(str::trim).filter(|term| !term.is_empty())
}

fn label(term: &str) -> Result<Label, Refusal> {
    let bad = || Refusal::bad_request(format!("unable to parse requirement: {term:?}"));
    let one = |key: &str, value: &str| (key.trim().to_owned(), vec![value.trim().to_owned()]);
    if let Some((key, value)) = term.split_once("!=") {
        let (key, values) = one(key, value);
        return Ok(Label::NotIn(key, values));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        let (key, values) = one(key, value);
        return Ok(Label::In(key, values));
    }
    if let Some((head, values)) = term.strip_suffix(')').and_then(|term| term.split_once('(')) {
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        return match head.split_whitespace().collect::<Vec<_>>().as_slice() {
            [key, "in"] => Ok(Label::In((*key).to_owned(), values)),
            [key, "notin"] => Ok(Label::NotIn((*key).to_owned(), values)),
            _ => Err(bad()),
        };
    }
    match term.strip_prefix('!').map(str::trim) {
        Some(key) if !key.is_empty() => Ok(Label::Missing(key.to_owned())),
        None if !term.contains(char::is_whitespace) => Ok(Label::Exists(term.to_owned())),
        _ => Err(bad()),
    }
}

fn field(term: &str, resource: &Resource) -> Result<Field, Refusal> {
    let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
        (path, false, value)
    } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (path, true, value)
    } else {
        return Err(Refusal::bad_request(format!(
            "invalid selector: {term:?}; can't understand it"
        )));
    };
    let mut known = FIELDS
        .iter()
        .filter(|(group, kind, _)| (*group, *kind) == (resource.group.as_str(), resource.kind.as_str()))
        .flat_map(|(_, _, fields)| *fields);
    let named = path == "metadata.name"
        || (path == "metadata.namespace" && (resource.namespaced || !resource.is_custom()));
    if !named && !known.any(|field| *field == path) {
        return Err(Refusal::bad_request(format!("field label not supported: {path}")));
    }
    Ok(Field(path.to_owned(), equal, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_select() {
        let pods = Resource {
            namespaced: true,
            ..Resource::new("", "v1", "pods", "Pod")
        };
        let pod = json!({"metadata": {"name": "a", "namespace": "x", "labels": {"app": "web", "rack": "r1"}},
            "spec": {"nodeName": "n1"}});
        for (labels, fields, selected) in [
            ("", "", true),
            ("app=web,rack==r1", "", true),
            ("app!=web", "", false),
            ("zone!=a,!zone", "", true),
            ("app in (db, web),rack", "", true),
            ("app notin (db,web)", "", false),
            ("zone", "", false),
            ("", "spec.nodeName=n1,metadata.namespace=x", true),
            ("", "spec.nodeName!=n1", false),
            ("", "spec.hostNetwork=false,status.phase=", true),
            ("", "metadata.name=b", false),
        ] {
            let selector = Selector::new(labels, fields, &pods).expect("a selector");
            assert_eq!(selector.matches(&pod), selected, "{labels} {fields}");
        }
        for (labels, fields) in [("a b", ""), ("app in web", ""), ("", "spec.image=x"), ("", "x")] {
            assert_eq!(
                Selector::new(labels, fields, &pods).expect_err("refused").code,
                400,
                "{labels} {fields}"
            );
        }
    }
}
