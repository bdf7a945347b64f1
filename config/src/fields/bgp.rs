//! Fields of `BGPConfiguration`, `BGPPeer` and `BGPFilter`.

use super::class::Field;
use super::entries::{ignored, ours, refused, yes};

pub(super) const BGP_CONFIGURATION: &[Field] = &[
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
    yes(
        "spec.serviceClusterIPs",
        "Ranges of ClusterIPs. Every node announces each range as a whole; the address of a Service with `externalTrafficPolicy` or `internalTrafficPolicy: Local` is announced by itself too, by the nodes with ready endpoints.",
    ),
    yes(
        "spec.serviceClusterIPs[].cidr",
        "The range. Host bits are dropped with a warning. It does not meet a pool for pods.",
    ),
    yes(
        "spec.serviceExternalIPs",
        "Ranges of `spec.externalIPs` of Services, as above; those outside are not announced.",
    ),
    yes(
        "spec.serviceExternalIPs[].cidr",
        "The range; a /32 or /128 is announced where a Service has the address.",
    ),
    yes(
        "spec.serviceLoadBalancerIPs",
        "Ranges of load balancers' addresses (`status.loadBalancer` of Services), as above; those outside are not announced.",
    ),
    yes(
        "spec.serviceLoadBalancerIPs[].cidr",
        "The range; a /32 or /128 is announced where a Service has the address.",
    ),
    yes(
        "spec.serviceLoadBalancerAggregation",
        "`Enabled` (default): every node announces each range of load balancers as a whole. `Disabled`: each address of a Service by itself.",
    ),
    yes(
        "spec.ipv4NormalRoutePriority",
        "Metric of learned IPv4 routes in the kernel, 1 to 2147483646. Default 1082, behind every usual default, where Calico's is 1024; `routeMetric` of the agent file comes before it.",
    ),
    yes("spec.ipv6NormalRoutePriority", "The same for IPv6."),
    ours(
        "spec.vxlanVNI",
        "VNI of the VXLAN devices, 1 to 16777215, the same on all nodes. Default 4096, as Calico's FelixConfiguration has it.",
    ),
    ours(
        "spec.vxlanPort",
        "UDP port of the VXLAN devices, 1 to 65535, the same on all nodes. Default 4789.",
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

pub(super) const BGP_PEER: &[Field] = &[
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
        "filters are read and checked, but not applied yet: routes would pass unfiltered",
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

pub(super) const BGP_FILTER: &[Field] = &[
    yes(
        "spec.exportV4",
        "Rules for IPv4 routes to the peer; the first one that matches decides. Filters are read and checked, but not applied yet.",
    ),
    yes("spec.importV4", "Rules for IPv4 routes from the peer."),
    yes("spec.exportV6", "Rules for IPv6 routes to the peer."),
    yes("spec.importV6", "Rules for IPv6 routes from the peer."),
    yes(
        "spec.*[].cidr",
        "A range of the family of the list, host bits zero; together with `matchOperator`.",
    ),
    yes(
        "spec.*[].matchOperator",
        "`Equal`, `NotEqual`, `In` or `NotIn`: how the prefix of the route compares with `cidr`.",
    ),
    yes(
        "spec.*[].prefixLength",
        "Bounds of the prefix length, with `cidr`.",
    ),
    yes(
        "spec.*[].prefixLength.min",
        "Shortest prefix length that matches. Default: that of `cidr`.",
    ),
    yes(
        "spec.*[].prefixLength.max",
        "Longest prefix length that matches. Default 32, IPv6 128.",
    ),
    yes(
        "spec.*[].source",
        "`RemotePeers`: only routes that were learned from peers. Says nothing in the import lists.",
    ),
    yes(
        "spec.*[].interface",
        "Only routes that leave by this interface; `*` stands for any text.",
    ),
    yes(
        "spec.*[].peerType",
        "`eBGP` or `iBGP`: only for peers of this type.",
    ),
    yes("spec.*[].communities", "A community that the route carries."),
    yes(
        "spec.*[].communities.values",
        "Exactly one: `64512:100`, or large as in `64512:1:2`.",
    ),
    yes(
        "spec.*[].asPathPrefix",
        "AS numbers with which the AS path begins.",
    ),
    yes("spec.*[].priority", "The priority of the route, 1 to 2147483646."),
    yes("spec.*[].action", "`Accept` or `Reject`. Required."),
    yes(
        "spec.*[].operations",
        "What is changed on the route, in order, up to 10; only with `Accept`. Each item has one of the following.",
    ),
    yes("spec.*[].operations[].addCommunity", "Adds a community."),
    yes("spec.*[].operations[].addCommunity.value", "The community."),
    yes("spec.*[].operations[].prependASPath", "Makes the AS path longer."),
    yes(
        "spec.*[].operations[].prependASPath.prefix",
        "AS numbers that are put before it.",
    ),
    yes("spec.*[].operations[].setPriority", "Sets the priority."),
    yes(
        "spec.*[].operations[].setPriority.value",
        "The priority, 1 to 2147483646.",
    ),
];
