//! Peerings that come and go beside others: what is changed is changed, and no session that nobody spoke of is touched.
//! Among them peers that nobody has configured one by one, with a password.

use serde_json::Value;

use crate::support::{Builder, Fabric, check, eventually, kernel, view};

const NODE: &str = "n1";

/// FRR at 192.0.2.x, with lines of its own for the neighbour that the node is.
fn frr(host: u8, more: &str) -> String {
    format!(
        "frr defaults traditional
log stdout warnings
!
router bgp 6500{host}
 bgp router-id 192.0.2.{host}
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 3 9
 neighbor 192.0.2.11 remote-as 64512
 neighbor 192.0.2.11 timers connect 1
{more} address-family ipv4 unicast
  network 198.51.10{host}.0/24
 exit-address-family
exit
"
    )
}

const BASE: &str = "
apiVersion: roadbed.dev/v1
kind: BGPConfiguration
metadata: { name: default }
spec: { asNumber: 64512, nodeToNodeMeshEnabled: false, connectRetryTime: 1s }
---
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: pods }
spec: { cidr: 10.244.0.0/16, vxlanMode: Never }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: n1 }
spec: { bgp: { ipv4Address: 192.0.2.11/24 }, podCIDRs: [10.244.1.0/24] }
---
apiVersion: roadbed.dev/v1
kind: BGPFilter
metadata: { name: closed }
spec: { importV4: [ { action: Reject, matchOperator: In, cidr: 198.51.102.0/24 } ] }
---
apiVersion: roadbed.dev/v1
kind: BGPPeer
metadata: { name: first }
spec: { peerIP: 192.0.2.1, asNumber: 65001 }
";

fn with(peer: &str) -> String {
    format!("{BASE}---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\n{peer}\n")
}

/// The node and two routers on one wire.
fn up(scenario: &str, second: &str) -> Fabric {
    let address = |host: u8| format!("ip addr add 192.0.2.{host}/24 dev eth1");
    let switch: Vec<String> = ["ip link add lan type bridge", "ip link set lan up"]
        .map(str::to_owned)
        .into_iter()
        .chain((1..=3).map(|port| format!("ip link set eth{port} master lan")))
        .collect();
    let switch: Vec<&str> = switch.iter().map(String::as_str).collect();
    let fabric = Builder::new(scenario)
        .agent(NODE, &[&address(11)])
        .frr("r1", &frr(1, ""), &[&address(1)])
        .frr("r2", &frr(2, second), &[&address(2)])
        .host("switch", &switch)
        .link("n1:eth1", "switch:eth1")
        .link("r1:eth1", "switch:eth2")
        .link("r2:eth1", "switch:eth3")
        .resources(BASE)
        .up();
    eventually("the first session", || {
        view::established(&fabric, NODE, "192.0.2.1")
    });
    fabric
}

/// How often the first router has had a session, and how many UPDATEs it was sent.
fn counts(fabric: &Fabric) -> (i64, i64) {
    let text = fabric
        .exec_ok("r1", &["vtysh", "-c", "show bgp neighbors 192.0.2.11 json"])
        .expect("FRR answers");
    let all: Value = serde_json::from_str(&text).expect("JSON of FRR");
    let number = |pointer: &str| all.pointer(pointer).and_then(Value::as_i64).unwrap_or(-1);
    (
        number("/192.0.2.11/connectionsEstablished"),
        number("/192.0.2.11/messageStats/updatesRecv"),
    )
}

#[test]
fn peers_and_filters_that_come_change_and_go_leave_other_sessions_alone() {
    let fabric = up("beside", "");
    // Our block and the end of the RIB.
    let before = eventually("FRR has been told all", || {
        let counts = counts(&fabric);
        check(counts.1 >= 2, || format!("{counts:?}"))?;
        Ok(counts)
    });
    let second = |more: &str| {
        with(&format!(
            "metadata: {{ name: second }}\nspec: {{ peerIP: 192.0.2.2, asNumber: 65002{more} }}"
        ))
    };
    fabric.edit(NODE, &second(""));
    eventually("the second session", || {
        view::established(&fabric, NODE, "192.0.2.2")
    });
    eventually("its route", || {
        kernel::route_via(&fabric, NODE, "198.51.102.0/24", "192.0.2.2")
    });
    fabric.edit(NODE, &second(", filters: [closed]"));
    eventually("the filter holds", || {
        kernel::no_route(&fabric, NODE, "198.51.102.0/24")
    });
    assert_eq!(view::peer(&fabric, NODE, "192.0.2.2").expect("the peer").flaps, 0);
    // This one costs the second session, and only that.
    fabric.edit(NODE, &second(", addressFamilies: [IPv4]"));
    eventually("another session", || {
        let peer = view::established(&fabric, NODE, "192.0.2.2")?;
        check(peer.families.len() == 1 && peer.flaps == 1, || {
            format!("{peer:?}")
        })
    });
    fabric.edit(NODE, BASE);
    eventually("the second one is gone", || {
        view::peer(&fabric, NODE, "192.0.2.2").map_or(Ok(()), |peer| Err(format!("{peer:?}")))
    });
    let first = view::established(&fabric, NODE, "192.0.2.1").expect("the first session");
    assert_eq!(first.flaps, 0, "{first:?}");
    assert_eq!(counts(&fabric), before, "FRR has seen nothing of all that");
}

#[test]
fn a_range_with_a_password_lets_in_who_knows_it_and_says_when_signatures_are_wrong() {
    let fabric = up("range", " neighbor 192.0.2.11 password swordfish\n");
    let secret = fabric.file("secret", "swordfish\n");
    let wrong = fabric.file("wrong", "herring\n");
    let peer = |who: &str, file: &str| {
        with(&format!(
            "metadata: {{ name: second }}\nspec: {{ {who}, asNumber: external, password: {{ file: {file} }} }}"
        ))
    };
    let range = "peerIPRange: 192.0.2.0/29, maxPeers: 1";
    fabric.edit(NODE, &peer(range, &secret));
    let found = eventually("it is let in", || view::established(&fabric, NODE, "192.0.2.2"));
    assert_eq!((found.name.as_str(), found.remote_as), ("BGPPeer/second", 65002));
    eventually("its route", || {
        kernel::route_via(&fabric, NODE, "198.51.102.0/24", "192.0.2.2")
    });
    // Known by its address now, and with another password than it has.
    fabric.edit(NODE, &peer("peerIP: 192.0.2.2", &wrong));
    eventually("what the kernel dropped is told", || {
        let peer = view::down(&fabric, NODE, "192.0.2.2")?;
        let said = peer.last_error.clone().unwrap_or_default();
        check(said.contains("wrong TCP MD5 signature"), || format!("{peer:?}"))
    });
    fabric.edit(NODE, &peer("peerIP: 192.0.2.2", &secret));
    eventually("the right one", || view::established(&fabric, NODE, "192.0.2.2"));
    let first = view::established(&fabric, NODE, "192.0.2.1").expect("the first session");
    assert_eq!(first.flaps, 0, "{first:?}");
}
