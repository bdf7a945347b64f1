use std::net::IpAddr;

use bgpd_proto::types::{Asn, PeerId};
use config::intent::Intent;
use config::load::{Source, load};
use config::vocabulary::NodeName;
use tunnel::Mode;

use super::{OwnBlock, Ownership, Passwords, Plan, PlanError};

const CLUSTER: &str = "
apiVersion: roadbed.dev/v1
kind: BGPConfiguration
metadata: { name: default }
spec: { asNumber: 64512, listenPort: 1179 }
---
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: pods }
spec: { cidr: 10.244.0.0/16, vxlanMode: CrossSubnet }
---
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: tunnelled }
spec: { cidr: 10.245.0.0/16, vxlanMode: Always }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: a, labels: { rack: r1 } }
spec: { bgp: { ipv4Address: 192.0.2.11/24 }, podCIDRs: [10.244.1.0/24] }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: b, labels: { rack: r1 } }
spec: { bgp: { ipv4Address: 192.0.2.12/24, asNumber: 64513 }, podCIDRs: [10.244.2.0/24] }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: six }
spec: { bgp: { ipv6Address: 2001:db8::1/64 }, podCIDRs: [] }
---
apiVersion: roadbed.dev/v1
kind: BGPPeer
metadata: { name: tor }
spec: { nodeSelector: rack == 'r1', peerIP: 192.0.2.1, asNumber: 65001 }
";

pub(super) fn intent(text: &str) -> Intent {
    let loaded = load(&[Source {
        name: "test".into(),
        text: text.into(),
    }]);
    loaded.intent.unwrap_or_else(|| panic!("{:#?}", loaded.problems))
}

fn compile(intent: &Intent, name: &NodeName) -> Result<Plan, PlanError> {
    super::compile(
        intent,
        name,
        &Ownership::of_resources(intent, name),
        &Passwords::new(),
    )
}

pub(super) fn plan(text: &str, node: &str) -> Plan {
    compile(&intent(text), &node.parse().unwrap()).unwrap()
}

fn peer(address: &str) -> PeerId {
    PeerId::Address(address.parse::<IpAddr>().unwrap())
}

#[test]
fn a_node_peers_with_the_mesh_and_with_its_tor() {
    let plan = plan(CLUSTER, "a");
    let peers: Vec<_> = plan
        .speaker
        .peers
        .iter()
        .map(|(id, p)| (id.to_string(), p.name.as_str(), p.remote_port))
        .collect();
    assert_eq!(
        peers,
        [
            ("192.0.2.1".to_owned(), "BGPPeer/tor", 179),
            ("192.0.2.12".to_owned(), "mesh/b", 1179)
        ],
        "no session with itself, none with a node of another family, nodes at their listen port"
    );
    let b = &plan.speaker.peers[&peer("192.0.2.12")];
    assert_eq!(
        b.remote_as.asn(Asn(0)),
        Some(Asn(64513)),
        "a node with an AS of its own makes the mesh session external"
    );
    assert_eq!(b.multihop, 255);
    assert_eq!(b.local_address, Some("192.0.2.11".parse().unwrap()));
}

#[test]
fn own_blocks_are_originated_and_never_imported() {
    let plan = plan(CLUSTER, "a");
    let own = "10.244.1.0/24".parse().unwrap();
    assert_eq!(plan.originated.keys().copied().collect::<Vec<_>>(), [own]);
    assert_eq!(plan.speaker.import.own_prefixes, [own]);
    assert_eq!(plan.blocks[0].pool.as_deref(), Some("pods"));
}

#[test]
fn pools_of_mode_always_take_only_node_next_hops() {
    let plan = plan(CLUSTER, "a");
    let rules = &plan.speaker.import.node_only;
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].within, "10.245.0.0/16".parse().unwrap());
    assert!(
        rules[0]
            .next_hops
            .contains(&"192.0.2.12".parse::<IpAddr>().unwrap())
    );
    assert!(
        !rules[0]
            .next_hops
            .contains(&"192.0.2.1".parse::<IpAddr>().unwrap())
    );
    assert_eq!(
        plan.pool_of(&"10.245.3.0/24".parse().unwrap())
            .unwrap()
            .modes
            .vxlan,
        Mode::Always
    );
}

#[test]
fn an_explicit_peer_takes_the_place_of_the_mesh_session() {
    let more = "
---
apiVersion: roadbed.dev/v1
kind: BGPPeer
metadata: { name: special }
spec: { node: a, peerIP: 192.0.2.12, asNumber: 64513, passive: true }
";
    let plan = plan(&format!("{CLUSTER}{more}"), "a");
    let config = &plan.speaker.peers[&peer("192.0.2.12")];
    assert_eq!(config.name, "BGPPeer/special");
    assert!(config.passive);
    assert_eq!(
        config.remote_port, 1179,
        "the address is a node's: its listen port"
    );
}

#[test]
fn without_the_mesh_only_explicit_peers_remain() {
    let text = CLUSTER.replace("listenPort: 1179", "nodeToNodeMeshEnabled: false");
    let plan = plan(&text, "b");
    assert_eq!(
        plan.speaker.peers.keys().copied().collect::<Vec<_>>(),
        [peer("192.0.2.1")]
    );
    assert_eq!(plan.speaker.asn, Asn(64513));
}

#[test]
fn a_node_that_is_not_in_the_resources_has_no_plan() {
    let name = "nobody".parse().unwrap();
    assert_eq!(compile(&intent(CLUSTER), &name), Err(PlanError::NoNode(name)));
}

#[test]
fn claimed_blocks_count_as_given_ones_and_loans_are_let_in() {
    let intent = intent(CLUSTER);
    let (a, b): (NodeName, NodeName) = ("a".parse().unwrap(), "b".parse().unwrap());
    let mut owned = Ownership::of_resources(&intent, &a);
    let claimed: ipnet::IpNet = "10.244.9.0/26".parse().unwrap();
    owned.blocks.push(OwnBlock {
        cidr: claimed,
        pool: Some("pods".into()),
    });
    owned.lent.insert("10.244.9.7".parse().unwrap());
    owned
        .claimed
        .insert(b.clone(), vec!["10.244.8.0/26".parse().unwrap()]);
    let plan = super::compile(&intent, &a, &owned, &Passwords::new()).unwrap();
    assert!(plan.originated.contains_key(&claimed));
    assert!(plan.speaker.import.own_prefixes.contains(&claimed));
    assert!(
        plan.speaker
            .import
            .on_loan
            .contains(&"10.244.9.7/32".parse().unwrap())
    );
    let remote = plan.remotes.iter().find(|n| n.name == b).unwrap();
    let blocks: Vec<String> = remote.blocks.iter().map(ToString::to_string).collect();
    assert_eq!(blocks, ["10.244.2.0/24", "10.244.8.0/26"]);
}

/// Two reflectors of one cluster and one of another; `a` and `b` are ordinary nodes.
const REFLECTORS: &str = "
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: rr1, labels: { rr: 'true' } }
spec: { bgp: { ipv4Address: 192.0.2.21/24, routeReflectorClusterID: 244.0.0.1 }, podCIDRs: [] }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: rr2, labels: { rr: 'true' } }
spec: { bgp: { ipv4Address: 192.0.2.22/24, routeReflectorClusterID: 244.0.0.1 }, podCIDRs: [] }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: rr3, labels: { rr: 'true' } }
spec: { bgp: { ipv4Address: 192.0.2.23/24, routeReflectorClusterID: 244.0.0.2 }, podCIDRs: [] }
---
apiVersion: roadbed.dev/v1
kind: BGPPeer
metadata: { name: to-rrs }
spec: { peerSelector: has(rr) }
";

#[test]
fn a_reflector_is_in_no_mesh_and_its_clients_are_not_of_its_cluster() {
    let text = format!("{CLUSTER}{REFLECTORS}");
    let at_rr = plan(&text, "rr1");
    assert_eq!(at_rr.speaker.cluster_id, Some("244.0.0.1".parse().unwrap()));
    let clients: Vec<(String, bool)> = (at_rr.speaker.peers.iter())
        .map(|(id, config)| (id.to_string(), config.export.client))
        .collect();
    assert_eq!(
        clients,
        [
            ("192.0.2.11".to_owned(), true),
            // Of another AS.
            ("192.0.2.12".to_owned(), false),
            ("192.0.2.22".to_owned(), false),
            ("192.0.2.23".to_owned(), true),
        ]
    );
    let at_a = plan(&text, "a");
    assert!(at_a.speaker.peers.values().all(|config| !config.export.client));
    let names: Vec<&str> = at_a
        .speaker
        .peers
        .values()
        .map(|config| config.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "BGPPeer/tor",
            "mesh/b",
            "BGPPeer/to-rrs",
            "BGPPeer/to-rrs",
            "BGPPeer/to-rrs"
        ]
    );
}

#[test]
fn filters_of_a_peer_are_one_list_with_their_origins() {
    let text = format!(
        "{}\n---\napiVersion: roadbed.dev/v1\nkind: BGPFilter\nmetadata: {{ name: first }}\n\
         spec: {{ importV4: [ {{ action: Reject, matchOperator: In, cidr: 198.51.100.0/24 }} ] }}\n\
         ---\napiVersion: roadbed.dev/v1\nkind: BGPFilter\nmetadata: {{ name: second }}\n\
         spec: {{ importV4: [ {{ action: Accept, operations: [ {{ setPriority: {{ value: 9 }} }} ] }} ] }}\n",
        CLUSTER.replace("asNumber: 65001 }", "asNumber: 65001, filters: [first, second] }")
    );
    let plan = plan(&text, "a");
    let filters = &plan.speaker.peers[&peer("192.0.2.1")].import.filters;
    let attributes = bgpd_proto::wire::PathAttributes::default();
    let decided = |prefix: &str| {
        let prefix = prefix.parse().unwrap();
        let facts = bgpd_proto::rib::filter::Facts {
            prefix: &prefix,
            attributes: &attributes,
            learned: true,
            peer_kind: bgpd_proto::types::PeerKind::External,
            interface: None,
            priority: None,
        };
        filters
            .first_match(&facts)
            .map(|(_, rule)| (rule.origin.to_string(), rule.priority()))
    };
    assert_eq!(
        decided("198.51.100.0/25"),
        Some(("BGPFilter first, importV4 rule 1".to_owned(), None))
    );
    assert_eq!(
        decided("203.0.113.0/24"),
        Some(("BGPFilter second, importV4 rule 1".to_owned(), Some(9)))
    );
    assert_eq!(decided("2001:db8::/32"), None);
    let mesh = &plan.speaker.peers[&peer("192.0.2.12")];
    assert!(
        mesh.import
            .filters
            .is_empty(bgpd_proto::types::Family::Ipv4Unicast)
    );
}

#[test]
fn a_filter_that_is_not_there_lets_nothing_pass() {
    let mut intent = intent(CLUSTER);
    intent.peers[0].filters = vec!["gone".to_owned()];
    let plan = compile(&intent, &"a".parse().unwrap()).unwrap();
    let session = &plan.speaker.peers[&peer("192.0.2.1")];
    let attributes = bgpd_proto::wire::PathAttributes::default();
    for prefix in ["198.51.100.0/24", "2001:db8::/32"] {
        let prefix = prefix.parse().unwrap();
        let facts = bgpd_proto::rib::filter::Facts {
            prefix: &prefix,
            attributes: &attributes,
            learned: false,
            peer_kind: bgpd_proto::types::PeerKind::External,
            interface: None,
            priority: None,
        };
        for filters in [&session.import.filters, &session.export.filters] {
            let (_, rule) = filters.first_match(&facts).unwrap();
            assert_eq!(rule.action, bgpd_proto::rib::filter::Action::Reject);
        }
    }
}

#[test]
fn policies_and_communities_reach_the_speaker() {
    let text = CLUSTER
        .replace(
            "listenPort: 1179",
            "listenPort: 1179, communities: [ { name: tagged, value: 64512:1:2 } ], prefixAdvertisements: \
             [ { cidr: 10.244.0.0/16, communities: [ tagged, '64512:9' ] } ], multipath: { maxPaths: 3, relax: false }",
        )
        .replace(
            "asNumber: 65001 }",
            "asNumber: 65001, localASNumber: 65100, localASMode: NoPrepend, numAllowedLocalASNumbers: 2, \
             keepOriginalNextHop: true, asOverride: true, removePrivateAS: All, enforceFirstAS: false, role: Customer }",
        );
    let plan = plan(&text, "a");
    let tor = &plan.speaker.peers[&peer("192.0.2.1")];
    assert_eq!(tor.local_asn, Some(Asn(65100)));
    assert_eq!((tor.import.allow_own_as, tor.import.enforce_first_as), (2, false));
    assert_eq!(tor.export.next_hop, bgpd_proto::rib::NextHopMode::Keep);
    assert_eq!(tor.export.role, Some(bgpd_proto::wire::Role::Customer));
    let rules = tor.export.as_rules;
    assert!(rules.as_override && !rules.replace_as);
    assert_eq!(rules.remove_private, bgpd_proto::rib::RemovePrivate::All);
    assert_eq!((plan.speaker.multipath, plan.speaker.multipath_relax), (3, false));
    let block = &plan.originated[&"10.244.1.0/24".parse().unwrap()];
    assert_eq!(block.communities, [bgpd_proto::wire::Community(64512 << 16 | 9)]);
    assert_eq!(block.large_communities.len(), 1);
    let own = &plan.speaker.import.own_addresses;
    assert!(own.contains(&"10.244.1.0".parse::<IpAddr>().unwrap()));
}
