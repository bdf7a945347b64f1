//! The definitions of our custom resources, made from Rust types.
//!
//! What the schema does not know is kept, not pruned (`x-kubernetes-preserve-unknown-fields` on every spec): Calico's
//! YAML is taken as it is, and it is the agents that say of each field whether it is ignored or refused, by name; an
//! API server that dropped it in silence would hide it from them. What the schema does know is checked when it is
//! written: types, bounds, choices, and in CEL the rules between fields. `deploy/crds` is written from here.

#![allow(
    clippy::duplicated_attributes,
    reason = "columns of one kind may have the same type"
)]

mod bfd;
mod bgp;
mod filter;
mod ipam;
mod node;
mod policy;
mod records;
mod session;
mod shared;
mod status;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrArray::Schema;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, ValidationRule,
};
use kube::CustomResourceExt;

/// Every definition: of the operator's resources first, then of the records, and of what agents report.
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        bgp::BGPConfiguration::crd(),
        ipam::IPPool::crd(),
        bgp::BGPPeer::crd(),
        node::Node::crd(),
        filter::BGPFilter::crd(),
        ipam::IPReservation::crd(),
        ipam::IPAMConfiguration::crd(),
        records::IPAMBlock::crd(),
        records::IPAMAggregate::crd(),
        records::IPAMLoan::crd(),
        records::IPAMSticky::crd(),
        records::IPAMAddress::crd(),
        status::BGPNodeStatus::crd(),
    ];
    for definition in &mut all {
        let single = SINGLE.contains(&definition.spec.names.kind.as_str());
        let schemas = definition
            .spec
            .versions
            .iter_mut()
            .filter_map(|version| version.schema.as_mut());
        for schema in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
            never_null(schema);
            if single {
                schema.x_kubernetes_validations = Some(vec![only_default()]);
            }
        }
    }
    all
}

/// Kinds of which one is read, by the name `default`.
const SINGLE: [&str; 2] = ["BGPConfiguration", "IPAMConfiguration"];

fn only_default() -> ValidationRule {
    ValidationRule {
        rule: "self.metadata.name == 'default'".into(),
        message: Some("only the one named default is read".into()),
        ..ValidationRule::default()
    }
}

/// What is optional may be left out; `null` would be a third state that rules in CEL stumble over.
fn never_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema
        .properties
        .iter_mut()
        .flatten()
        .for_each(|(_, property)| never_null(property));
    if let Some(Schema(items)) = &mut schema.items {
        never_null(items);
    }
}

#[cfg(test)]
mod tests;
