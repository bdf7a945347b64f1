//! Fields of `Node`.

use super::class::Field;
use super::entries::{ignored, ours, refused, yes};

pub(super) const NODE: &[Field] = &[
    yes("spec.bgp", "BGP identity of the node."),
    yes(
        "spec.bgp.ipv4Address",
        "Its IPv4 address, with or without a prefix length.",
    ),
    yes(
        "spec.bgp.ipv6Address",
        "Its IPv6 address, with or without a prefix length.",
    ),
    yes(
        "spec.bgp.asNumber",
        "Its own AS number. Default: that of the BGPConfiguration.",
    ),
    yes(
        "spec.bgp.routeReflectorClusterID",
        "Makes the node a route reflector of this cluster, written as an IPv4 address. It is in no mesh; iBGP peers of its BGPPeers are its clients, but for reflectors of the same cluster.",
    ),
    yes(
        "spec.vxlanTunnelMACAddr",
        "MAC address of its IPv4 VXLAN device. Default: made of the node's name.",
    ),
    yes("spec.vxlanTunnelMACAddrV6", "The same for IPv6."),
    ours(
        "spec.podCIDRs",
        "Pod subnets that the node owns as given, inside pools. With `kind: file` required where there are pools; `[]` for none. With etcd and Kubernetes optional: blocks are claimed.",
    ),
    ignored(
        "spec.bgp.ipv4IPIPTunnelAddr",
        "the tunnel has the first address of the node's first block",
    ),
    ignored(
        "spec.ipv4VXLANTunnelAddr",
        "the tunnel has the first address of the node's first block",
    ),
    ignored(
        "spec.ipv6VXLANTunnelAddr",
        "the tunnel has the first address of the node's first block",
    ),
    ignored("spec.orchRefs", "names in other systems are not needed"),
    ignored("spec.addresses", "the node is reached at its BGP address"),
    ignored("spec.interfaces", "the kernel says what interfaces there are"),
    refused(
        "spec.wireguard",
        &[],
        "WireGuard is not built, traffic would go unencrypted",
    ),
];
