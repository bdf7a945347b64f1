//! One agent and one router that speaks BFD on a wire, whatever make it is: what has to happen.

use std::time::Duration;

use interop_table::Feature;
use nix::sys::signal::Signal;

use super::{AT_ONCE, HOLD, negotiated, path, up};
use crate::interop;
use crate::support::{Builder, Fabric, check, eventually, kernel, stays, view, within};

/// What the router announces, and what the agent does; by family.
pub const THEIRS: [&str; 2] = ["198.51.100.0/24", "2001:db8:f::/48"];
pub const OURS: [&str; 2] = ["10.244.1.0/24", "fd00:10:244:1::/64"];
pub const THEIR_ADDRESS: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
pub const OUR_ADDRESS: [&str; 2] = ["192.0.2.11", "2001:db8:1::11"];
pub const ROUTER: &str = "r1";
pub const NODE: &str = "n1";

/// The milliseconds between packets.
const INTERVAL: u64 = 100;

/// How many packets in a row must be missing. Where nothing but a planned restart is looked at, more of them: a machine that others
/// keep from running for a third of a second is not what is meant there.
pub fn multiplier(graceful: bool) -> u64 {
    if graceful { 9 } else { 3 }
}

/// A router of some make: 100 ms and [`multiplier`], graceful restart, a hold time of 240 s.
pub trait Router {
    /// The make, for the table of what was seen with which.
    fn make(&self) -> &'static dyn interop::makes::Router;
    /// Adds it to the fabric, with a session over IPv4 (0) or IPv6 (1) that carries that family. Whoever wants a restart of
    /// the other end to be `graceful` has to take the end of its BFD, whose C bit is clear, for that restart.
    fn add(&self, builder: Builder, family: usize, graceful: bool, exec: &[&str]) -> Builder;
    /// What it is told once BGP is up, where its file is not the place for it.
    fn start(&self, _fabric: &Fabric, _family: usize, _graceful: bool) {}
    /// The processes that hang when the router hangs.
    fn processes(&self) -> &'static [&'static str];
    /// Whether the router has our route, and uses it.
    fn has_ours(&self, fabric: &Fabric, family: usize) -> Result<(), String>;
    /// What the router knows of its BFD sessions, in its own words.
    fn sessions(&self, fabric: &Fabric) -> String;
    /// Whether the router says that its session ended because of BFD.
    fn blames_bfd(&self, fabric: &Fabric, family: usize) -> Result<(), String>;
    /// Switches the BFD session off as an operator does; false where the make cannot without pulling the plug.
    fn switch_off(&self, fabric: &Fabric) -> bool;
}

fn fabric(scenario: &str, router: &dyn Router, family: usize, graceful: bool) -> Fabric {
    let resources = format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: 64512, nodeToNodeMeshEnabled: false }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ cidr: 10.244.0.0/16 }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods6 }}\n\
         spec: {{ cidr: 'fd00:10:244::/48' }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {NODE} }}\n\
         spec: {{ bgp: {{ ipv4Address: 192.0.2.11/24, ipv6Address: '2001:db8:1::11/64' }}, podCIDRs: [{}, '{}'] }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: router }}\n\
         spec: {{ peerIP: '{}', asNumber: 65001, holdTime: {HOLD}, bfd: {{ transmitInterval: 100ms, receiveInterval: 100ms, \
         detectMultiplier: {} }} }}\n",
        OURS[0],
        OURS[1],
        THEIR_ADDRESS[family],
        multiplier(graceful)
    );
    let builder = Builder::new(scenario)
        .agent(
            NODE,
            &[
                "ip addr add 192.0.2.11/24 dev eth1",
                "ip addr add 2001:db8:1::11/64 dev eth1 nodad",
            ],
        )
        .link("n1:eth1", "r1:eth1")
        .resources(&resources);
    let addresses = [
        "ip link set lo up",
        "ip addr add 192.0.2.1/24 dev eth1",
        "ip addr add 2001:db8:1::1/64 dev eth1 nodad",
    ];
    let fabric = router.add(builder, family, graceful, &addresses).up();
    eventually("BGP", || view::established(&fabric, NODE, THEIR_ADDRESS[family]));
    router.start(&fabric, family, graceful);
    fabric
}

/// Both are up with the agreed timers, and each has the other's route.
fn settled(fabric: &Fabric, router: &dyn Router, family: usize, graceful: bool) {
    let peer = THEIR_ADDRESS[family];
    eventually("BGP and BFD with these timers", || {
        negotiated(fabric, NODE, peer, INTERVAL * multiplier(graceful))
            .map_err(|e| format!("{e}; {}", router.sessions(fabric)))
    });
    eventually("their route in our kernel", || {
        kernel::route_via(fabric, NODE, THEIRS[family], THEIR_ADDRESS[family])
    });
    eventually("our route at the router", || router.has_ours(fabric, family));
}

fn signal(fabric: &Fabric, router: &dyn Router, signal: Signal) {
    for process in router.processes() {
        fabric.process(ROUTER, process).signal(signal);
    }
}

/// The whole life of a session: a router that hangs, an agent that hangs, a way that carries one direction only, an operator.
pub fn life(router: &dyn Router, family: usize) {
    let fabric = fabric("bfd", router, family, false);
    let peer = THEIR_ADDRESS[family];
    settled(&fabric, router, family, false);
    let (_, bfd) = up(&fabric, NODE, peer).expect("it is up");
    // FRR may begin its BFD session anew when BGP comes up: how often it was lost until here says nothing.
    assert_eq!((bfd.hops.as_str(), bfd.transmit_ms), ("single", 100), "{bfd:?}");

    // The router hangs; TCP stays open and the hold time is long.
    signal(&fabric, router, Signal::SIGSTOP);
    within(AT_ONCE, "the routes of a router that hangs go", || {
        kernel::no_route(&fabric, NODE, THEIRS[family])
    });
    let lost = view::down(&fabric, NODE, peer).expect("BGP is down");
    let why = lost.last_error.unwrap_or_default();
    assert!(why.contains("BFD session down"), "{why}");
    signal(&fabric, router, Signal::SIGCONT);
    settled(&fabric, router, family, false);

    // We hang, and the router finds out.
    let agent = fabric.process(NODE, "agent");
    agent.signal(Signal::SIGSTOP);
    within(
        AT_ONCE,
        "the router drops the routes of an agent that hangs",
        || match router.has_ours(&fabric, family) {
            Ok(()) => Err("it has them".into()),
            Err(_) => Ok(()),
        },
    );
    agent.signal(Signal::SIGCONT);
    settled(&fabric, router, family, false);

    // The way from us to the router dies, for BFD alone, so that nothing else can find it.
    let flaps = view::peer(&fabric, NODE, peer).expect("the peer").flaps;
    fabric.run(ROUTER, "nft add table inet cut");
    fabric.run(
        ROUTER,
        "nft add chain inet cut in { type filter hook input priority 0 ; }",
    );
    fabric.run(ROUTER, "nft add rule inet cut in udp dport { 3784, 4784 } drop");
    within(AT_ONCE, "a way that carries one direction is found", || {
        let peer = view::peer(&fabric, NODE, peer)?;
        check(peer.flaps > flaps, || format!("{peer:?}"))
    });
    eventually("the router knows why", || router.blames_bfd(&fabric, family));
    fabric.run(ROUTER, "nft delete table inet cut");
    settled(&fabric, router, family, false);

    // The router's operator switches BFD off: no failure.
    let flaps = view::peer(&fabric, NODE, peer).expect("the peer").flaps;
    if router.switch_off(&fabric) {
        eventually("the session is off", || {
            let bfd = path(&fabric, NODE, peer)?;
            check(bfd.state != "up", || format!("{bfd:?}"))
        });
        stays(Duration::from_secs(2), "BGP without BFD", || {
            let peer = view::established(&fabric, NODE, peer)?;
            check(peer.flaps == flaps, || format!("{peer:?}"))
        });
    }
    interop::record::works(router.make(), &fabric, ROUTER, Feature::Bfd, "");
}

/// The agent ends as an upgrade ends it, and is back: the router has our route all the time.
pub fn restart(router: &dyn Router) {
    let fabric = fabric("bfd-gr", router, 0, true);
    settled(&fabric, router, 0, true);
    fabric.stop_agent(NODE).expect("the agent ends");
    // Longer than the detection time by far.
    stays(Duration::from_secs(4), "our route at the router", || {
        router.has_ours(&fabric, 0)
    });
    fabric.start_agent(NODE).expect("the agent starts again");
    stays(Duration::from_secs(3), "our route at the router", || {
        router.has_ours(&fabric, 0)
    });
    settled(&fabric, router, 0, true);
}
