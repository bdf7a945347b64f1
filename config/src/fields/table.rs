//! The table.

use super::class::{Class, Field, ResourceKind};

const fn yes(path: &'static str, about: &'static str) -> Field {
    Field {
        path,
        class: Class::Supported,
        about,
    }
}

const fn ours(path: &'static str, about: &'static str) -> Field {
    Field {
        path,
        class: Class::Ours,
        about,
    }
}

const fn ignored(path: &'static str, why: &'static str) -> Field {
    Field {
        path,
        class: Class::Ignored(why),
        about: "",
    }
}

const fn refused(path: &'static str, harmless: &'static [&'static str], why: &'static str) -> Field {
    Field {
        path,
        class: Class::Refused { harmless, why },
        about: "",
    }
}

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

const BGP_CONFIGURATION: &[Field] = &[
    yes(
        "spec.asNumber",
        "AS number of every node that has none of its own, `64512` or `1.10`. Default 64512.",
    ),
    yes(
        "spec.nodeToNodeMeshEnabled",
        "Whether every node peers with every other. Default true.",
    ),
    yes(
        "spec.listenPort",
        "TCP port of BGP on the nodes, 1 to 65535. Default 179.",
    ),
    ours(
        "spec.installRoutes",
        "false keeps learned routes out of the kernel: a pure route server. Default true.",
    ),
    ours(
        "spec.feedDeferralTime",
        "The longest wait for the first full feed before routes of an earlier run are swept, up to 1h. Default 60s.",
    ),
    ignored(
        "spec.logSeverityScreen",
        "the log level is set by the RUST_LOG variable of the agent",
    ),
    ignored(
        "spec.programClusterRoutes",
        "the kernel has one owner here, it always has the routes",
    ),
    ignored("spec.ignoredInterfaces", "no routes are taken from interfaces"),
    ignored(
        "spec.nodeMeshMaxRestartTime",
        "peers may keep our routes for 120 s while we restart; another time is not built yet",
    ),
    refused(
        "spec.nodeMeshPassword",
        &[],
        "TCP MD5 passwords are not built yet, mesh sessions would be unprotected",
    ),
    refused(
        "spec.bindMode",
        &["None"],
        "listening on the node's address only is not built yet",
    ),
    refused(
        "spec.serviceClusterIPs",
        &[],
        "announcing services is not built yet",
    ),
    refused(
        "spec.serviceExternalIPs",
        &[],
        "announcing services is not built yet",
    ),
    refused(
        "spec.serviceLoadBalancerIPs",
        &[],
        "announcing services is not built yet",
    ),
    refused(
        "spec.serviceLoadBalancerAggregation",
        &["Enabled"],
        "announcing services is not built yet",
    ),
    refused(
        "spec.communities",
        &[],
        "communities on announced routes are not built yet",
    ),
    refused(
        "spec.prefixAdvertisements",
        &[],
        "communities on announced routes are not built yet",
    ),
    refused(
        "spec.localWorkloadPeeringIPV4",
        &[],
        "BGP with pods is not built yet",
    ),
    refused(
        "spec.localWorkloadPeeringIPV6",
        &[],
        "BGP with pods is not built yet",
    ),
    refused(
        "spec.ipv4NormalRoutePriority",
        &["1024"],
        "a metric of your own for routes is not built yet: it is 1082, behind every usual default",
    ),
    refused(
        "spec.ipv6NormalRoutePriority",
        &["1024"],
        "a metric of your own for routes is not built yet: it is 1082, behind every usual default",
    ),
    refused(
        "spec.ipv4ElevatedRoutePriority",
        &["512"],
        "live migration of pods is not built yet",
    ),
    refused(
        "spec.ipv6ElevatedRoutePriority",
        &["512"],
        "live migration of pods is not built yet",
    ),
];

const IP_POOL: &[Field] = &[
    yes(
        "spec.cidr",
        "The range, host bits zero. Required; pools do not overlap.",
    ),
    yes(
        "spec.blockSize",
        "Prefix length of the nodes' blocks: 20 to 32 (default 26), IPv6 116 to 128 (default 122).",
    ),
    yes(
        "spec.vxlanMode",
        "`Never` (default), `CrossSubnet` or `Always`. Not together with `ipipMode`.",
    ),
    yes(
        "spec.ipipMode",
        "`Never` (default), `CrossSubnet` or `Always`; IPv4 only.",
    ),
    yes("spec.disabled", "No new addresses from this pool. Default false."),
    yes(
        "spec.nodeSelector",
        "Nodes that may take addresses from this pool. Default `all()`.",
    ),
    yes(
        "spec.allowedUses",
        "List of `Workload` and `Tunnel`. Default both.",
    ),
    refused(
        "spec.natOutgoing",
        &[],
        "masquerading is not built yet, pods would leave with their own addresses",
    ),
    refused(
        "spec.disableBGPExport",
        &[],
        "a pool that is not announced is not built yet",
    ),
    refused(
        "spec.assignmentMode",
        &["Automatic"],
        "addresses on request only are not built yet",
    ),
    refused(
        "spec.namespaceSelector",
        &["all()"],
        "pools for some namespaces only are not built yet",
    ),
    refused(
        "spec.ipip",
        &[],
        "this is the form of Calico's first API: write ipipMode",
    ),
    refused(
        "spec.nat-outgoing",
        &[],
        "this is the form of Calico's first API: write natOutgoing",
    ),
    refused("spec.awsSubnetID", &[], "addresses of a cloud are not built"),
];

const BGP_PEER: &[Field] = &[
    yes(
        "spec.node",
        "Name of the one node that has this peering. Not together with `nodeSelector`.",
    ),
    yes(
        "spec.nodeSelector",
        "Nodes that have this peering. Default, without `node`: all.",
    ),
    yes(
        "spec.peerIP",
        "Address of the peer, with a port if it is not 179: `192.0.2.1`, `192.0.2.1:1179`, `[2001:db8::1]:1179`.",
    ),
    yes("spec.asNumber", "AS number of the peer. Required with `peerIP`."),
    yes(
        "spec.peerSelector",
        "Nodes to peer with, in place of `peerIP` and `asNumber`.",
    ),
    yes(
        "spec.reversePeering",
        "With `peerSelector`: `Auto` (default) also peers back, `Manual` does not.",
    ),
    yes(
        "spec.sourceAddress",
        "`UseNodeIP` (default): from the node's BGP address. `None`: what the kernel chooses.",
    ),
    ours("spec.passive", "Wait for the peer to connect. Default false."),
    ours(
        "spec.transit",
        "Lift the default policy: pass on to and accept from this peer what eBGP taught. Default false.",
    ),
    ignored(
        "spec.maxRestartTime",
        "peers may keep our routes for 120 s while we restart; another time is not built yet",
    ),
    ignored(
        "spec.keepaliveTime",
        "keepalives go every third of the hold time, 30 s",
    ),
    refused(
        "spec.filters",
        &[],
        "BGPFilter comes with a later version, routes would pass unfiltered",
    ),
    refused(
        "spec.password",
        &[],
        "TCP MD5 passwords are not built yet, the session would be unprotected",
    ),
    refused(
        "spec.keepOriginalNextHop",
        &[],
        "a next hop of your choice is not built yet",
    ),
    refused(
        "spec.nextHopMode",
        &["Auto"],
        "a next hop of your choice is not built yet",
    ),
    refused(
        "spec.localASNumber",
        &[],
        "another AS number towards one peer is not built yet",
    ),
    refused(
        "spec.numAllowedLocalASNumbers",
        &["0"],
        "our own AS in a received path is always a loop",
    ),
    refused(
        "spec.ttlSecurity",
        &["0"],
        "TTL security is not built yet, the session would be unprotected",
    ),
    refused(
        "spec.reachableBy",
        &[],
        "a route to the peer of its own is not built yet",
    ),
    refused(
        "spec.localWorkloadSelector",
        &[],
        "BGP with pods is not built yet",
    ),
    refused("spec.failureDetectionMode", &["None"], "BFD is not built yet"),
    refused(
        "spec.restartMode",
        &["GracefulRestart"],
        "long-lived graceful restart is not built yet",
    ),
    refused(
        "spec.birdGatewayMode",
        &["Recursive"],
        "next hops are always resolved recursively",
    ),
    refused(
        "spec.externalNetwork",
        &[],
        "networks beside the pod network are not built",
    ),
];

const NODE: &[Field] = &[
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
        "spec.vxlanTunnelMACAddr",
        "MAC address of its IPv4 VXLAN device. Default: made of the node's name.",
    ),
    yes("spec.vxlanTunnelMACAddrV6", "The same for IPv6."),
    ours(
        "spec.podCIDRs",
        "Pod subnets that the node owns, inside pools. With `kind: file` required where there are pools; `[]` for none.",
    ),
    refused(
        "spec.bgp.routeReflectorClusterID",
        &[],
        "route reflection is not built yet",
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
    refused(
        "spec.wireguard",
        &[],
        "WireGuard is not built, traffic would go unencrypted",
    ),
];

/// The fields of one kind, without those of every kind.
pub fn of(kind: ResourceKind) -> &'static [Field] {
    match kind {
        ResourceKind::BgpConfiguration => BGP_CONFIGURATION,
        ResourceKind::IpPool => IP_POOL,
        ResourceKind::BgpPeer => BGP_PEER,
        ResourceKind::Node => NODE,
    }
}

/// The field of this path.
pub fn find(kind: ResourceKind, path: &str) -> Option<&'static Field> {
    all(kind).find(|field| field.path == path)
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
