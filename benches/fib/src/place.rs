//! Network namespaces for one router and its feeder, joined by a veth pair; gone with the value.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use bench_support::leftovers::Mark;
use bench_support::place::{Namespace, Program};

/// The router's address on the wire; `fd00:b::11` is its IPv6 one.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
/// The feeder's address; `fd00:b::1` is its IPv6 one.
pub const FEEDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The router's link.
pub const LINK: &str = "eth1";

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// How the names of this benchmark's namespaces and folders begin.
pub const MARK: Mark = Mark("benchfib-");

/// Two namespaces and the wire between them.
#[derive(Debug)]
pub struct Place {
    /// The router's.
    pub router: Namespace,
    feeder: Namespace,
}

impl Place {
    /// Makes the namespaces, with addresses of both families.
    pub fn new(what: &str) -> anyhow::Result<Place> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let make = |end: &str| Namespace::new(MARK.name(&format!("{number}-{what}-{end}")));
        let place = Place {
            router: make("r")?,
            feeder: make("f")?,
        };
        place.router.wire(&place.feeder, LINK)?;
        for (namespace, v4, v6) in [
            (&place.router, ROUTER, "fd00:b::11"),
            (&place.feeder, FEEDER, "fd00:b::1"),
        ] {
            namespace.ip(&format!("addr add {v4}/24 dev {LINK}"))?;
            namespace.ip(&format!("addr add {v6}/64 dev {LINK} nodad"))?;
            namespace.ip(&format!("link set {LINK} up"))?;
        }
        Ok(place)
    }

    /// What the kernel tells readers of routes over nexthop objects: with their hops (as by default), or only the object's number.
    pub fn set_compat(&self, on: bool) -> anyhow::Result<()> {
        self.at_router(move || {
            let value = if on { "1" } else { "0" };
            std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", value).context("no nexthop_compat_mode")
        })
    }

    /// Runs something in the router's namespace, on a thread made for it.
    pub fn at_router<T: Send>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        self.router.inside(work)
    }

    /// Runs something in the feeder's namespace, on a thread made for it.
    pub fn at_feeder<T: Send>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        self.feeder.inside(work)
    }

    /// The number of the router's link.
    pub fn link_index(&self) -> anyhow::Result<u32> {
        self.router.link_index(LINK)
    }

    /// Starts a program in the router's namespace; its words go to the file.
    pub fn start(&self, argv: &[&str], log: &Path) -> anyhow::Result<Program> {
        self.router.start(argv, log)
    }
}
