//! Calico's keys in etcd (its `etcdv3` datastore): which value lives where.
//!
//! ```text
//! /calico/resources/v3/projectcalico.org/PLURAL/[NAMESPACE/]NAME     resources as JSON documents
//! /calico/ipam/v2/assignment/ipv4/block/10.244.1.0-26                blocks
//! /calico/ipam/v2/host/NODE/ipv4/block/10.244.1.0-26                 who has which block
//! /calico/ipam/v2/virtual/load-balancer/ipv4/block/...               the same, where the owner is no node
//! /calico/ipam/v2/handle/ID                                          owners of addresses
//! /calico/ipam/v2/config                                             settings
//! ```

use ipnet::IpNet;

use super::snapshot::Affinity;

/// Resources.
pub const RESOURCES: &str = "/calico/resources/v3/projectcalico.org/";
/// Blocks.
pub const BLOCKS: &str = "/calico/ipam/v2/assignment/";
/// Affinities of nodes.
pub const HOSTS: &str = "/calico/ipam/v2/host/";
/// Affinities of what is no node.
pub const VIRTUALS: &str = "/calico/ipam/v2/virtual/";
/// Handles.
pub const HANDLES: &str = "/calico/ipam/v2/handle/";
/// Settings of address management.
pub const CONFIG: &str = "/calico/ipam/v2/config";
/// The data of Calico before version 3, which calico-upgrade moves.
pub const OLD: &str = "/calico/v1/";

/// Kind (plural) and name of a resource's key; the name is `namespace/name` where there is a namespace.
pub fn resource(key: &str) -> Option<(&str, &str)> {
    let (plural, name) = key.strip_prefix(RESOURCES)?.split_once('/')?;
    (!name.is_empty() && name.matches('/').count() < 2).then_some((plural, name))
}

/// The range of a block's key.
pub fn block(key: &str) -> Option<IpNet> {
    let (family, rest) = key.strip_prefix(BLOCKS)?.split_once('/')?;
    net(family, rest.strip_prefix("block/")?)
}

/// Owner and range of an affinity's key.
pub fn affinity(key: &str) -> Option<(Affinity, IpNet)> {
    let (rest, host) = match key.strip_prefix(HOSTS) {
        Some(rest) => (rest, true),
        None => (key.strip_prefix(VIRTUALS)?, false),
    };
    let (name, rest) = rest.split_once('/')?;
    let (family, rest) = rest.split_once('/')?;
    let net = net(family, rest.strip_prefix("block/")?)?;
    let owner = if host {
        Affinity::Host(name.to_owned())
    } else {
        Affinity::Virtual(name.to_owned())
    };
    (!name.is_empty()).then_some((owner, net))
}

/// `10.244.1.0-26` or `fd00::-122`, with the family of its folder.
fn net(family: &str, name: &str) -> Option<IpNet> {
    let (address, length) = name.rsplit_once('-')?;
    let net: IpNet = format!("{address}/{length}").parse().ok()?;
    let right = match net {
        IpNet::V4(_) => family == "ipv4",
        IpNet::V6(_) => family == "ipv6",
    };
    (right && net.trunc() == net).then_some(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_named_by_their_keys() {
        let pool = format!("{RESOURCES}ippools/default-ipv4-ippool");
        assert_eq!(resource(&pool), Some(("ippools", "default-ipv4-ippool")));
        let policy = format!("{RESOURCES}networkpolicies/shop/default.allow");
        assert_eq!(resource(&policy), Some(("networkpolicies", "shop/default.allow")));
        for bad in [
            "/calico/v1/ipam",
            "/calico/resources/v3/projectcalico.org/ippools",
            "",
            &format!("{RESOURCES}a/b/c/d"),
        ] {
            assert_eq!(resource(bad), None, "{bad}");
        }
    }

    #[test]
    fn blocks_and_affinities_of_both_families() {
        let net = |text: &str| text.parse::<IpNet>().expect("net");
        assert_eq!(
            block("/calico/ipam/v2/assignment/ipv4/block/10.244.1.64-26"),
            Some(net("10.244.1.64/26"))
        );
        assert_eq!(
            block("/calico/ipam/v2/assignment/ipv6/block/fd00:10:244::-122"),
            Some(net("fd00:10:244::/122"))
        );
        let node = Affinity::Host("node-a".into());
        assert_eq!(
            affinity("/calico/ipam/v2/host/node-a/ipv4/block/10.244.1.64-26"),
            Some((node, net("10.244.1.64/26")))
        );
        let balancer = Affinity::Virtual("load-balancer".into());
        assert_eq!(
            affinity("/calico/ipam/v2/virtual/load-balancer/ipv4/block/10.9.0.0-26"),
            Some((balancer, net("10.9.0.0/26")))
        );
        for bad in [
            "/calico/ipam/v2/assignment/ipv6/block/10.244.1.64-26",
            "/calico/ipam/v2/assignment/ipv4/block/10.244.1.65-26",
            "/calico/ipam/v2/assignment/ipv4/block/x",
            "/calico/ipam/v2/assignment/ipv4/10.244.1.64-26",
        ] {
            assert_eq!(block(bad), None, "{bad}");
        }
        assert_eq!(affinity("/calico/ipam/v2/host//ipv4/block/10.244.1.64-26"), None);
    }
}
