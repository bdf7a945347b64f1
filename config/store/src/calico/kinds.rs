//! The kinds of resources that Calico has, and what Roadbed does with each. One table.

/// What is done with the resources of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Judged one by one: Roadbed has the same notion.
    Read,
    /// Looked through for settings that matter to forwarding.
    Felix,
    /// Address management: read, but not as a resource.
    Ipam,
    /// Counted and named: it does something that Roadbed does not do.
    Missing {
        /// What is lost without it.
        why: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// Left behind without loss.
    Harmless {
        /// Why nothing is lost.
        why: &'static str,
    },
}

/// One kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// Its name in keys and paths.
    pub plural: &'static str,
    /// What is done with it.
    pub handling: Handling,
}

const POLICY: Handling = Handling::Missing {
    why: "Roadbed enforces no network policy",
    instead: "run a policy engine beside it before Calico's Felix goes, or traffic that was denied will pass",
};
const STAGED: Handling = Handling::Harmless {
    why: "staged policies are not enforced by Calico either",
};

const fn kind(name: &'static str, plural: &'static str, handling: Handling) -> Kind {
    Kind {
        name,
        plural,
        handling,
    }
}

const fn harmless(why: &'static str) -> Handling {
    Handling::Harmless { why }
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    kind("IPPool", "ippools", Handling::Read),
    kind("BGPConfiguration", "bgpconfigurations", Handling::Read),
    kind("BGPPeer", "bgppeers", Handling::Read),
    kind("BGPFilter", "bgpfilters", Handling::Read),
    kind("IPReservation", "ipreservations", Handling::Read),
    kind("IPAMConfig", "ipamconfigs", Handling::Read),
    kind("IPAMConfiguration", "ipamconfigurations", Handling::Read),
    kind("Node", "nodes", Handling::Read),
    kind("FelixConfiguration", "felixconfigurations", Handling::Felix),
    kind("IPAMBlock", "ipamblocks", Handling::Ipam),
    kind("BlockAffinity", "blockaffinities", Handling::Ipam),
    kind("IPAMHandle", "ipamhandles", Handling::Ipam),
    kind("GlobalNetworkPolicy", "globalnetworkpolicies", POLICY),
    kind("NetworkPolicy", "networkpolicies", POLICY),
    kind("GlobalNetworkSet", "globalnetworksets", POLICY),
    kind("NetworkSet", "networksets", POLICY),
    kind("HostEndpoint", "hostendpoints", POLICY),
    kind(
        "QoSPolicy",
        "qospolicies",
        Handling::Missing {
            why: "Roadbed limits no bandwidth",
            instead: "use a bandwidth plugin in the CNI chain",
        },
    ),
    kind("Tier", "tiers", harmless("tiers only order network policies")),
    kind(
        "Profile",
        "profiles",
        harmless("made by Calico from namespaces and service accounts"),
    ),
    kind("StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", STAGED),
    kind("StagedNetworkPolicy", "stagednetworkpolicies", STAGED),
    kind(
        "StagedKubernetesNetworkPolicy",
        "stagedkubernetesnetworkpolicies",
        STAGED,
    ),
    kind(
        "WorkloadEndpoint",
        "workloadendpoints",
        harmless("each node's ledger keeps its own pods"),
    ),
    kind(
        "ClusterInformation",
        "clusterinformations",
        harmless("Calico's version and state"),
    ),
    kind(
        "KubeControllersConfiguration",
        "kubecontrollersconfigurations",
        harmless("settings of Calico's controllers"),
    ),
    kind(
        "CalicoNodeStatus",
        "caliconodestatuses",
        harmless("a report; see `roadbed status` and `roadbed peers`"),
    ),
];

/// The kind with this name in keys and paths.
pub fn by_plural(plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.plural == plural)
}

/// The kind with this name.
pub fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
