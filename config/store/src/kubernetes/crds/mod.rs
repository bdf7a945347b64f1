//! The definitions of our custom resources, made from Rust types.
//!
//! What the schema does not know is kept, not pruned (`x-kubernetes-preserve-unknown-fields` on every spec): Calico's
//! YAML is taken as it is, and it is the agents that say of each field whether it is ignored or refused, by name; an
//! API server that dropped it in silence would hide it from them. What the schema does know is checked when it is
//! written: types, bounds, choices, and in CEL the rules between fields. `deploy/crds` is written from here.

mod bgp;
mod filter;
mod ipam;
mod node;
mod records;
mod shared;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, ValidationRule,
};
use kube::CustomResourceExt;

/// Every definition: of the operator's resources first, then of the records.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![
        only_default(bgp::BGPConfiguration::crd()),
        ipam::IPPool::crd(),
        bgp::BGPPeer::crd(),
        node::Node::crd(),
        filter::BGPFilter::crd(),
        ipam::IPReservation::crd(),
        only_default(ipam::IPAMConfiguration::crd()),
        records::IPAMBlock::crd(),
        records::IPAMAggregate::crd(),
        records::IPAMLoan::crd(),
        records::IPAMSticky::crd(),
        records::IPAMAddress::crd(),
    ]
}

/// There is one of these, and it has one name.
fn only_default(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let schemas = definition
        .spec
        .versions
        .iter_mut()
        .filter_map(|version| version.schema.as_mut());
    for schema in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        schema.x_kubernetes_validations = Some(vec![ValidationRule {
            rule: "self.metadata.name == 'default'".into(),
            message: Some("only the one named default is read".into()),
            ..ValidationRule::default()
        }]);
    }
    definition
}

#[cfg(test)]
mod tests;
