//! Where a value lives: a space, a group inside it, a name inside the group.
//!
//! Names follow Kubernetes (RFC 1123 subdomain), so that one model fits every store. Prefixes and addresses are
//! spelled so that they are such names: `10.244.1.0-26`, and IPv6 with all eight groups and `-` for `:`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use config::fields::ResourceKind;
use config::vocabulary::resource_name;
use ipnet::IpNet;
use thiserror::Error;

/// What is listed and followed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// The operator's resources: every kind.
    Resources,
    /// Who owns what: blocks, aggregates, loans, sticky addresses, presence.
    Ownership,
    /// The mirror of the addresses that nodes gave out. Large; listed on demand, not followed by every node.
    Addresses,
}

/// The key of one value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A resource of the operator's, by name.
    Resource(ResourceKind, String),
    /// The owner of a block.
    Block(IpNet),
    /// The rack (or other label value) that blocks inside an aggregate belong to.
    Aggregate(IpNet),
    /// A single address lent by the owner of its block to another node.
    Loan(IpAddr),
    /// The addresses that follow a workload, by `namespace.name` of its pod.
    Sticky(String),
    /// That a node's agent is alive.
    Presence(String),
    /// One address as given out: the mirror of a node's ledger.
    Address(IpAddr),
}

/// Text that is not a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a key of this datastore")]
pub struct KeyError(pub String);

impl Key {
    /// The key of a resource.
    pub fn resource(kind: ResourceKind, name: impl Into<String>) -> Key {
        Key::Resource(kind, name.into())
    }

    /// The space that it is in.
    pub fn space(&self) -> Space {
        match self {
            Key::Resource(..) => Space::Resources,
            Key::Address(_) => Space::Addresses,
            _ => Space::Ownership,
        }
    }

    /// The group inside the space: a resource's kind, or the plural word of a record.
    pub fn group(&self) -> &'static str {
        match self {
            Key::Resource(kind, _) => kind.name(),
            Key::Block(_) => "blocks",
            Key::Aggregate(_) => "aggregates",
            Key::Loan(_) => "loans",
            Key::Sticky(_) => "sticky",
            Key::Presence(_) => "presence",
            Key::Address(_) => "addresses",
        }
    }

    /// The name inside the group, an RFC 1123 subdomain.
    pub fn name(&self) -> String {
        match self {
            Key::Resource(_, name) | Key::Sticky(name) | Key::Presence(name) => name.clone(),
            Key::Block(net) | Key::Aggregate(net) => block_name(*net),
            Key::Loan(address) | Key::Address(address) => address_name(*address),
        }
    }

    /// The key of a group and a name as [`Key::group`] and [`Key::name`] give them.
    pub fn parse(group: &str, name: &str) -> Result<Key, KeyError> {
        let wrong = || KeyError(format!("{group}/{name}"));
        if let Some(kind) = ResourceKind::ALL.into_iter().find(|kind| kind.name() == group) {
            return Ok(Key::resource(kind, resource_name(name).map_err(|_| wrong())?));
        }
        let net = || parse_block_name(name).ok_or_else(wrong);
        let address = || parse_address_name(name).ok_or_else(wrong);
        let text = || resource_name(name).map_err(|_| wrong());
        match group {
            "blocks" => Ok(Key::Block(net()?)),
            "aggregates" => Ok(Key::Aggregate(net()?)),
            "loans" => Ok(Key::Loan(address()?)),
            "sticky" => Ok(Key::Sticky(text()?)),
            "presence" => Ok(Key::Presence(text()?)),
            "addresses" => Ok(Key::Address(address()?)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Key {
    /// `group/name`, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group(), self.name())
    }
}

/// `10.244.1.0-26`, `fd00-0010-0000-0000-0000-0000-0000-0000-122`.
pub fn block_name(net: IpNet) -> String {
    format!("{}-{}", address_name(net.network()), net.prefix_len())
}

/// The prefix of such a name; none with host bits.
pub fn parse_block_name(name: &str) -> Option<IpNet> {
    let (address, length) = name.rsplit_once('-')?;
    let net = IpNet::new(parse_address_name(address)?, length.parse().ok()?).ok()?;
    (net.trunc() == net && block_name(net) == name).then_some(net)
}

/// `10.244.1.7`, `fd00-0010-0000-0000-0000-0000-0000-0007`.
pub fn address_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let groups = v6.segments().map(|group| format!("{group:04x}"));
            groups.join("-")
        }
    }
}

/// The address of such a name.
pub fn parse_address_name(name: &str) -> Option<IpAddr> {
    if let Ok(v4) = name.parse() {
        return Some(IpAddr::V4(v4));
    }
    let groups: Vec<u16> = (name.split('-').filter(|g| g.len() == 4))
        .map(|group| u16::from_str_radix(group, 16).ok())
        .collect::<Option<_>>()?;
    let segments: [u16; 8] = groups.try_into().ok()?;
    let address = IpAddr::V6(Ipv6Addr::from(segments));
    (address_name(address) == name).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_and_come_back() {
        let keys = [
            Key::resource(ResourceKind::IpPool, "pods"),
            Key::Block("10.244.1.0/26".parse().expect("valid")),
            Key::Block("fd00:10::/122".parse().expect("valid")),
            Key::Aggregate("10.244.0.0/22".parse().expect("valid")),
            Key::Loan("10.244.1.7".parse().expect("valid")),
            Key::Address("::1".parse().expect("valid")),
            Key::Sticky("default.db-0".into()),
            Key::Presence("node-a".into()),
        ];
        for key in keys {
            assert!(resource_name(&key.name()).is_ok(), "{key}");
            assert_eq!(Key::parse(key.group(), &key.name()), Ok(key));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for (group, name) in [
            ("blocks", "10.244.1.1-26"),
            ("blocks", "10.244.1.0-33"),
            ("blocks", "10.244.1.0-026"),
            ("loans", "fd00-10-0-0-0-0-0-7"),
            ("loans", "+d00-0010-0000-0000-0000-0000-0000-0007"),
            ("addresses", ""),
            ("others", "x"),
            ("IPPool", "Upper"),
        ] {
            assert!(Key::parse(group, name).is_err(), "{group}/{name}");
        }
    }
}
