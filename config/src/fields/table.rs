//! The table: what every kind has, and the way to the fields of each.

use super::bgp::{BGP_CONFIGURATION, BGP_FILTER, BGP_PEER};
use super::class::{Field, ResourceKind};
use super::entries::{ignored, yes};
use super::ipam::{IP_POOL, IP_RESERVATION, IPAM_CONFIGURATION};
use super::node::NODE;

const SERVER: &str = "written by a server";

/// Fields of every kind.
pub const COMMON: &[Field] = &[
    yes(
        "apiVersion",
        "`roadbed.dev/v1` or `projectcalico.org/v3`; both are read alike.",
    ),
    yes("kind", "The kind."),
    yes("metadata", ""),
    yes(
        "metadata.name",
        "Name, unique for the kind: a DNS name in lower case. Required.",
    ),
    yes(
        "metadata.labels",
        "Labels: text to text. Those of a Node are what selectors see.",
    ),
    yes("metadata.annotations", "Kept for you; never looked at."),
    ignored("metadata.creationTimestamp", SERVER),
    ignored("metadata.deletionGracePeriodSeconds", SERVER),
    ignored("metadata.deletionTimestamp", SERVER),
    ignored("metadata.finalizers", SERVER),
    ignored("metadata.generateName", SERVER),
    ignored("metadata.generation", SERVER),
    ignored("metadata.managedFields", SERVER),
    ignored("metadata.namespace", SERVER),
    ignored("metadata.ownerReferences", SERVER),
    ignored("metadata.resourceVersion", SERVER),
    ignored("metadata.selfLink", SERVER),
    ignored("metadata.uid", SERVER),
    yes("spec", ""),
    ignored("status", "the state of another program"),
];

/// The fields of one kind, without those of every kind.
pub fn of(kind: ResourceKind) -> &'static [Field] {
    match kind {
        ResourceKind::BgpConfiguration => BGP_CONFIGURATION,
        ResourceKind::IpPool => IP_POOL,
        ResourceKind::BgpPeer => BGP_PEER,
        ResourceKind::Node => NODE,
        ResourceKind::BgpFilter => BGP_FILTER,
        ResourceKind::IpReservation => IP_RESERVATION,
        ResourceKind::IpamConfig => IPAM_CONFIGURATION,
    }
}

/// The field of this path, as it stands in a document: `spec.exportV4[3].cidr` is `spec.*[].cidr`.
pub fn find(kind: ResourceKind, path: &str) -> Option<&'static Field> {
    let path = table_path(kind, path);
    all(kind).find(|field| field.path == path)
}

/// A path of a document as the table writes it: without indexes, and with one `*` for the four lists of a
/// BGPFilter, whose rules are alike.
pub fn table_path(kind: ResourceKind, path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        inside = inside && c != ']';
        if !inside {
            plain.push(c);
        }
        inside |= c == '[';
    }
    if kind == ResourceKind::BgpFilter {
        for list in ["exportV4", "importV4", "exportV6", "importV6"] {
            if let Some(rest) = plain.strip_prefix(&format!("spec.{list}[]")) {
                return format!("spec.*[]{rest}");
            }
        }
    }
    plain
}

pub(super) fn all(kind: ResourceKind) -> impl Iterator<Item = &'static Field> {
    COMMON.iter().chain(of(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unique() {
        for kind in ResourceKind::ALL {
            let mut paths: Vec<_> = all(kind).map(|field| field.path).collect();
            paths.sort_unstable();
            let count = paths.len();
            paths.dedup();
            assert_eq!(paths.len(), count, "{}", kind.name());
        }
    }
}
