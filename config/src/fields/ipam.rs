//! Fields of `IPPool`, `IPReservation` and `IPAMConfiguration`.

use super::class::Field;
use super::entries::{ignored, ours, refused, yes};

pub(super) const IP_POOL: &[Field] = &[
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
        "`Never` (default), `CrossSubnet`, `Always`, or ours: `Auto`, direct where a probe proves that the fabric carries pod addresses to the node, a tunnel where not. Not together with `ipipMode`.",
    ),
    yes(
        "spec.ipipMode",
        "`Never` (default), `CrossSubnet`, `Always` or `Auto`, as above; IPv4 only.",
    ),
    yes("spec.disabled", "No new addresses from this pool. Default false."),
    yes(
        "spec.nodeSelector",
        "Nodes that may take addresses from this pool. Default `all()`.",
    ),
    yes(
        "spec.namespaceSelector",
        "Namespaces whose pods may get addresses from this pool; sees their labels, and their name as `projectcalico.org/name` and `kubernetes.io/metadata.name`. Default `all()`.",
    ),
    yes(
        "spec.assignmentMode",
        "`Automatic` (default), or `Manual`: only for pods that name the pool or an address of it.",
    ),
    yes(
        "spec.allowedUses",
        "List of `Workload` and `Tunnel`, default both. `LoadBalancer` is accepted with a warning: services get no addresses here.",
    ),
    yes(
        "spec.disableBGPExport",
        "true: blocks and addresses of this pool are not announced to any peer. Default false.",
    ),
    yes(
        "spec.natOutgoing",
        "true: packets of its pods to what is in no pool and is no node's address leave with the node's address. Default false.",
    ),
    ours(
        "spec.aggregate",
        "Blocks of nodes with the same label value come from one range, which a router can announce for all of them. Needs a datastore that claims blocks in transactions (etcd).",
    ),
    ours(
        "spec.aggregate.nodeLabel",
        "The label of the nodes, such as `rack`. Required.",
    ),
    ours(
        "spec.aggregate.prefixLength",
        "Prefix length of the ranges: from that of the pool to `blockSize`. Required.",
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

pub(super) const IP_RESERVATION: &[Field] = &[yes(
    "spec.reservedCIDRs",
    "Ranges and single addresses that no pod gets. Pods that have one already keep it.",
)];

pub(super) const IPAM_CONFIGURATION: &[Field] = &[
    yes(
        "spec.strictAffinity",
        "Whether a node gives out addresses of its own blocks only. Default true, where Calico's is false: borrowed addresses are routes of their own in every node.",
    ),
    yes(
        "spec.maxBlocksPerHost",
        "The most blocks of each family that a node may own; 0 (default) for no limit.",
    ),
    yes(
        "spec.autoAllocateBlocks",
        "Whether nodes claim blocks by themselves. Default true; false only with `strictAffinity: true`.",
    ),
    ours(
        "spec.emptyBlockLinger",
        "How long a block stays empty before it is given back, 0s to 24h. Default 10m.",
    ),
    ours(
        "spec.deadNodeGrace",
        "How long a node has to be gone (no Node, no sign of life) before its blocks go to others, 30s to 24h. Default 5m.",
    ),
    ours(
        "spec.addressCoolDown",
        "How long a released address rests before another pod gets it, 0s to 24h. Default 60s.",
    ),
    ignored(
        "spec.kubeVirtVMAddressPersistence",
        "addresses follow a workload where it asks for that",
    ),
];
