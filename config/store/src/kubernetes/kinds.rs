//! Where each key of the datastore lives in the API: group, plural, kind, and back from a name to the key.

use config::fields::ResourceKind;
use datastore::{Key, KeyError, Space};

/// The API group of our custom resources.
pub const GROUP: &str = "roadbed.dev";

/// Their version.
pub const VERSION: &str = "v1";

/// The namespace of the leases in which agents show that they live: the same for every agent, wherever it runs.
pub const LEASE_NAMESPACE: &str = "kube-system";

/// Names of our leases begin with this: their namespace belongs to others as well.
const LEASE_PREFIX: &str = "roadbed.";

/// A type of objects that this store reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The Node of Kubernetes itself: read, never written.
    CoreNode,
    /// A resource of the operator's.
    Resource(ResourceKind),
    /// Owner of a block.
    Block,
    /// Label value of an aggregate.
    Aggregate,
    /// A lent address.
    Loan,
    /// Addresses that follow a workload.
    Sticky,
    /// One address as given out.
    Address,
    /// A lease that shows that an agent lives.
    Lease,
}

impl Kind {
    /// The records: custom resources of ours that programs write.
    pub const RECORDS: [Kind; 5] = [
        Kind::Block,
        Kind::Aggregate,
        Kind::Loan,
        Kind::Sticky,
        Kind::Address,
    ];

    /// Every type that is read or written.
    pub fn all() -> Vec<Kind> {
        let mut kinds = vec![Kind::CoreNode, Kind::Lease];
        kinds.extend(ResourceKind::ALL.map(Kind::Resource));
        kinds.extend(Kind::RECORDS);
        kinds
    }

    /// The type that a key is written as.
    pub fn of(key: &Key) -> Kind {
        match key {
            Key::Resource(kind, _) => Kind::Resource(*kind),
            Key::Block(_) => Kind::Block,
            Key::Aggregate(_) => Kind::Aggregate,
            Key::Loan(_) => Kind::Loan,
            Key::Sticky(_) => Kind::Sticky,
            Key::Presence(_) => Kind::Lease,
            Key::Address(_) => Kind::Address,
        }
    }

    /// The types that are watched for a space.
    pub fn of_space(space: Space) -> Vec<Kind> {
        match space {
            Space::Resources => {
                let ours = ResourceKind::ALL.map(Kind::Resource);
                std::iter::once(Kind::CoreNode).chain(ours).collect()
            }
            Space::Ownership => vec![Kind::Block, Kind::Aggregate, Kind::Loan, Kind::Sticky],
            Space::Addresses => vec![Kind::Address],
        }
    }

    /// The kind, as objects name it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::CoreNode => "Node",
            Kind::Resource(kind) => kind.name(),
            Kind::Block => "IPAMBlock",
            Kind::Aggregate => "IPAMAggregate",
            Kind::Loan => "IPAMLoan",
            Kind::Sticky => "IPAMSticky",
            Kind::Address => "IPAMAddress",
            Kind::Lease => "Lease",
        }
    }

    /// The API group; empty for core.
    pub fn group(self) -> &'static str {
        match self {
            Kind::CoreNode => "",
            Kind::Lease => "coordination.k8s.io",
            _ => GROUP,
        }
    }

    /// `roadbed.dev/v1`.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => VERSION.to_owned(),
            group => format!("{group}/{VERSION}"),
        }
    }

    /// The plural, as in paths.
    pub fn plural(self) -> String {
        match self {
            Kind::Sticky => "ipamstickies".to_owned(),
            Kind::Address => "ipamaddresses".to_owned(),
            other => format!("{}s", other.name().to_lowercase()),
        }
    }

    /// `ippools.roadbed.dev`, as in rules of RBAC and in messages.
    pub fn resource(self) -> String {
        match self.group() {
            "" => self.plural(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// The path of all its objects.
    pub fn path(self) -> String {
        let plural = self.plural();
        match self {
            Kind::CoreNode => format!("/api/{VERSION}/{plural}"),
            Kind::Lease => {
                format!(
                    "/apis/{}/{VERSION}/namespaces/{LEASE_NAMESPACE}/{plural}",
                    self.group()
                )
            }
            _ => format!("/apis/{}/{VERSION}/{plural}", self.group()),
        }
    }

    /// The name of the object of a key.
    pub fn object_name(key: &Key) -> String {
        match key {
            Key::Presence(node) => format!("{LEASE_PREFIX}{node}"),
            other => other.name(),
        }
    }

    /// The key of an object of this type.
    ///
    /// # Errors
    /// Where the name is not one that this store gives.
    pub fn key(self, name: &str) -> Result<Key, KeyError> {
        let group = match self {
            Kind::CoreNode => ResourceKind::Node.name(),
            Kind::Resource(kind) => kind.name(),
            Kind::Block => "blocks",
            Kind::Aggregate => "aggregates",
            Kind::Loan => "loans",
            Kind::Sticky => "sticky",
            Kind::Address => "addresses",
            Kind::Lease => "presence",
        };
        let name = match self {
            Kind::Lease => name
                .strip_prefix(LEASE_PREFIX)
                .ok_or_else(|| KeyError(name.to_owned()))?,
            _ => name,
        };
        Key::parse(group, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        for (kind, resource, path) in [
            (Kind::CoreNode, "nodes", "/api/v1/nodes"),
            (
                Kind::Resource(ResourceKind::Node),
                "nodes.roadbed.dev",
                "/apis/roadbed.dev/v1/nodes",
            ),
            (
                Kind::Resource(ResourceKind::IpPool),
                "ippools.roadbed.dev",
                "/apis/roadbed.dev/v1/ippools",
            ),
            (
                Kind::Block,
                "ipamblocks.roadbed.dev",
                "/apis/roadbed.dev/v1/ipamblocks",
            ),
            (
                Kind::Lease,
                "leases.coordination.k8s.io",
                "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases",
            ),
        ] {
            assert_eq!((kind.resource().as_str(), kind.path().as_str()), (resource, path));
        }
    }

    #[test]
    fn every_key_comes_back_from_its_kind_and_name() {
        let keys = [
            Key::resource(ResourceKind::Node, "a"),
            Key::Block("10.0.0.0/26".parse().expect("valid")),
            Key::Aggregate("10.0.0.0/22".parse().expect("valid")),
            Key::Loan("10.0.0.1".parse().expect("valid")),
            Key::Sticky("default.db-0".into()),
            Key::Presence("a".into()),
            Key::Address("fd00::1".parse().expect("valid")),
        ];
        for key in keys {
            assert_eq!(Kind::of(&key).key(&Kind::object_name(&key)), Ok(key));
        }
    }
}
