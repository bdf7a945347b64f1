//! One agent and one router of another make on one wire, and what they have to do for each other. The
//! scenarios are the same for every make; [`Router`] says how each of them is spoken to.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Builder, Fabric, SOON, check, eventually, kernel, stays, view, within};

/// The routers' AS where the session is eBGP.
pub const THEIR_AS: u32 = 65001;
/// The agents' AS.
pub const OUR_AS: u32 = 64512;
/// What the router announces.
pub const THEIRS: [&str; 2] = ["198.51.100.0/24", "2001:db8:f::/48"];
/// What the agent announces.
pub const OURS: [&str; 2] = ["10.244.1.0/24", "fd00:10:244:1::/64"];
/// The router's addresses, and the agent's.
pub const THEIR_ADDRESS: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
pub const OUR_ADDRESS: [&str; 2] = ["192.0.2.11", "2001:db8:1::11"];

/// Both names of the wire's only nodes.
pub const ROUTER: &str = "r1";
pub const NODE: &str = "n1";

/// A session's shape: all of them carry IPv4 and IPv6 but those over IPv6, which carry IPv6 alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// eBGP over IPv4.
    External,
    /// iBGP over IPv4.
    Internal,
    /// eBGP over IPv6.
    ExternalV6,
}

impl Session {
    /// The router's AS.
    pub fn their_as(self) -> u32 {
        if self == Session::Internal {
            OUR_AS
        } else {
            THEIR_AS
        }
    }

    /// The family of the addresses that the session runs between: 0 is IPv4.
    fn transport(self) -> usize {
        usize::from(self == Session::ExternalV6)
    }

    /// The router's end.
    pub fn theirs(self) -> &'static str {
        THEIR_ADDRESS[self.transport()]
    }

    /// The agent's end.
    pub fn ours(self) -> &'static str {
        OUR_ADDRESS[self.transport()]
    }

    /// The families that it carries.
    pub fn families(self) -> std::ops::Range<usize> {
        self.transport()..2
    }
}

/// A route as the router has it.
#[derive(Debug)]
pub struct Learned {
    pub as_path: Vec<u32>,
    pub next_hops: Vec<String>,
}

/// A router of another make.
pub trait Router {
    /// Adds it to the fabric, with the session and its announcements, keepalives each 3 s and a hold time of 9 s.
    fn add(&self, builder: Builder, session: Session, exec: &[&str]) -> Builder;
    /// Announces the prefixes of [`THEIRS`], or withdraws them.
    fn announce(&self, fabric: &Fabric, session: Session, on: bool);
    /// A prefix as the router has it from the agent.
    fn learned(&self, fabric: &Fabric, prefix: &str) -> Result<Learned, String>;
    /// The name of the process that speaks BGP.
    fn process(&self) -> &'static str;
    /// Starts that process again.
    fn restart(&self, fabric: &Fabric);
}

fn resources(session: Session, blocks: &str) -> String {
    format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: {OUR_AS}, nodeToNodeMeshEnabled: false }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ cidr: 10.244.0.0/16 }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods6 }}\n\
         spec: {{ cidr: fd00:10:244::/48 }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {NODE} }}\n\
         spec: {{ bgp: {{ ipv4Address: 192.0.2.11/24, ipv6Address: '2001:db8:1::11/64' }}, podCIDRs: [{blocks}] }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: router }}\n\
         spec: {{ peerIP: '{}', asNumber: {} }}\n",
        session.theirs(),
        session.their_as()
    )
}

fn both_blocks() -> String {
    format!("{}, '{}'", OURS[0], OURS[1])
}

fn up(scenario: &str, router: &dyn Router, session: Session) -> Fabric {
    let builder = Builder::new(scenario)
        .agent(
            NODE,
            &[
                "ip addr add 192.0.2.11/24 dev eth1",
                "ip addr add 2001:db8:1::11/64 dev eth1",
            ],
        )
        .link("n1:eth1", "r1:eth1")
        .resources(&resources(session, &both_blocks()));
    let addresses = [
        "ip addr add 192.0.2.1/24 dev eth1",
        "ip addr add 2001:db8:1::1/64 dev eth1",
    ];
    let fabric = router.add(builder, session, &addresses).up();
    eventually("the session", || {
        view::established(&fabric, NODE, session.theirs())
    });
    for family in session.families() {
        eventually("their route in our kernel", || {
            theirs_installed(&fabric, session, family)
        });
    }
    fabric
}

fn theirs_installed(fabric: &Fabric, session: Session, family: usize) -> Result<(), String> {
    kernel::route_via(fabric, NODE, THEIRS[family], THEIR_ADDRESS[family]).map_err(|seen| {
        let received = view::route_of(fabric, NODE, THEIRS[family], &["--received", session.theirs()]);
        format!(
            "{seen}; received: {received:?}; decided: {:?}",
            view::route(fabric, NODE, THEIRS[family])
        )
    })
}

fn ours_known(fabric: &Fabric, router: &dyn Router, session: Session, family: usize) -> Result<(), String> {
    let learned = router.learned(fabric, OURS[family])?;
    let path: &[u32] = if session == Session::Internal {
        &[]
    } else {
        &[OUR_AS]
    };
    let next_hop = learned.next_hops.iter().any(|n| n == OUR_ADDRESS[family]);
    check(learned.as_path == path && next_hop, || format!("{learned:?}"))
}

/// Routes of both families go both ways with the right attributes, and are withdrawn both ways.
pub fn exchange(router: &dyn Router, session: Session) {
    let fabric = up("exchange", router, session);
    let peer = view::established(&fabric, NODE, session.theirs()).expect("the session is up");
    let kind = if session == Session::Internal {
        "internal"
    } else {
        "external"
    };
    assert_eq!((peer.kind.as_str(), peer.remote_as), (kind, session.their_as()));
    assert_eq!(
        peer.hold_seconds, 9,
        "the smaller hold time of both ends counts: {peer:?}"
    );
    for family in session.families() {
        let route = view::route(&fabric, NODE, THEIRS[family]).expect("the route is in the Loc-RIB");
        assert_eq!(route.origin, kind, "{route:?}");
        assert_eq!(
            route.next_hop.map(|n| n.to_string()).as_deref(),
            Some(THEIR_ADDRESS[family]),
            "{route:?}"
        );
        let path = if session == Session::Internal {
            String::new()
        } else {
            THEIR_AS.to_string()
        };
        assert_eq!(route.as_path, path, "{route:?}");
        eventually("the agent says that the route is installed", || {
            let route = view::route(&fabric, NODE, THEIRS[family])?;
            check(route.installed, || format!("{route:?}"))
        });
        eventually("our route at the router", || {
            ours_known(&fabric, router, session, family)
        });
        let advertised = view::route_of(&fabric, NODE, OURS[family], &["--advertised", session.theirs()]);
        assert!(advertised.is_ok(), "{advertised:?}");
        // Not to its teacher and, without transit, to nobody.
        let back = view::route_of(&fabric, NODE, THEIRS[family], &["--advertised", session.theirs()]);
        assert!(back.is_err(), "{back:?}");
    }

    router.announce(&fabric, session, false);
    for family in session.families() {
        eventually("their withdrawal in our kernel", || {
            kernel::no_route(&fabric, NODE, THEIRS[family])
        });
        assert!(
            view::route(&fabric, NODE, THEIRS[family]).is_err(),
            "the Loc-RIB has {}",
            THEIRS[family]
        );
    }
    router.announce(&fabric, session, true);
    for family in session.families() {
        eventually("their route again", || theirs_installed(&fabric, session, family));
    }

    let block = kernel::route(&fabric, NODE, OURS[0]).expect("our block is in the kernel");
    assert_eq!(kernel::text(&block, "type"), "blackhole", "{block}");
    fabric.edit(NODE, &resources(session, ""));
    for family in session.families() {
        eventually("our withdrawal at the router", || {
            match router.learned(&fabric, OURS[family]) {
                Ok(learned) => Err(format!("{learned:?}")),
                Err(_) => Ok(()),
            }
        });
        eventually("the block out of our kernel", || {
            kernel::no_route(&fabric, NODE, OURS[family])
        });
    }
    fabric.edit(NODE, &resources(session, &both_blocks()));
    for family in session.families() {
        eventually("our route again at the router", || {
            ours_known(&fabric, router, session, family)
        });
    }
    let peer = view::established(&fabric, NODE, session.theirs()).expect("the session is up");
    assert_eq!(peer.flaps, 0, "no edit may cost the session: {peer:?}");
}

/// The router's process dies: its routes leave our kernel at once. It comes back: so do they.
pub fn killed(router: &dyn Router, session: Session) {
    let fabric = up("killed", router, session);
    fabric.kill(fabric.process(ROUTER, router.process()));
    // The router's kernel closes the connection: there is no hold time to wait for.
    within(Duration::from_secs(5), "the loss of the session", || {
        view::down(&fabric, NODE, session.theirs())
    });
    for family in session.families() {
        eventually("their route out of our kernel", || {
            kernel::no_route(&fabric, NODE, THEIRS[family])
        });
        kernel::route(&fabric, NODE, OURS[family]).expect("our own block stays");
    }
    router.restart(&fabric);
    eventually("the session again", || {
        view::established(&fabric, NODE, session.theirs())
    });
    for family in session.families() {
        eventually("their route again", || theirs_installed(&fabric, session, family));
        eventually("our route at the router", || {
            ours_known(&fabric, router, session, family)
        });
    }
}

/// Our link goes down: the route over it is neither in the kernel nor said to be. It comes back: so does the route.
pub fn link_down(router: &dyn Router, session: Session) {
    let fabric = up("link", router, session);
    fabric.set_link(NODE, "eth1", false).expect("set the link down");
    within(Duration::from_secs(5), "the route out of the kernel", || {
        kernel::no_route(&fabric, NODE, THEIRS[0])
    });
    eventually("the agent says so", || {
        match view::route(&fabric, NODE, THEIRS[0]) {
            Ok(route) if route.installed => Err(format!("{route:?}")),
            _ => Ok(()),
        }
    });
    fabric.set_link(NODE, "eth1", true).expect("set the link up");
    eventually("the session", || {
        view::established(&fabric, NODE, session.theirs())
    });
    eventually("their route again", || theirs_installed(&fabric, session, 0));
    eventually("our route at the router", || {
        ours_known(&fabric, router, session, 0)
    });
}

/// The router hangs: the hold time that both agreed on ends the session, not sooner. It wakes up: all is well.
pub fn hold_timer(router: &dyn Router, session: Session) {
    let fabric = up("hold", router, session);
    let process = fabric.process(ROUTER, router.process());
    process.signal(Signal::SIGSTOP);
    // The last keepalive came at most 3 s ago, so nothing may happen for 5 s and more.
    stays(
        Duration::from_secs(5),
        "the session of a router that hangs",
        || view::established(&fabric, NODE, session.theirs()).map(drop),
    );
    let lost = within(Duration::from_secs(9), "the end of the hold time", || {
        view::down(&fabric, NODE, session.theirs())
    });
    let why = lost.last_error.unwrap_or_default();
    assert!(
        why.to_lowercase().contains("hold timer"),
        "the agent gives another reason: {why}"
    );
    for family in session.families() {
        eventually("their route out of our kernel", || {
            kernel::no_route(&fabric, NODE, THEIRS[family])
        });
    }
    process.signal(Signal::SIGCONT);
    within(SOON, "the session again", || {
        view::established(&fabric, NODE, session.theirs())
    });
    for family in session.families() {
        eventually("their route again", || theirs_installed(&fabric, session, family));
    }
}
