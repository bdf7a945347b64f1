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
    yes(
        "spec.communities",
        "Names for communities, for `prefixAdvertisements`.",
    ),
    yes("spec.communities[].name", "The name. Required."),
    yes(
        "spec.communities[].value",
        "The community, `64512:100`, or large as in `64512:1:2`. Required.",
    ),
    yes(
        "spec.prefixAdvertisements",
        "Communities of the routes that nodes originate, by range. A route carries those of every range that it lies in.",
    ),
    yes("spec.prefixAdvertisements[].cidr", "The range. Required."),
    yes(
        "spec.prefixAdvertisements[].communities",
        "Communities, or names from `communities`.",
    ),
    ours("spec.multipath", "Which equal paths are used together."),
    ours(
        "spec.multipath.maxPaths",
        "How many paths a route has at most, 1 to 256. Default 8.",
    ),
    ours(
        "spec.multipath.relax",
        "Whether eBGP paths of equal length are used together whatever ASes they cross; without it a fabric with an AS for each ToR has no ECMP. Default true.",
    ),
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
    yes(
        "spec.nodeMeshMaxRestartTime",
        "How long nodes keep each other's routes while one restarts, 1s to 4095s. Default 120s.",
    ),
    yes(
        "spec.nodeMeshPassword",
        "Where the TCP MD5 password of the mesh is kept; the same for all nodes, at most 80 octets.",
    ),
    yes(
        "spec.nodeMeshPassword.secretKeyRef",
        "A Kubernetes secret in the namespace of the agent.",
    ),
    yes("spec.nodeMeshPassword.secretKeyRef.name", "Its name."),
    yes("spec.nodeMeshPassword.secretKeyRef.key", "The key in it."),
    ours(
        "spec.nodeMeshPassword.file",
        "A file on each node, in place of a secret: its first line.",
    ),
    ours(
        "spec.holdTime",
        "Hold time of every session whose BGPPeer has none, 3s to 65535s. Default 90s.",
    ),
    ours(
        "spec.connectRetryTime",
        "Pause between attempts to connect, of every session whose BGPPeer has none, 1s to 1h. Default 5s.",
    ),
    ours(
        "spec.feedDeferralTime",
        "The longest wait for the first full feed before routes of an earlier run are swept, up to 1h. Default 60s.",
    ),
    ours(
        "spec.bfd",
        "How the paths of all sessions are watched with BFD: see bfd.md. What is absent is as by default.",
    ),
    ours(
        "spec.bfd.mode",
        "`Auto`, `Off`, `SingleHop` (RFC 5881) or `MultiHop` (RFC 5883). Default `Auto`.",
    ),
    ours(
        "spec.bfd.receiveInterval",
        "The peer need not send faster than this, 10ms to 60s. Default 300ms.",
    ),
    ours(
        "spec.bfd.transmitInterval",
        "We do not send faster than this, 10ms to 60s. Default 300ms.",
    ),
    ours(
        "spec.bfd.detectMultiplier",
        "So many packets missing are a loss, 2 to 255. Default 3.",
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
    refused(
        "spec.bindMode",
        &["None"],
        "listening on the node's address only is not built yet",
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
        "Address of the peer, with a port if it is not 179: `192.0.2.1`, `192.0.2.1:1179`, `[2001:db8::1]:1179`. A link-local one only beside `interface`.",
    ),
    yes(
        "spec.asNumber",
        "AS number of the peer; ours: `external` for any but the node's, `internal` for the node's. Required, but with `peerSelector`.",
    ),
    yes(
        "spec.peerSelector",
        "Nodes to peer with, in place of `peerIP` and `asNumber`.",
    ),
    ours(
        "spec.peerIPRange",
        "In place of `peerIP`: whoever connects from this network becomes a peer, and is none any more when its session has ended.",
    ),
    ours(
        "spec.maxPeers",
        "With `peerIPRange`: how many there may be at the same time, 1 to 10000. Default 100.",
    ),
    ours(
        "spec.interface",
        "In place of `peerIP`: the node's interface at whose other end the peer is (\"unnumbered\"). Its link-local address is found by router advertisements, which the node sends there too, and in the kernel's table of neighbours; with a link-local `peerIP` it is not looked for.",
    ),
    ours(
        "spec.peerPort",
        "With `interface`: TCP port of the peer. Default 179.",
    ),
    yes(
        "spec.reversePeering",
        "With `peerSelector`: `Auto` (default) also peers back, `Manual` does not.",
    ),
    yes(
        "spec.sourceAddress",
        "`UseNodeIP` (default): from the node's BGP address. `None`: what the kernel chooses. Ours: an address of the node, for sessions of its family.",
    ),
    yes(
        "spec.filters",
        "Names of BGPFilters, asked in this order: the first rule of them all that matches a route decides.",
    ),
    yes(
        "spec.localASNumber",
        "Our AS number towards this peer, in place of the node's.",
    ),
    yes(
        "spec.numAllowedLocalASNumbers",
        "How often our AS number may be in an AS path that the peer sends; more is a loop. 0 to 255, default 0.",
    ),
    yes(
        "spec.nextHopMode",
        "`Auto` (default): the node is the next hop towards eBGP, towards iBGP the learned one stays. `Self`: the node. `Keep`: the learned one stays. What a node originates always has its own address.",
    ),
    yes(
        "spec.keepOriginalNextHop",
        "true is `nextHopMode: Keep` towards eBGP peers. Default false.",
    ),
    ours(
        "spec.localASMode",
        "With `localASNumber`: `ReplaceAS` (default, Calico's meaning): the peer sees that number alone. `NoPrepend`: it sees it before the node's. `Prepend`: as `NoPrepend`, and it is put before the AS path of what the peer sends.",
    ),
    ours(
        "spec.asOverride",
        "Replace the peer's AS number by ours in what it is told. It takes the peer's protection against loops away. Default false.",
    ),
    ours(
        "spec.removePrivateAS",
        "Private AS numbers in what an eBGP peer is told: `Never` (default) removed, `IfAllPrivate`: where there are no others, `All`, or `Replace` each by ours. The peer's own stays.",
    ),
    ours(
        "spec.enforceFirstAS",
        "Refuse routes of an eBGP peer whose AS path does not begin with its AS number. false for route servers. Default true.",
    ),
    ours(
        "spec.honorGracefulShutdown",
        "Routes of an eBGP peer with the community graceful-shutdown are the last resort (RFC 8326). Default true.",
    ),
    ours("spec.passive", "Wait for the peer to connect. Default false."),
    ours(
        "spec.transit",
        "Lift the default policy: pass on to and accept from this peer what eBGP taught. Default false.",
    ),
    ours(
        "spec.bfd",
        "How the paths of its sessions are watched with BFD: see bfd.md. What is absent is as BGPConfiguration has it.",
    ),
    ours(
        "spec.bfd.mode",
        "`Auto`, `Off`, `SingleHop` (RFC 5881) or `MultiHop` (RFC 5883). Default `Auto`.",
    ),
    ours(
        "spec.bfd.receiveInterval",
        "The peer need not send faster than this, 10ms to 60s. Default 300ms.",
    ),
    ours(
        "spec.bfd.transmitInterval",
        "We do not send faster than this, 10ms to 60s. Default 300ms.",
    ),
    ours(
        "spec.bfd.detectMultiplier",
        "So many packets missing are a loss, 2 to 255. Default 3.",
    ),
    yes(
        "spec.failureDetectionMode",
        "Calico Enterprise's: `None` is `bfd.mode: Off`, `BFDIfDirectlyConnected` is `SingleHop`. Not together with `bfd`.",
    ),
    yes(
        "spec.maxRestartTime",
        "How long the peer may keep our routes while we restart, 1s to 4095s. Default 120s.",
    ),
    yes(
        "spec.keepaliveTime",
        "Pause between our keepalives, 1s to 21845s. Default: a third of the hold time, which is at least three times this.",
    ),
    yes(
        "spec.restartMode",
        "`GracefulRestart` (default), or `LongLivedGracefulRestart`: stale routes stay, at the lowest preference, after the restart time too. Ours: `None`, routes go with the session.",
    ),
    ours(
        "spec.restartOnNotification",
        "A NOTIFICATION and the end of the hold time count as a restart too, where the peer says the same (RFC 8538). Default false: without BFD it is the hold time that tells of a dead link.",
    ),
    ours(
        "spec.maxStaleTime",
        "How long routes of the peer are kept while it restarts, whatever it asks for, 1s to 24h. Default 10m.",
    ),
    yes(
        "spec.password",
        "Where the TCP MD5 password of the session is kept, at most 80 octets. Without it the session does not start.",
    ),
    yes(
        "spec.password.secretKeyRef",
        "A Kubernetes secret in the namespace of the agent.",
    ),
    yes("spec.password.secretKeyRef.name", "Its name."),
    yes("spec.password.secretKeyRef.key", "The key in it."),
    ours(
        "spec.password.file",
        "A file on the node, in place of a secret: its first line.",
    ),
    yes(
        "spec.ttlSecurity",
        "The peer is at most this many hops away (RFC 5082), 1 to 254: packets with a smaller TTL are dropped. Default 0: not checked.",
    ),
    ours(
        "spec.holdTime",
        "Hold time that we propose, 3s to 65535s. Default 90s.",
    ),
    ours(
        "spec.minHoldTime",
        "The shortest hold time that the peer may propose, 3s to 65535s. Default 3s.",
    ),
    ours(
        "spec.ebgpMultihop",
        "An eBGP peer is at most this many hops away, 1 to 255: the TTL of our packets. Default 255, as with Calico; with `interface` 1. Not together with `ttlSecurity`.",
    ),
    ours(
        "spec.addressFamilies",
        "Which routes are exchanged: `[IPv4]`, `[IPv6]`. Default both, as far as the peer speaks them.",
    ),
    ours(
        "spec.extendedNextHop",
        "Whether IPv4 routes may have IPv6 next hops (RFC 8950), where the peer says the same. Default true with `interface`, else false.",
    ),
    ours(
        "spec.connectRetryTime",
        "Pause between attempts to connect, 1s to 1h. Default 5s.",
    ),
    ours(
        "spec.advertisementInterval",
        "Least time between two advertisements to the peer, up to 600s. Default 0s.",
    ),
    ours(
        "spec.longLivedStaleTime",
        "With `restartMode: LongLivedGracefulRestart`: how long, 1s to 16777215s. Default 24h.",
    ),
    ours("spec.maxPrefixes", "How many prefixes the peer may announce."),
    ours("spec.maxPrefixes.ipv4", "IPv4 prefixes."),
    ours("spec.maxPrefixes.ipv6", "IPv6 prefixes."),
    ours(
        "spec.maxPrefixes.warnPercent",
        "Share of the limit from which on `status` warns. Default 80.",
    ),
    ours(
        "spec.maxPrefixes.action",
        "`Restart` (default): the session ends at the limit. `Warn`: it is only said.",
    ),
    ours(
        "spec.maxPrefixes.restartTime",
        "After this long an ended session is tried again, 1s to 24h. Default: when the peering is changed.",
    ),
    ours("spec.addPath", "Several paths for each prefix (RFC 7911)."),
    ours(
        "spec.addPath.receive",
        "Take several paths from the peer. Default false.",
    ),
    ours(
        "spec.addPath.send",
        "`None` (default), `Best` (the `sendMax` best ones) or `All`.",
    ),
    ours(
        "spec.addPath.sendMax",
        "With `send: Best`: how many, 2 to 32. Default 2.",
    ),
    ours(
        "spec.role",
        "Our role towards an eBGP peer (RFC 9234): `Provider`, `Customer`, `Peer`, `RouteServer` or `RouteServerClient`. Routes that come or would go the wrong way are refused.",
    ),
    ours(
        "spec.strictRole",
        "Refuse a peer that does not say its role. Default false.",
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
        "Rules for IPv4 routes to the peer; the first one that matches decides, and where none does, the default policy. `Accept` also lets pass what other peers taught.",
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
        "Shortest prefix length that matches, that of `cidr` at least. Default: that of `cidr`.",
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
