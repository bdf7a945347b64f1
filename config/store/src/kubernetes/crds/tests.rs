//! The definitions against the table of fields and against the kinds of the store.

use std::collections::BTreeSet;

use config::fields::{self, Class, ResourceKind};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use super::all;
use crate::kubernetes::kinds::{GROUP, Kind, VERSION};

fn schema(definition: &CustomResourceDefinition) -> Value {
    let version = definition.spec.versions.first().expect("a version");
    let schema = version.schema.as_ref().expect("a schema");
    serde_json::to_value(&schema.open_api_v3_schema).expect("JSON")
}

fn of(kind: Kind) -> CustomResourceDefinition {
    let found = all()
        .into_iter()
        .find(|definition| definition.spec.names.kind == kind.name());
    found.unwrap_or_else(|| panic!("{} has no definition", kind.name()))
}

#[test]
fn every_kind_has_its_definition_under_its_path() {
    let ours: Vec<Kind> = Kind::all()
        .into_iter()
        .filter(|kind| kind.group() == GROUP)
        .collect();
    // The kinds of the store, and the one that agents report in.
    assert_eq!(all().len(), ours.len() + 1);
    for kind in ours {
        let definition = of(kind);
        assert_eq!(definition.metadata.name, Some(kind.resource()));
        assert_eq!(definition.spec.names.plural, kind.plural());
        assert_eq!(definition.spec.versions[0].name, VERSION);
        assert_eq!(definition.spec.scope, "Cluster");
        let status = definition.spec.versions[0]
            .subresources
            .as_ref()
            .is_some_and(|s| s.status.is_some());
        assert_eq!(status, matches!(kind, Kind::Resource(_)), "{}", kind.name());
    }
}

/// Paths of all properties, as the table of fields writes them.
fn paths(schema: &Value, path: &str, into: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        paths(property, &path, into);
        paths(&property["items"], &format!("{path}[]"), into);
        into.insert(path);
    }
}

#[test]
fn the_definitions_have_the_fields_that_are_read_and_no_others() {
    for kind in ResourceKind::ALL {
        let read = |field: &&fields::Field| matches!(field.class, Class::Supported | Class::Ours);
        let read: BTreeSet<String> = fields::of(kind)
            .iter()
            .filter(read)
            .map(|field| field.path.to_owned())
            .collect();
        let mut defined = BTreeSet::new();
        paths(
            &schema(&of(Kind::Resource(kind)))["properties"]["spec"],
            "spec",
            &mut defined,
        );
        let defined: BTreeSet<String> = defined
            .iter()
            .map(|path| fields::table_path(kind, path))
            .collect();
        assert_eq!(defined, read, "{}", kind.name());
    }
}

/// The rules of structural schemas that the generator does not see to. Defaults are the agents' business; one that does
/// not fit its own schema (none of at least one) makes a real server refuse the whole definition.
fn structural(schema: &Value, path: &str) {
    for forbidden in [
        "$ref",
        "$defs",
        "definitions",
        "nullable",
        "deprecated",
        "default",
    ] {
        assert!(schema.get(forbidden).is_none(), "{path} has {forbidden}");
    }
    let any = schema["x-kubernetes-int-or-string"] == true
        || schema["x-kubernetes-preserve-unknown-fields"] == true;
    assert!(schema["type"].is_string() || any, "{path} has no type: {schema}");
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        structural(property, &format!("{path}.{name}"));
    }
    if let Some(items) = schema.get("items") {
        structural(items, &format!("{path}[]"));
    }
}

#[test]
fn the_schemas_are_structural_and_keep_what_they_do_not_know() {
    for definition in all() {
        let schema = schema(&definition);
        let kind = &definition.spec.names.kind;
        structural(&schema, kind);
        let spec = &schema["properties"]["spec"];
        assert_eq!(spec["x-kubernetes-preserve-unknown-fields"], true, "{kind}");
        assert_eq!(spec["type"], "object", "{kind}");
    }
}

#[test]
fn rules_name_fields_that_exist() {
    let words = |rule: &str| -> Vec<String> {
        let parts = rule.split("self.").skip(1);
        let word = |part: &str| part.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        parts.map(word).collect()
    };
    /// The rules of an object and of all objects in it.
    fn check(object: &Value, words: &dyn Fn(&str) -> Vec<String>) -> usize {
        let rules = object["x-kubernetes-validations"].as_array();
        for rule in rules.into_iter().flatten() {
            assert!(rule["message"].is_string());
            for word in words(rule["rule"].as_str().expect("text")) {
                assert!(object["properties"][&word].is_object(), "{word} in {rule}");
            }
        }
        let fields = object["properties"]
            .as_object()
            .into_iter()
            .flat_map(|of| of.values());
        let within: usize = fields.chain(object.get("items")).map(|of| check(of, words)).sum();
        within + rules.map_or(0, Vec::len)
    }
    let rules: usize = all()
        .iter()
        .map(|definition| check(&schema(definition)["properties"]["spec"], &words))
        .sum();
    // More than the outer ones alone: those of passwords and of the four lists of a filter's rules are among them.
    assert!(rules > 20, "{rules}");
}
