//! The vocabulary of this crate: what is wanted, what the kernel has, and what came of it.
//!
//! A caller builds a complete [`DesiredFib`]; the task compares it with the kernel and answers with two published values:
//! [`KernelView`] (everything that is not ours: routes, links, addresses) and [`SyncStatus`] (how far the wish is reality).
//! The names are those of rtnetlink(7): table, metric (`RTA_PRIORITY`), protocol (`rtm_protocol`).

mod hop;
mod status;

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;

pub use hop::{DesiredNexthops, Hop, NexthopKey, NexthopSet, Resilient};
pub use status::{NexthopForm, NexthopMode, Settings, SyncStatus};

/// A kernel routing table (`RTA_TABLE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub u32);

impl Table {
    /// The main table (254).
    pub const MAIN: Table = Table(254);
    /// The table of local addresses (255): the kernel's own, never read or written here.
    pub(crate) const LOCAL: Table = Table(255);
}

/// A route's metric (`RTA_PRIORITY`): the lowest wins among routes to the same destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Metric(pub u32);

/// The number that marks who installed a route (`rtm_protocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Default for Protocol {
    /// Roadbed's own number, 82: used by no entry of `/etc/iproute2/rt_protos`.
    fn default() -> Self {
        Protocol(82)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            2 => "kernel",
            3 => "boot",
            4 => "static",
            9 => "ra",
            11 => "zebra",
            12 => "bird",
            16 => "dhcp",
            42 => "babel",
            186 => "bgp",
            187 => "isis",
            188 => "ospf",
            number => return write!(f, "{number}"),
        };
        f.write_str(name)
    }
}

/// What makes a route one of its kind in the kernel. IPv6 has no metric 0: the kernel reads it as 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteKey {
    /// The routing table.
    pub table: Table,
    /// The destination; host bits are ignored.
    pub destination: IpNet,
    /// The metric.
    pub metric: Metric,
}

impl RouteKey {
    /// A key in the main table.
    pub fn main(destination: IpNet, metric: Metric) -> Self {
        RouteKey {
            table: Table::MAIN,
            destination,
            metric,
        }
    }

    /// The key as three numbers, in the order of keys: by table, destination (IPv4 first), metric. There are very many keys in
    /// very many ordered places, and numbers compare several times as quickly as the fields do one by one.
    fn packed(&self) -> (u64, u128, u64) {
        let (v6, address, length) = match self.destination {
            IpNet::V4(net) => (0, u128::from(u32::from(net.addr())), net.prefix_len()),
            IpNet::V6(net) => (1, u128::from(net.addr()), net.prefix_len()),
        };
        let table = u64::from(self.table.0) << 1 | v6;
        (table, address, u64::from(length) << 32 | u64::from(self.metric.0))
    }

    /// The same key as the kernel would show it: no host bits, and metric 1024 for IPv6's 0.
    pub fn normalized(self) -> Self {
        let metric = match (self.destination, self.metric) {
            (IpNet::V6(_), Metric(0)) => Metric(1024),
            (_, metric) => metric,
        };
        RouteKey {
            table: self.table,
            destination: self.destination.trunc(),
            metric,
        }
    }
}

impl Ord for RouteKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.packed().cmp(&other.packed())
    }
}

impl PartialOrd for RouteKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for RouteKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (table, address, rest) = self.packed();
        state.write_u64(table);
        // In two halves: the upper one is the same for very many.
        state.write_u64((address >> 64) as u64);
        state.write_u64(address as u64);
        state.write_u64(rest);
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.destination)?;
        if self.metric.0 != 0 {
            write!(f, " metric {}", self.metric.0)?;
        }
        if self.table != Table::MAIN {
            write!(f, " table {}", self.table.0)?;
        }
        Ok(())
    }
}

/// Where packets to a destination go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// Forward to one hop, or spread over several (ECMP).
    Forward(Vec<Hop>),
    /// Forward over the hops that [`DesiredNexthops`] has under that name: they change for all such routes at once.
    Via(NexthopKey),
    /// Drop silently: holds a block together so that no less specific route catches its holes.
    Blackhole,
}

/// A route that is wanted, under its [`RouteKey`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DesiredRoute {
    /// Where packets go.
    pub target: Target,
    /// Source address of what this host itself sends by this route (`RTA_PREFSRC`).
    pub preferred_source: Option<IpAddr>,
    /// MTU in bytes for this route (`RTAX_MTU`), where it is below the link's.
    pub mtu: Option<u32>,
    /// Largest TCP segment in bytes that connections of this host announce by this route (`RTAX_ADVMSS`).
    pub advmss: Option<u32>,
}

impl DesiredRoute {
    fn to(target: Target) -> Self {
        DesiredRoute {
            target,
            preferred_source: None,
            mtu: None,
            advmss: None,
        }
    }

    /// A route over `hops`, with nothing special.
    pub fn forward(hops: Vec<Hop>) -> Self {
        Self::to(Target::Forward(hops))
    }

    /// A route over the set of that name, with nothing special.
    pub fn via(set: NexthopKey) -> Self {
        Self::to(Target::Via(set))
    }

    /// A blackhole.
    pub fn blackhole() -> Self {
        Self::to(Target::Blackhole)
    }

    /// The route as `ip route` would write it, but for table, metric and protocol.
    pub fn text(&self, destination: &IpNet) -> String {
        let hop = |hop: &Hop| {
            let gateway = hop.gateway.map_or_else(String::new, |g| format!("via {g} "));
            let onlink = if hop.onlink { " onlink" } else { "" };
            format!("{gateway}dev {}{onlink}", hop.interface)
        };
        let source = self
            .preferred_source
            .map_or_else(String::new, |s| format!(" src {s}"));
        match &self.target {
            Target::Blackhole => format!("blackhole {destination}"),
            Target::Via(set) => format!("{destination} over {set}{source}"),
            Target::Forward(hops) => match hops.as_slice() {
                [only] => format!("{destination} {}{source}", hop(only)),
                several => {
                    let ways = several
                        .iter()
                        .map(|h| format!("nexthop {} weight {}", hop(h), h.weight));
                    format!("{destination}{source} {}", ways.collect::<Vec<_>>().join(" "))
                }
            },
        }
    }
}

/// The complete wish: whatever is ours in the kernel and not here is to go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DesiredFib {
    /// Every wanted route.
    pub routes: BTreeMap<RouteKey, DesiredRoute>,
    /// `false`: routes of ours that an earlier run left behind and that are not wanted stay in place (until the first full feed).
    pub sweep: bool,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Interface index; re-used by the kernel after deletion.
    pub index: u32,
    /// Interface name.
    pub name: Arc<str>,
    /// Kind of a virtual device as the kernel names it (`veth`, `vxlan`, `bridge` ...); `None` for hardware and loopback.
    pub kind: Option<String>,
    /// Administratively up.
    pub up: bool,
    /// The lower layer has carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Packets leave by it (`IFF_RUNNING`): a moment after the carrier has come back the kernel opens its queues again.
    pub running: bool,
    /// MTU in bytes.
    pub mtu: u32,
    /// Hardware address, where it is an Ethernet one.
    pub mac: Option<[u8; 6]>,
    /// Index of the bridge, bond or VRF that this link belongs to.
    pub master: Option<u32>,
}

/// An address of this host, with the prefix length of its subnet (host bits kept).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Index of the interface that holds it.
    pub index: u32,
    /// Address and subnet.
    pub net: IpNet,
}

/// What the kernel does with packets of a route (`rtm_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteKind {
    /// Forwards or delivers on a link.
    Unicast,
    /// Drops silently.
    Blackhole,
    /// Refuses with ICMP unreachable.
    Unreachable,
    /// Refuses with ICMP administratively prohibited.
    Prohibit,
    /// Ends the lookup in this table.
    Throw,
    /// Any other number (local, broadcast, NAT ...).
    Other(u8),
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteKind::Unicast => f.write_str("unicast"),
            RouteKind::Blackhole => f.write_str("blackhole"),
            RouteKind::Unreachable => f.write_str("unreachable"),
            RouteKind::Prohibit => f.write_str("prohibit"),
            RouteKind::Throw => f.write_str("throw"),
            RouteKind::Other(number) => write!(f, "type {number}"),
        }
    }
}

/// A hop of a route as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NextHop {
    /// The neighbour, or `None` where the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// Index of the interface.
    pub index: u32,
    /// `false` while the kernel marks the hop dead or its link down.
    pub usable: bool,
}

/// A route of the main table that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRoute {
    /// The destination.
    pub destination: IpNet,
    /// The metric.
    pub metric: Metric,
    /// Who installed it.
    pub protocol: Protocol,
    /// What the kernel does with its packets.
    pub kind: RouteKind,
    /// The ways out; empty for all kinds but unicast.
    pub hops: Vec<NextHop>,
}

/// The kernel's state that is not ours, published whenever it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelView {
    /// Grows by one with each publication; 0 before the first look at the kernel.
    pub generation: u64,
    /// Every link by its index.
    pub links: BTreeMap<u32, Link>,
    /// Every address of this host, sorted.
    pub addresses: Vec<Address>,
    /// Every route of the main table that does not carry our protocol number, by destination and metric.
    pub foreign: Vec<ForeignRoute>,
}

impl KernelView {
    /// The link of that name, if there is one.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| &*link.name == name)
    }

    /// Whether this host itself holds the address.
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|held| held.net.addr() == address)
    }
}
