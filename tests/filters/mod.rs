//! BGPFilters at work between the agent and FRR: what passes and what it becomes in both directions, the reasons shown, and
//! changes that reset no session.

use serde_json::Value;

use crate::support::{Builder, Fabric, check, eventually, kernel, view};

const NODE: &str = "n1";
const ROUTER: &str = "r1";
const PEER: &str = "192.0.2.1";

/// Rules for what comes from the router: one range is closed, in the rest routes are marked; and what goes to it is marked.
const FILTER: &str = "
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata: { name: edge }
spec:
  importV4:
  - { action: Reject, matchOperator: In, cidr: 198.51.100.0/24, prefixLength: { min: 25 } }
  - { action: Accept, asPathPrefix: [65001], operations: [ { addCommunity: { value: '64512:7' } } ] }
  exportV4:
  - action: Accept
    matchOperator: In
    cidr: 10.244.0.0/16
    operations: [ { addCommunity: { value: '64512:1:2' } }, { prependASPath: { prefix: [64512, 64512] } } ]
";

fn resources(filter: &str, filters: &str) -> String {
    format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: 64512, nodeToNodeMeshEnabled: false }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ cidr: 10.244.0.0/16 }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {NODE} }}\n\
         spec: {{ bgp: {{ ipv4Address: 192.0.2.11/24 }}, podCIDRs: [10.244.1.0/24] }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: router }}\n\
         spec: {{ peerIP: {PEER}, asNumber: 65001, filters: {filters} }}\n---{filter}"
    )
}

const FRR: &str = "frr defaults traditional
log stdout warnings
!
router bgp 65001
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 3 9
 neighbor 192.0.2.11 remote-as 64512
 neighbor 192.0.2.11 timers connect 1
 address-family ipv4 unicast
  network 198.51.100.0/24
  network 198.51.100.128/25
 exit-address-family
exit
";

fn up(scenario: &str, resources: &str) -> Fabric {
    let fabric = Builder::new(scenario)
        .agent(NODE, &["ip addr add 192.0.2.11/24 dev eth1"])
        .frr(ROUTER, FRR, &["ip addr add 192.0.2.1/24 dev eth1"])
        .link("n1:eth1", "r1:eth1")
        .resources(resources)
        .up();
    eventually("the session", || view::established(&fabric, NODE, PEER));
    eventually("what passes is in the kernel", || {
        kernel::route_via(&fabric, NODE, "198.51.100.0/24", PEER)
    });
    fabric
}

/// A prefix of ours as FRR has it, and how long the session has been up there, in seconds.
fn at_frr(fabric: &Fabric, command: &str) -> Result<Value, String> {
    let text = fabric
        .exec_ok(ROUTER, &["vtysh", "-c", command])
        .map_err(|e| e.to_string())?;
    serde_json::from_str(&text).map_err(|e| format!("FRR wrote no JSON: {e}: {text}"))
}

fn our_block(fabric: &Fabric) -> Result<(String, String), String> {
    let route = at_frr(fabric, "show bgp ipv4 unicast 10.244.1.0/24 json")?;
    let text = |pointer: &str| route.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let path = text("/paths/0/aspath/string").ok_or_else(|| format!("FRR has no route: {route}"))?;
    Ok((path, text("/paths/0/largeCommunity/string").unwrap_or_default()))
}

/// How often the session was made, as FRR counts.
fn established_at_frr(fabric: &Fabric) -> i64 {
    let peer = at_frr(fabric, "show bgp neighbors 192.0.2.11 json").expect("FRR answers");
    let count = peer.pointer("/192.0.2.11/connectionsEstablished");
    count
        .and_then(Value::as_i64)
        .unwrap_or_else(|| panic!("{peer:#}"))
}

#[test]
fn rules_decide_and_say_so() {
    let fabric = up("decide", &resources(FILTER, "[edge]"));
    let closed = eventually("the rejected route", || {
        view::route_of(&fabric, NODE, "198.51.100.128/25", &["--rejected"])
    });
    assert_eq!(closed.reason, "rejected by BGPFilter edge, importV4 rule 1");
    assert_eq!(
        (closed.filter.as_deref(), closed.list.as_deref(), closed.rule),
        (Some("edge"), Some("importV4"), Some(1))
    );
    kernel::no_route(&fabric, NODE, "198.51.100.128/25").expect("it stays out of the kernel");
    let open = view::route_of(&fabric, NODE, "198.51.100.0/24", &["--received", PEER]).expect("received");
    assert!(open.communities.is_empty(), "as received: {open:?}");
    assert!(
        open.reason
            .contains("by BGPFilter edge, importV4 rule 2, changed to communities 64512:7"),
        "{open:?}"
    );
    let ours = eventually("our block there", || our_block(&fabric));
    assert_eq!(ours, ("64512 64512 64512".to_owned(), "64512:1:2".to_owned()));
    let told = view::route_of(&fabric, NODE, "10.244.1.0/24", &["--advertised", PEER]).expect("advertised");
    assert_eq!(told.reason, "advertised, by BGPFilter edge, exportV4 rule 1");
    let explained = fabric
        .roadbed_json(NODE, &["explain", "198.51.100.1"])
        .expect("explained")
        .to_string();
    assert!(
        explained.contains("importV4 rule 1: 198.51.100.0/24 is not in 198.51.100.0/24 of /25 to /32"),
        "{explained}"
    );
    let status = view::status(&fabric, NODE).expect("status");
    assert!(status.peers.unfiltered.is_empty(), "{:?}", status.peers);
}

#[test]
fn a_change_of_filters_resets_no_session() {
    let fabric = up("change", &resources("", "[]"));
    eventually("without filters all passes", || {
        kernel::route_via(&fabric, NODE, "198.51.100.128/25", PEER)
    });
    let status = view::status(&fabric, NODE).expect("status");
    assert_eq!(status.peers.unfiltered, ["192.0.2.1 (router): import"]);
    let before = established_at_frr(&fabric);
    fabric.edit(NODE, &resources(FILTER, "[edge]"));
    eventually("a route goes", || {
        kernel::no_route(&fabric, NODE, "198.51.100.128/25")
    });
    eventually("ours is told anew", || {
        let ours = our_block(&fabric)?;
        check(ours.1 == "64512:1:2", || format!("{ours:?}"))
    });
    fabric.edit(NODE, &resources("", "[]"));
    eventually("and comes back from what was stored", || {
        kernel::route_via(&fabric, NODE, "198.51.100.128/25", PEER)
    });
    assert_eq!(established_at_frr(&fabric), before, "the session was never reset");
    assert_eq!(view::peer(&fabric, NODE, PEER).expect("the peer").flaps, 0);
}

#[test]
fn a_filter_that_is_deleted_under_a_peer_keeps_the_last_good_state() {
    let fabric = up("deleted", &resources(FILTER, "[edge]"));
    kernel::no_route(&fabric, NODE, "198.51.100.128/25").expect("the filter works");
    fabric.edit(NODE, &resources("", "[edge]"));
    eventually("the mistake is told", || {
        let status = view::status(&fabric, NODE)?;
        let told = status
            .problems
            .iter()
            .any(|p| p.message.contains("no BGPFilter is named `edge`"));
        check(told, || format!("{:?}", status.problems))
    });
    kernel::no_route(&fabric, NODE, "198.51.100.128/25").expect("the filter works on");
    assert_eq!(view::peer(&fabric, NODE, PEER).expect("the peer").flaps, 0);
}
