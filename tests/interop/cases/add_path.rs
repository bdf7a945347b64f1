//! Several paths to one prefix (RFC 7911): the router has two, from two other routers, and tells both over one session of
//! iBGP. The agent uses them together, and goes on with one where the other is withdrawn.

use std::time::Duration;

use interop_table::{Feature, Make};

use crate::interop::fabric::{NODE, OUR_AS, ROUTER, peer};
use crate::interop::lan::{self, Lan, address};
use crate::interop::makes::{Bird, Exabgp, Neighbor, Router, Site, THEIRS};
use crate::interop::record;
use crate::support::{Fabric, check, eventually, kernel, view};

/// The two paths: addresses, and ASes that begin them.
const PATHS: [(u8, u32); 2] = [(2, 65002), (3, 65003)];

/// The agent's end of the session.
fn resources() -> String {
    let receives = ", addPath: { receive: true }";
    lan::resources(&[""], &peer("paths", &address(1), OUR_AS, receives))
}

fn paths_to_agent() -> Neighbor {
    Neighbor {
        add_path: true,
        ..lan::neighbor(1, 11, OUR_AS)
    }
}

/// A router that has each of the two paths from its own origin.
pub fn add_path(router: &dyn Router) {
    let mut neighbors = vec![paths_to_agent()];
    neighbors.extend(PATHS.map(|(n, asn)| lan::neighbor(1, n, asn)));
    let site = lan::router(ROUTER, 1, OUR_AS, neighbors);
    let origins = PATHS.map(|(n, asn)| {
        let mut site = lan::router(&format!("r{n}"), n, asn, vec![lan::neighbor(n, 1, OUR_AS)]);
        site.announces = true;
        site
    });
    let mut lan = Lan::new("paths").agent(NODE, 11).router(router, &site);
    for origin in &origins {
        lan = lan.router(&Bird, origin);
    }
    let fabric = lan.up(&resources());
    router.settle(&fabric, &site);
    // FRR 8.4 now and then keeps a path in what it has advertised that it has no more itself: then it is withdrawn once more.
    for more in (0..if router.make() == Make::Frr { 5 } else { 1 }).rev() {
        used_together(&fabric);
        Bird.announce(&fabric, &origins[1], false);
        if more == 0
            || lab::wait::until(Duration::from_secs(3), "a withdrawal", || is_one_left(&fabric)).is_ok()
        {
            break;
        }
        Bird.announce(&fabric, &origins[1], true);
    }
    one_is_left(&fabric);
    Bird.announce(&fabric, &origins[1], true);
    used_together(&fabric);
    unbroken(router, &fabric);
}

/// ExaBGP has no routes but its own: it says two paths by itself.
pub fn add_path_by_hand() {
    let site: Site = lan::router(ROUTER, 1, OUR_AS, vec![paths_to_agent()]);
    let path = |(n, asn): (u8, u32)| {
        let next_hop = address(n);
        format!(
            "{} next-hop {next_hop} path-information 0.0.0.{n} as-path [ {asn} ]",
            THEIRS[0]
        )
    };
    let routes = PATHS.map(|p| format!("    route {};\n", path(p))).concat();
    let mut lan = Lan::new("paths").agent(NODE, 11).with(
        ROUTER,
        |builder, exec| Exabgp.add_with(builder, &site, exec, &routes),
        1,
    );
    for (n, _) in PATHS {
        lan = lan.with(
            &format!("r{n}"),
            |builder, exec| builder.host(&format!("r{n}"), exec),
            n,
        );
    }
    let fabric = lan.up(&resources());
    used_together(&fabric);
    Exabgp.tell(&fabric, ROUTER, &format!("withdraw route {}", path(PATHS[1])));
    one_is_left(&fabric);
    Exabgp.tell(&fabric, ROUTER, &format!("announce route {}", path(PATHS[1])));
    used_together(&fabric);
    unbroken(&Exabgp, &fabric);
}

/// Both paths are in what the peer has told, and both next hops in the kernel's route.
fn used_together(fabric: &Fabric) {
    eventually("both paths are told", || {
        let told = paths(fabric)?;
        check(
            told == PATHS.map(|(n, asn)| (asn.to_string(), address(n))),
            || format!("{told:?}"),
        )
    });
    eventually("both are used", || {
        let route = kernel::route(fabric, NODE, THEIRS[0])?.to_string();
        let both = PATHS
            .iter()
            .all(|(n, _)| route.contains(&format!("\"{}\"", address(*n))));
        check(both, || route.clone())
    });
}

fn one_is_left(fabric: &Fabric) {
    eventually("one path is left, and used", || is_one_left(fabric));
}

fn is_one_left(fabric: &Fabric) -> Result<(), String> {
    let told = paths(fabric)?;
    check(told == [(PATHS[0].1.to_string(), address(PATHS[0].0))], || {
        format!("{told:?}")
    })?;
    kernel::route_via(fabric, NODE, THEIRS[0], &address(PATHS[0].0))
}

/// AS path and next hop of each path that the router has told.
fn paths(fabric: &Fabric) -> Result<Vec<(String, String)>, String> {
    let routes = view::routes_of(fabric, NODE, &["--received", &address(1)])?;
    let ours = routes.into_iter().filter(|r| r.prefix.to_string() == THEIRS[0]);
    let said = ours.map(|r| (r.as_path, r.next_hop.map(|n| n.to_string()).unwrap_or_default()));
    let mut told: Vec<_> = said.collect();
    told.sort();
    Ok(told)
}

fn unbroken(router: &dyn Router, fabric: &Fabric) {
    let peer = view::established(fabric, NODE, &address(1)).expect("the session");
    assert_eq!(peer.flaps, 0, "{peer:?}");
    let agreed = peer
        .capabilities
        .iter()
        .any(|c| c.starts_with("ADD-PATH receive"));
    assert!(agreed, "{peer:?}");
    record::works(router, fabric, ROUTER, Feature::AddPath, "");
}
