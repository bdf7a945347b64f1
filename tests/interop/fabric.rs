//! One agent and one router of another make on one wire, and where a case wants it a second router behind the agent:
//! what the first says can be read at the second.

use super::makes::{Neighbor, Router, Site, THEIRS};
use crate::support::{Builder, Fabric, check, eventually, kernel, view};

/// The first router's AS where the session is eBGP.
pub const THEIR_AS: u32 = 65001;
/// The second router's.
pub const SECOND_AS: u32 = 65002;
/// The agents' AS.
pub const OUR_AS: u32 = 64512;
/// What the agent announces.
pub const OURS: [&str; 2] = ["10.244.1.0/24", "fd00:10:244:1::/64"];
/// The router's addresses, and the agent's.
pub const THEIR_ADDRESS: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
pub const OUR_ADDRESS: [&str; 2] = ["192.0.2.11", "2001:db8:1::11"];
/// The second router's addresses, and the agent's towards it.
pub const SECOND_ADDRESS: [&str; 2] = ["198.18.2.1", "2001:db8:2::1"];
pub const OUR_SECOND_ADDRESS: [&str; 2] = ["198.18.2.11", "2001:db8:2::11"];

/// The names of the nodes.
pub const ROUTER: &str = "r1";
pub const SECOND: &str = "r2";
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

    /// The families that it carries.
    pub fn families(self) -> std::ops::Range<usize> {
        self.transport()..2
    }
}

/// The router on the agent's wire.
pub fn site(session: Session) -> Site {
    Site {
        node: ROUTER.to_owned(),
        asn: session.their_as(),
        addresses: THEIR_ADDRESS.map(str::to_owned),
        neighbors: vec![Neighbor {
            name: "node".to_owned(),
            local: session.theirs().to_owned(),
            remote: OUR_ADDRESS[session.transport()].to_owned(),
            asn: OUR_AS,
            families: session.families(),
            ..Neighbor::default()
        }],
        announces: true,
        hold: 9,
        forwards: false,
        fixed: Vec::new(),
        graceful: false,
    }
}

/// The router behind the agent: it announces nothing. The agent's next hop of IPv6 is its node's address, which is not on
/// the wire between them.
pub fn second_site() -> Site {
    let mut site = site(Session::External);
    site.node = SECOND.to_owned();
    site.asn = SECOND_AS;
    site.addresses = SECOND_ADDRESS.map(str::to_owned);
    site.announces = false;
    site.neighbors[0].local = SECOND_ADDRESS[0].to_owned();
    site.neighbors[0].remote = OUR_SECOND_ADDRESS[0].to_owned();
    site.neighbors[0].multihop = true;
    site
}

/// The resources of the agent: its blocks, and BGPPeers as they are given.
pub fn resources(blocks: &str, peers: &str) -> String {
    format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: {OUR_AS}, nodeToNodeMeshEnabled: false }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ cidr: 10.244.0.0/16 }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods6 }}\n\
         spec: {{ cidr: fd00:10:244::/48 }}\n---\n\
         apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {NODE} }}\n\
         spec: {{ bgp: {{ ipv4Address: 192.0.2.11/24, ipv6Address: '2001:db8:1::11/64' }}, podCIDRs: [{blocks}] }}\n{peers}"
    )
}

/// A BGPPeer with fields besides its address and AS.
pub fn peer(name: &str, address: &str, asn: u32, more: &str) -> String {
    format!(
        "---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: {name} }}\n\
         spec: {{ peerIP: '{address}', asNumber: {asn}{more} }}\n"
    )
}

/// The BGPPeer of the only session of a shape.
pub fn only_peer(session: Session) -> String {
    peer("router", session.theirs(), session.their_as(), "")
}

pub fn both_blocks() -> String {
    format!("{}, '{}'", OURS[0], OURS[1])
}

/// The agent's node, on a wire to the router.
pub fn builder(scenario: &str) -> Builder {
    let [v4, v6] = OUR_ADDRESS;
    let addresses = [
        format!("ip addr add {v4}/24 dev eth1"),
        format!("ip addr add {v6}/64 dev eth1"),
    ];
    Builder::new(scenario)
        .agent(NODE, &addresses.each_ref().map(String::as_str))
        .link("n1:eth1", "r1:eth1")
}

/// The router's addresses.
pub fn addresses(of: [&str; 2]) -> [String; 2] {
    [
        format!("ip addr add {}/24 dev eth1", of[0]),
        format!("ip addr add {}/64 dev eth1", of[1]),
    ]
}

/// Both on their wire, with all routes where they belong.
pub fn up(scenario: &str, router: &dyn Router, session: Session) -> Fabric {
    let builder = builder(scenario).resources(&resources(&both_blocks(), &only_peer(session)));
    let site = site(session);
    let exec = addresses(THEIR_ADDRESS);
    let fabric = router
        .add(builder, &site, &exec.each_ref().map(String::as_str))
        .up();
    router.settle(&fabric, &site);
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

/// The router's route is in our kernel.
pub fn theirs_installed(fabric: &Fabric, session: Session, family: usize) -> Result<(), String> {
    kernel::route_via(fabric, NODE, THEIRS[family], THEIR_ADDRESS[family]).map_err(|seen| {
        let received = view::route_of(fabric, NODE, THEIRS[family], &["--received", session.theirs()]);
        format!(
            "{seen}; received: {received:?}; decided: {:?}",
            view::route(fabric, NODE, THEIRS[family])
        )
    })
}

/// Our route is at the router, as it must be.
pub fn ours_known(
    fabric: &Fabric,
    router: &dyn Router,
    session: Session,
    family: usize,
) -> Result<(), String> {
    let learned = router.learned(fabric, ROUTER, OURS[family])?;
    let path: &[u32] = if session == Session::Internal {
        &[]
    } else {
        &[OUR_AS]
    };
    let next_hop = learned.next_hops.iter().any(|n| n == OUR_ADDRESS[family]);
    check(learned.as_path == path && next_hop, || format!("{learned:?}"))
}
