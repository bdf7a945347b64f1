//! Who stands around the router: the peers of a case, the router's addresses, and the namespaces in which all of it happens.
//!
//! The router has two links. What feeds it is on the first, what is fed on the second, so that the router is the next hop of whatever it
//! passes on, as it has to be between two networks.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use bench_support::leftovers::Mark;
use bench_support::place::{Namespace, ip, write};

use crate::route::Prefix;

/// The AS of the router.
pub const ROUTER_AS: u32 = 64_512;
/// Its addresses, one on each link; the first is its identifier and that of its cluster.
pub const ROUTER: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 18, 0, 1), Ipv4Addr::new(198, 19, 0, 1)];
const LINKS: [&str; 2] = ["feed", "take"];

/// How the names of this benchmark's namespaces and folders begin.
pub const MARK: Mark = Mark("benchbgp-");

/// Whether it is one of the router's addresses.
pub fn is_router(address: u32) -> bool {
    ROUTER.iter().any(|own| u32::from(*own) == address)
}

/// What a peer is to the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An external peer that announces and is told nothing.
    Feeder,
    /// An external peer that is told everything.
    Receiver,
    /// An internal peer to which the router reflects, and whose routes it reflects.
    Client,
    /// An internal peer of a full mesh.
    Member,
}

/// A peer.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address, and its identifier.
    pub address: Ipv4Addr,
    /// Its AS.
    pub asn: u32,
    /// What it is.
    pub role: Role,
}

impl Peer {
    /// Number `n` on the first link.
    pub fn feeding(n: usize, asn: u32, role: Role) -> Peer {
        Peer::on(0, n, asn, role)
    }

    /// Number `n` on the second link.
    pub fn taking(n: usize, asn: u32, role: Role) -> Peer {
        Peer::on(1, n, asn, role)
    }

    fn on(link: usize, n: usize, asn: u32, role: Role) -> Peer {
        let first = u32::from(ROUTER[link]) + 1;
        Peer {
            address: Ipv4Addr::from(first + u32::try_from(n).unwrap_or_default()),
            asn,
            role,
        }
    }

    /// The router's address on its link.
    pub fn router(&self) -> Ipv4Addr {
        ROUTER[self.link()]
    }

    fn link(&self) -> usize {
        usize::from(self.address.octets()[1] == ROUTER[1].octets()[1])
    }

    /// Whether it is of another AS.
    pub fn external(&self) -> bool {
        self.asn != ROUTER_AS
    }
}

/// What a router is configured for.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// All peers.
    pub peers: Vec<Peer>,
    /// What it announces by itself.
    pub originate: Vec<Prefix>,
}

impl Scene {
    /// Whether the router is a reflector.
    pub fn reflects(&self) -> bool {
        self.peers.iter().any(|peer| peer.role == Role::Client)
    }

    /// Whether feeders have to be kept from hearing of each other's routes: there are several.
    pub fn keeps_feeders_apart(&self) -> bool {
        self.peers.iter().filter(|peer| peer.role == Role::Feeder).count() > 1
    }
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The router's namespace, that of all its peers, and the wires between them.
#[derive(Debug)]
pub struct Place {
    /// The router's.
    pub router: Namespace,
    /// The peers'.
    pub peers: Namespace,
}

impl Place {
    /// Makes it, with the addresses of all peers; `folder` is for files.
    pub fn new(what: &str, scene: &Scene, folder: &Path) -> anyhow::Result<Place> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let make = |end: &str| Namespace::new(MARK.name(&format!("{number}-{what}-{end}")));
        let place = Place {
            router: make("r")?,
            peers: make("p")?,
        };
        for (link, address) in LINKS.into_iter().zip(ROUTER) {
            place.router.wire(&place.peers, link)?;
            place.router.ip(&format!("addr add {address}/16 dev {link}"))?;
            place.router.ip(&format!("link set {link} up"))?;
            place.peers.ip(&format!("link set {link} up"))?;
        }
        let lines: String = scene
            .peers
            .iter()
            .map(|peer| format!("addr add {}/16 dev {}\n", peer.address, LINKS[peer.link()]))
            .collect();
        let file = write(folder, "addresses", &lines)?;
        ip(&format!("-n {} -batch {file}", place.peers.name()))
            .context("cannot give the peers their addresses")?;
        Ok(place)
    }
}
