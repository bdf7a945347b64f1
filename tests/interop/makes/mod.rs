//! Routers of other makes: what they are asked for ([`Site`]), and how each is configured, spoken to and read.

mod bird;
mod exabgp;
mod frr;
mod gobgp;
mod openbgpd;

pub use bird::Bird;
pub use exabgp::Exabgp;
pub use frr::Frr;
pub use gobgp::Gobgp;
pub use openbgpd::Openbgpd;

use std::ops::Range;

use interop_table::{Feature, Make};
use lab::kernel::process::ProcessId;

use crate::support::{Builder, Fabric};

/// What a router announces that is asked to announce.
pub const THEIRS: [&str; 2] = ["198.51.100.0/24", "2001:db8:f::/48"];
/// The communities on the first of them, as [`Learned`] writes them.
pub const COMMUNITY: &str = "65001:100";
/// The large one.
pub const LARGE: &str = "65001:1:2";
/// The extended one: a route target.
pub const EXTENDED: &str = "rt:65001:7";
/// Announced as well, with the well-known community NO_EXPORT.
pub const HIDDEN: &str = "198.51.102.0/24";
/// NO_EXPORT as a number of two halves.
pub const NO_EXPORT: &str = "65535:65281";
/// Families as configurations call them.
pub const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];

/// A router, and all that it is asked for.
#[derive(Debug, Clone)]
pub struct Site {
    /// The node of the fabric.
    pub node: String,
    /// Its AS.
    pub asn: u32,
    /// Its address in each family; the first is its identifier too.
    pub addresses: [String; 2],
    /// Its sessions.
    pub neighbors: Vec<Neighbor>,
    /// Whether it announces [`THEIRS`] and [`HIDDEN`].
    pub announces: bool,
    /// Hold time in seconds; keepalives come three times as often.
    pub hold: u8,
    /// Whether what it learns is to be in its kernel, and packets go through it.
    pub forwards: bool,
    /// Fixed routes: destination and gateway.
    pub fixed: Vec<[String; 2]>,
    /// Graceful restart (RFC 4724).
    pub graceful: bool,
}

/// A session of a [`Site`].
#[derive(Debug, Clone, Default)]
pub struct Neighbor {
    /// A word for it.
    pub name: String,
    /// The router's end.
    pub local: String,
    /// The other end.
    pub remote: String,
    /// The AS of the other end.
    pub asn: u32,
    /// Families that it carries, 0 being IPv4.
    pub families: Range<usize>,
    /// The next hops of what comes over it may be more than one hop away.
    pub multihop: bool,
    /// The password of TCP MD5 (RFC 2385).
    pub password: Option<String>,
    /// Packets of neighbours only, by their TTL of 255 (RFC 5082).
    pub ttl_security: bool,
    /// The router's own role (RFC 9234), `provider` or `customer`, where it knows roles.
    pub role: Option<&'static str>,
    /// Several paths to a prefix, both ways (RFC 7911), where it can.
    pub add_path: bool,
    /// The router reflects, and the other end is its client (RFC 4456).
    pub client: bool,
    /// BFD with this interval in milliseconds, three times, where it can.
    pub bfd: Option<u32>,
}

impl Neighbor {
    /// Whether the session carries IPv6 over IPv4: then the next hop of IPv6 has to be told to some.
    fn crosses(&self, family: usize) -> bool {
        family == 1 && !self.local.contains(':')
    }
}

/// A path as a router has it. Communities of each kind in order, as `65001:100`, `65001:1:2`, `rt:65001:7`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Learned {
    pub as_path: Vec<u32>,
    pub next_hops: Vec<String>,
    pub communities: Vec<String>,
    pub large: Vec<String>,
    pub extended: Vec<String>,
    /// ORIGINATOR_ID and CLUSTER_LIST (RFC 4456), as addresses.
    pub originator: Option<String>,
    pub clusters: Vec<String>,
}

/// A router of another make.
pub trait Router: Sync {
    /// Which.
    fn make(&self) -> Make;
    /// Its version, as it says it.
    fn version(&self, fabric: &Fabric, node: &str) -> String;
    /// Why it has no such thing; `None` where a case shows that it has.
    fn lacks(&self, feature: Feature) -> Option<&'static str>;
    /// Adds it to the fabric.
    fn add(&self, builder: Builder, site: &Site, exec: &[&str]) -> Builder;
    /// Tells it, once it runs, what its configuration cannot.
    fn settle(&self, _fabric: &Fabric, _site: &Site) {}
    /// Announces the prefixes of [`THEIRS`], or withdraws them.
    fn announce(&self, fabric: &Fabric, site: &Site, on: bool);
    /// All paths to a prefix that it has from elsewhere.
    fn paths(&self, fabric: &Fabric, node: &str, prefix: &str) -> Result<Vec<Learned>, String>;
    /// The best one, which most show first.
    fn learned(&self, fabric: &Fabric, node: &str, prefix: &str) -> Result<Learned, String> {
        let best = self.paths(fabric, node, prefix)?.into_iter().next();
        best.ok_or_else(|| format!("{} has no {prefix}", self.make()))
    }
    /// Has it ask for all routes again, of all families of its first session.
    fn ask_refresh(&self, fabric: &Fabric, site: &Site);
    /// Has it end its first session with these words.
    fn shut_down(&self, fabric: &Fabric, site: &Site, words: &str);
    /// Whether it puts what it learns into its kernel.
    fn installs(&self) -> bool;
    /// The name of the process that speaks BGP.
    fn process(&self) -> &'static str;
    /// Starts that process again after it was killed.
    fn restart(&self, fabric: &Fabric, site: &Site) -> ProcessId;
}

/// The router of a make.
pub fn of(make: Make) -> &'static dyn Router {
    match make {
        Make::Frr => &Frr,
        Make::Bird => &Bird,
        Make::Gobgp => &Gobgp,
        Make::Openbgpd => &Openbgpd,
        Make::Exabgp => &Exabgp,
    }
}

/// Runs a program inside a node and returns what it wrote, on either stream.
fn ask(fabric: &Fabric, node: &str, argv: &[&str]) -> Result<String, String> {
    let done = fabric.exec(node, argv).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&[&done.stdout[..], &done.stderr[..]].concat()).into_owned();
    if done.status.success() {
        Ok(text)
    } else {
        Err(text)
    }
}

/// The same with the first line that is not empty: versions are there.
fn first_line(fabric: &Fabric, node: &str, argv: &[&str]) -> String {
    let text = ask(fabric, node, argv).unwrap_or_else(|text| text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or_default().to_owned()
}
