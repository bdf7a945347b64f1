//! Several paths to one prefix (RFC 7911), both ways. The router has two, from two other routers, and tells both over one session of
//! iBGP: the agent uses them together, and goes on with one where the other is withdrawn. Or the agent has two, and tells the
//! router both.

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
    used_together(&fabric);
    Bird.announce(&fabric, &origins[1], false);
    if router.make() == Make::Frr {
        withdrawn_by_frr(&fabric, &origins[1]);
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

/// FRR 8.4 now and then keeps a path in what it has advertised that it has no more itself: then it is withdrawn once more.
fn withdrawn_by_frr(fabric: &Fabric, origin: &Site) {
    for _ in 0..4 {
        let gone = lab::wait::until(Duration::from_secs(3), "a withdrawal", || is_one_left(fabric));
        if gone.is_ok() {
            return;
        }
        Bird.announce(fabric, origin, true);
        used_together(fabric);
        Bird.announce(fabric, origin, false);
    }
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

/// The agent reflects what two other routers announce: the router under test is told both paths.
pub fn tell_paths(router: &dyn Router) {
    let site = lan::router(ROUTER, 1, OUR_AS, vec![paths_to_agent()]);
    let origins = PATHS.map(|(n, _)| {
        let mut site = lan::router(&format!("r{n}"), n, OUR_AS, vec![lan::neighbor(n, 11, OUR_AS)]);
        site.announces = true;
        site
    });
    let mut peers = peer("taker", &address(1), OUR_AS, ", addPath: { send: All }");
    for (n, _) in PATHS {
        peers += &peer(&format!("origin{n}"), &address(n), OUR_AS, "");
    }
    let mut lan = Lan::new("tellpaths").agent(NODE, 11).router(router, &site);
    for origin in &origins {
        lan = lan.router(&Bird, origin);
    }
    let reflects = ", routeReflectorClusterID: 10.255.0.1";
    let fabric = lan.up(&lan::resources(&[reflects], &peers));
    router.settle(&fabric, &site);
    let both = PATHS.map(|(n, _)| n);
    knows(router, &fabric, &both);
    let told = view::routes_of(&fabric, NODE, &["--advertised", &address(1)]).expect("what was told");
    let theirs = told.iter().filter(|r| r.prefix.to_string() == THEIRS[0]);
    assert_eq!(theirs.count(), 2, "{told:?}");
    // The best of them goes and comes, and then the other one.
    for (lost, left) in [(0, 1), (1, 0)] {
        Bird.announce(&fabric, &origins[lost], false);
        knows(router, &fabric, &both[left..=left]);
        Bird.announce(&fabric, &origins[lost], true);
        knows(router, &fabric, &both);
    }
    let peer = view::established(&fabric, NODE, &address(1)).expect("the session");
    assert_eq!(peer.flaps, 0, "{peer:?}");
    let agreed = peer.capabilities.iter().any(|c| c.starts_with("ADD-PATH send"));
    assert!(agreed, "{peer:?}");
    record::works(router, &fabric, ROUTER, Feature::WeAddPath, "");
}

/// The router has the paths of these origins, and no others.
fn knows(router: &dyn Router, fabric: &Fabric, origins: &[u8]) {
    let wanted: Vec<String> = origins.iter().map(|n| address(*n)).collect();
    eventually(&format!("paths by {wanted:?}"), || {
        let paths = router.paths(fabric, ROUTER, THEIRS[0])?;
        let mut hops: Vec<&String> = paths.iter().flat_map(|path| &path.next_hops).collect();
        hops.sort();
        check(hops.iter().copied().eq(&wanted), || format!("{paths:?}"))
    });
}
