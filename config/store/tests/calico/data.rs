//! One Calico cluster as Calico itself would have written it, once as keys of etcd and once as objects of Kubernetes:
//! two nodes and one that is gone, several pools, odd ones among them, blocks in every state.

use serde_json::{Value, json};

use Holder::{Pod, Service, Tunnel};

/// A resource: kind, plural, namespace, name, labels, spec.
pub struct Resource(
    pub &'static str,
    pub &'static str,
    pub Option<&'static str>,
    pub &'static str,
    pub Value,
);

/// The resources that are not nodes.
pub fn resources() -> Vec<Resource> {
    vec![
        Resource(
            "IPPool",
            "ippools",
            None,
            "pods",
            json!({ "cidr": "10.244.0.0/16", "blockSize": 26,
            "ipipMode": "CrossSubnet", "vxlanMode": "Never", "natOutgoing": false, "nodeSelector": "all()",
            "allowedUses": ["Workload", "Tunnel"], "assignmentMode": "Automatic" }),
        ),
        Resource(
            "IPPool",
            "ippools",
            None,
            "cloud",
            json!({ "cidr": "10.96.128.0/18", "blockSize": 26,
            "ipipMode": "Never", "vxlanMode": "Never", "nodeSelector": "all()", "awsSubnetID": "subnet-1" }),
        ),
        Resource(
            "IPPool",
            "ippools",
            None,
            "pods6",
            json!({ "cidr": "fd00:10:244::/48", "blockSize": 122,
            "ipipMode": "Never", "vxlanMode": "Never", "nodeSelector": "all()" }),
        ),
        Resource(
            "BGPConfiguration",
            "bgpconfigurations",
            None,
            "default",
            json!({ "asNumber": 64512,
            "logSeverityScreen": "Info", "nodeToNodeMeshEnabled": true }),
        ),
        Resource(
            "BGPPeer",
            "bgppeers",
            None,
            "tor-r1",
            json!({ "nodeSelector": "rack == 'r1'",
            "peerIP": "192.0.2.1", "asNumber": 65001 }),
        ),
        Resource(
            "BGPPeer",
            "bgppeers",
            None,
            "guarded",
            json!({ "node": "node-b", "peerIP": "192.0.2.2",
            "asNumber": 65002, "filters": ["no-default"],
            "password": { "secretKeyRef": { "name": "bgp-secrets", "key": "tor" } } }),
        ),
        Resource(
            "BGPFilter",
            "bgpfilters",
            None,
            "no-default",
            json!({
            "importV4": [{ "action": "Reject", "matchOperator": "Equal", "cidr": "0.0.0.0/0" }] }),
        ),
        Resource(
            "IPReservation",
            "ipreservations",
            None,
            "gateways",
            json!({ "reservedCIDRs": ["10.244.0.0/30"] }),
        ),
        Resource(
            "FelixConfiguration",
            "felixconfigurations",
            None,
            "default",
            json!({ "ipipEnabled": true,
            "vxlanVNI": 4097, "logSeverityScreen": "Info", "bpfConnectTimeLoadBalancing": "TCP" }),
        ),
        Resource(
            "ClusterInformation",
            "clusterinformations",
            None,
            "default",
            json!({ "calicoVersion": "v3.29.1",
            "clusterGUID": "b6e7", "clusterType": "k8s,bgp", "datastoreReady": true }),
        ),
        Resource(
            "GlobalNetworkPolicy",
            "globalnetworkpolicies",
            None,
            "default.deny-all",
            json!({ "selector": "all()", "types": ["Ingress"] }),
        ),
        Resource(
            "NetworkPolicy",
            "networkpolicies",
            Some("shop"),
            "default.allow-web",
            json!({ "selector": "app == 'web'", "types": ["Ingress"] }),
        ),
        Resource("Tier", "tiers", None, "default", json!({ "order": 1000000 })),
    ]
}

/// Name, address, IPIP tunnel address, rack of the nodes.
pub const NODES: [(&str, &str, &str, &str); 2] = [
    ("node-a", "192.0.2.11/24", "10.244.0.1", "r1"),
    ("node-b", "192.0.2.12/24", "10.244.0.64", "r2"),
];

/// A block: range, affinity, and who has which place.
pub type BlockOf = (&'static str, Option<&'static str>, Vec<(usize, Holder)>);

/// Who has an address.
#[derive(Clone, Copy)]
pub enum Holder {
    Pod(&'static str, &'static str),
    Tunnel(&'static str),
    Service(&'static str),
}

/// The blocks.
pub fn blocks() -> Vec<BlockOf> {
    vec![
        (
            "10.244.0.0/26",
            Some("host:node-a"),
            vec![
                (1, Tunnel("node-a")),
                (4, Pod("web-1", "node-a")),
                (5, Pod("web-2", "node-a")),
            ],
        ),
        (
            "10.244.0.64/26",
            Some("host:node-b"),
            vec![
                (0, Tunnel("node-b")),
                (3, Pod("db-1", "node-b")),
                (4, Pod("web-3", "node-a")),
            ],
        ),
        (
            "10.244.0.128/26",
            Some("host:node-gone"),
            vec![(2, Pod("lost", "node-gone"))],
        ),
        (
            "10.244.1.0/27",
            Some("host:node-b"),
            vec![(7, Pod("odd", "node-b"))],
        ),
        ("10.244.2.0/26", None, vec![(0, Pod("stray", "node-a"))]),
        (
            "10.244.3.0/26",
            Some("virtual:load-balancer"),
            vec![(0, Service("shop/web"))],
        ),
        (
            "10.96.128.0/26",
            Some("host:node-a"),
            vec![(9, Pod("vpc", "node-a"))],
        ),
        ("172.30.0.0/26", Some("host:node-a"), vec![]),
        (
            "fd00:10:244::/122",
            Some("host:node-a"),
            vec![(0, Pod("web-1", "node-a"))],
        ),
    ]
}

/// The affinity records: owner, type, range, state.
pub const AFFINITIES: [(&str, &str, &str, &str); 10] = [
    ("node-a", "host", "10.244.0.0/26", "confirmed"),
    ("node-b", "host", "10.244.0.64/26", "confirmed"),
    ("node-gone", "host", "10.244.0.128/26", "confirmed"),
    ("node-b", "host", "10.244.1.0/27", "confirmed"),
    ("load-balancer", "virtual", "10.244.3.0/26", "confirmed"),
    ("node-a", "host", "10.96.128.0/26", "confirmed"),
    ("node-a", "host", "172.30.0.0/26", "confirmed"),
    ("node-a", "host", "fd00:10:244::/122", "pending"),
    ("node-b", "host", "10.244.7.0/26", "pendingDeletion"),
    ("node-a", "host", "10.244.8.0/26", "confirmed"),
];

/// The value of a block, as in etcd; the `spec` of a custom resource has the same fields.
pub fn block(of: &BlockOf) -> Value {
    let (cidr, affinity, holders) = of;
    let length: u32 = cidr
        .rsplit_once('/')
        .expect("a prefix")
        .1
        .parse()
        .expect("a length");
    let size = 1usize << (if cidr.contains(':') { 128 } else { 32 } - length);
    let mut allocations = vec![Value::Null; size];
    let mut attributes = Vec::new();
    let mut sequence = serde_json::Map::new();
    for (place, holder) in holders {
        allocations[*place] = json!(attributes.len());
        sequence.insert(place.to_string(), json!(place + 10));
        attributes.push(match holder {
            Pod(pod, node) => json!({ "handle_id": format!("k8s-pod-network.{pod}0c4d"),
                "secondary": { "namespace": "shop", "node": node, "pod": pod, "timestamp": "2026-03-01 09:12:44 +0000 UTC" } }),
            Tunnel(node) => json!({ "handle_id": format!("ipip-tunnel-addr-{node}"),
                "secondary": { "node": node, "type": "ipipTunnelAddress" } }),
            Service(service) => json!({ "handle_id": "lb-0c4d", "secondary": { "service": service, "namespace": "shop" } }),
        });
    }
    let free: Vec<usize> = (0..size).filter(|place| allocations[*place].is_null()).collect();
    json!({ "cidr": cidr, "affinity": affinity, "strictAffinity": false, "allocations": allocations, "unallocated": free,
        "attributes": attributes, "sequenceNumber": 1742, "sequenceNumberForAllocation": sequence, "deleted": false })
}

fn family(cidr: &str) -> u8 {
    if cidr.contains(':') { 6 } else { 4 }
}

/// The cluster as keys and values of etcd.
pub fn etcd() -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let root = "/calico/resources/v3/projectcalico.org";
    for Resource(kind, plural, namespace, name, spec) in resources() {
        let mut metadata = json!({ "name": name, "uid": "7d4b5ac0-5b52-4b05-a7c5-3a2f7f2c1f53",
            "creationTimestamp": "2026-03-01T09:10:00Z" });
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        let value =
            json!({ "kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": spec });
        let namespace = namespace.map(|n| format!("{n}/")).unwrap_or_default();
        pairs.push((format!("{root}/{plural}/{namespace}{name}"), value.to_string()));
    }
    for (name, address, tunnel, rack) in NODES {
        let value = json!({ "kind": "Node", "apiVersion": "projectcalico.org/v3",
            "metadata": { "name": name, "uid": "d8", "creationTimestamp": "2026-03-01T09:10:00Z", "labels": { "rack": rack } },
            "spec": { "bgp": { "ipv4Address": address, "ipv4IPIPTunnelAddr": tunnel },
                "addresses": [{ "address": address, "type": "CalicoNodeIP" }],
                "orchRefs": [{ "nodeName": name, "orchestrator": "k8s" }] }, "status": {} });
        pairs.push((format!("{root}/nodes/{name}"), value.to_string()));
    }
    for of in blocks() {
        let key = format!(
            "/calico/ipam/v2/assignment/ipv{}/block/{}",
            family(of.0),
            of.0.replace('/', "-")
        );
        pairs.push((key, block(&of).to_string()));
    }
    for (owner, kind, cidr, state) in AFFINITIES {
        let key = format!(
            "/calico/ipam/v2/{kind}/{owner}/ipv{}/block/{}",
            family(cidr),
            cidr.replace('/', "-")
        );
        pairs.push((key, json!({ "state": state, "deleted": false }).to_string()));
    }
    for handle in HANDLES {
        let value = json!({ "block": { "10.244.0.0/26": 1 }, "deleted": false });
        pairs.push((format!("/calico/ipam/v2/handle/{handle}"), value.to_string()));
    }
    pairs.push((
        "/calico/ipam/v2/config".into(),
        json!({ "auto_allocate_blocks": true, "maxBlocksPerHost": 20 }).to_string(),
    ));
    pairs
}

/// Some of the handles.
pub const HANDLES: [&str; 3] = [
    "ipip-tunnel-addr-node-a",
    "k8s-pod-network.web-10c4d",
    "k8s-pod-network.web-20c4d",
];

/// The cluster as objects of Kubernetes: path and object.
pub fn kubernetes() -> Vec<(String, Value)> {
    let mut objects = Vec::new();
    let mut custom = |kind: &str, plural: &str, namespace: Option<&str>, name: &str, spec: Value| {
        let mut metadata = json!({ "name": name,
            "annotations": { "projectcalico.org/metadata": "{\"uid\":\"d8\",\"creationTimestamp\":\"2026-03-01T09:10:00Z\"}" } });
        let mut folder = "/apis/crd.projectcalico.org/v1".to_owned();
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
            folder = format!("{folder}/namespaces/{namespace}");
        }
        let object = json!({ "apiVersion": "crd.projectcalico.org/v1", "kind": kind, "metadata": metadata, "spec": spec });
        objects.push((format!("{folder}/{plural}/{name}"), object));
    };
    for Resource(kind, plural, namespace, name, spec) in resources() {
        custom(kind, plural, namespace, name, spec);
    }
    let settings = json!({ "strictAffinity": false, "autoAllocateBlocks": true, "maxBlocksPerHost": 20 });
    custom("IPAMConfig", "ipamconfigs", None, "default", settings);
    for of in blocks() {
        custom("IPAMBlock", "ipamblocks", None, &name_of(of.0), block(&of));
    }
    for (owner, kind, cidr, state) in AFFINITIES {
        let spec = json!({ "cidr": cidr, "node": owner, "type": kind, "state": state, "deleted": "false" });
        custom(
            "BlockAffinity",
            "blockaffinities",
            None,
            &format!("{owner}-{}", name_of(cidr)),
            spec,
        );
    }
    for handle in HANDLES {
        custom(
            "IPAMHandle",
            "ipamhandles",
            None,
            handle,
            json!({ "handleID": handle, "block": {}, "deleted": false }),
        );
    }
    for (name, address, tunnel, rack) in NODES {
        let node = json!({ "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": name, "labels": { "rack": rack, "kubernetes.io/hostname": name },
                "annotations": { "projectcalico.org/IPv4Address": address, "projectcalico.org/IPv4IPIPTunnelAddr": tunnel,
                    "node.alpha.kubernetes.io/ttl": "0" } },
            "spec": { "podCIDR": "10.32.0.0/24", "podCIDRs": ["10.32.0.0/24"] } });
        objects.push((format!("/api/v1/nodes/{name}"), node));
    }
    objects
}

/// The name of a block's object, as Calico makes it.
fn name_of(cidr: &str) -> String {
    cidr.replace([':', '.', '/'], "-")
}
