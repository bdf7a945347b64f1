use std::net::IpAddr;

use bgpd_proto::types::{Asn, PeerId};
use config::intent::Intent;
use config::load::{Source, load};
use config::vocabulary::NodeName;
use tunnel::Mode;

use super::{OwnBlock, Ownership, Plan, PlanError};

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

fn intent(text: &str) -> Intent {
    let loaded = load(&[Source {
        name: "test".into(),
        text: text.into(),
    }]);
    loaded.intent.unwrap_or_else(|| panic!("{:#?}", loaded.problems))
}

fn compile(intent: &Intent, name: &NodeName) -> Result<Plan, PlanError> {
    super::compile(intent, name, &Ownership::of_resources(intent, name))
}

fn plan(text: &str, node: &str) -> Plan {
    compile(&intent(text), &node.parse().unwrap()).unwrap()
}

fn peer(address: &str) -> PeerId {
    PeerId(address.parse::<IpAddr>().unwrap())
}

#[test]
fn a_node_peers_with_the_mesh_and_with_its_tor() {
    let plan = plan(CLUSTER, "a");
    let peers: Vec<_> = plan
        .speaker
        .peers
        .iter()
        .map(|(id, p)| (id.0.to_string(), p.name.as_str(), p.remote_port))
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
        b.remote_asn,
        Asn(64513),
        "a node with an AS of its own makes the mesh session external"
    );
    assert!(b.multihop);
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
    let plan = super::compile(&intent, &a, &owned).unwrap();
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
