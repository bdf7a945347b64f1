//! Route reflection (RFC 4456), both ways: they reflect between our nodes, and we between routers of theirs. Whoever reflects
//! says who brought the route in and through which cluster it came, and each end gives up a route that has been in its own.

use interop_table::Feature;
use lab::capture::Capture;

use crate::interop::fabric::{NODE, OUR_AS, ROUTER, SECOND, peer};
use crate::interop::lan::{self, Lan, address};
use crate::interop::makes::{COMMUNITY, EXTENDED, Exabgp, LARGE, Neighbor, Router, THEIRS};
use crate::interop::record;
use crate::support::{Fabric, check, eventually, kernel, view};

/// The cluster that we reflect in.
const CLUSTER: &str = "10.255.0.1";

const BLOCKS: [&str; 2] = ["10.244.1.0/24", "10.244.2.0/24"];

/// A session with a client of the router's.
fn client(n: u8, remote: u8) -> Neighbor {
    Neighbor {
        client: true,
        ..lan::neighbor(n, remote, OUR_AS)
    }
}

/// Two agents have nothing but a session with a router that reflects.
pub fn they_reflect(router: &dyn Router) {
    let site = lan::router(ROUTER, 1, OUR_AS, vec![client(1, 11), client(1, 12)]);
    let resources = |second| lan::resources(&["", second], &peer("reflector", &address(1), OUR_AS, ""));
    let fabric = Lan::new("client")
        .agent(NODE, 11)
        .agent("n2", 12)
        .router(router, &site)
        .up(&resources(""));
    router.settle(&fabric, &site);
    for (node, block, via) in [(NODE, BLOCKS[1], 12), ("n2", BLOCKS[0], 11)] {
        eventually("the other's block, by its own address", || {
            kernel::route_via(&fabric, node, block, &address(via))
        });
        let route = view::route(&fabric, node, block).expect("the route");
        assert_eq!((route.origin.as_str(), route.as_path.as_str()), ("internal", ""));
        // A node is not told again what it has said.
        let own = BLOCKS[usize::from(node == "n2")];
        let back = view::route_of(&fabric, node, own, &["--received", &address(1)]);
        if let Ok(back) = back {
            assert!(back.reason.contains("own"), "{back:?}");
        }
    }
    reflected_on_the_wire(&fabric);
    // The same cluster as the router's: what it reflects has been here.
    let same = format!(", routeReflectorClusterID: {}", address(1));
    fabric.edit("n2", &resources(&same));
    eventually("a loop is refused", || {
        let route = view::route_of(&fabric, "n2", BLOCKS[0], &["--rejected"])?;
        check(route.reason.contains("cluster"), || format!("{route:?}"))?;
        kernel::no_route(&fabric, "n2", BLOCKS[0])
    });
    fabric.edit("n2", &resources(""));
    eventually("the other's block again", || {
        kernel::route_via(&fabric, "n2", BLOCKS[0], &address(11))
    });
    record::works(router, &fabric, ROUTER, Feature::TheyReflect, "");
}

/// The block of the first agent goes and comes: what the second is told says who brought it, and through whom.
fn reflected_on_the_wire(fabric: &Fabric) {
    let capture = Capture::start(fabric, "n2", "eth1", "tcp port 179").expect("a capture");
    let blocks = |first: &str| {
        let peer = peer("reflector", &address(1), OUR_AS, "");
        lan::resources(&["", ""], &peer).replace("podCIDRs: [10.244.1.0/24]", first)
    };
    fabric.edit(NODE, &blocks("podCIDRs: []"));
    eventually("the block goes", || kernel::no_route(fabric, "n2", BLOCKS[0]));
    fabric.edit(NODE, &blocks("podCIDRs: [10.244.1.0/24]"));
    eventually("the block comes", || {
        kernel::route_via(fabric, "n2", BLOCKS[0], &address(11))
    });
    eventually("the reflected route on the wire", || {
        let text = capture
            .decoded(&format!("src host {}", address(1)))
            .map_err(|e| e.to_string())?;
        let said = |name: &str, what: &str| {
            let line = text.lines().find(|line| line.contains(name));
            check(line.is_some_and(|line| line.contains(what)), || {
                format!("{name} with {what}: {text}")
            })
        };
        said("Originator ID (9)", &address(11))?;
        said("Cluster List (10)", &address(1))
    });
}

/// Two routers have nothing but a session with an agent that reflects.
pub fn we_reflect(router: &dyn Router) {
    let mut first = lan::router(ROUTER, 1, OUR_AS, vec![lan::neighbor(1, 11, OUR_AS)]);
    first.announces = true;
    // It reflects too, so that it has a cluster of its own, and looks for it.
    let second = lan::router(SECOND, 2, OUR_AS, vec![client(2, 11)]);
    let resources = |cluster: &str| {
        let peers = [1, 2].map(|n| peer(&format!("client{n}"), &address(n), OUR_AS, ""));
        let cluster = format!(", routeReflectorClusterID: {cluster}");
        lan::resources(&[&cluster], &peers.concat())
    };
    let fabric = Lan::new("reflector")
        .agent(NODE, 11)
        .router(router, &first)
        .router(router, &second)
        .up(&resources(CLUSTER));
    router.settle(&fabric, &first);
    router.settle(&fabric, &second);
    let reflected = || {
        let learned = router.learned(&fabric, SECOND, THEIRS[0])?;
        let good = learned.as_path.is_empty()
            && learned.next_hops == [address(1)]
            && learned.originator == Some(address(1))
            // OpenBGPD shows its own cluster before those that it was told.
            && learned.clusters.last().is_some_and(|last| last == CLUSTER)
            && learned.communities == [COMMUNITY]
            && learned.large == [LARGE]
            && learned.extended == [EXTENDED];
        let through = learned.clusters.iter().filter(|cluster| *cluster != &address(2));
        check(good && through.count() == 1, || format!("{learned:?}"))
    };
    eventually("the first router's route at the second one", reflected);
    eventually("our own, which nobody has reflected", || {
        let learned = router.learned(&fabric, SECOND, BLOCKS[0])?;
        let plain = learned.originator.as_ref().is_none_or(|who| *who == address(11))
            && learned.clusters.iter().all(|cluster| *cluster == address(2));
        check(plain && learned.next_hops == [address(11)], || {
            format!("{learned:?}")
        })
    });
    let back = view::route_of(&fabric, NODE, THEIRS[0], &["--advertised", &address(1)]);
    assert!(back.is_err(), "to whom it comes from: {back:?}");
    if router.lacks(Feature::ClusterLoop).is_none() {
        fabric.edit(NODE, &resources(&address(2)));
        eventually("the second router finds its own cluster", || {
            match router.learned(&fabric, SECOND, THEIRS[0]) {
                Ok(learned) => Err(format!("{learned:?}")),
                Err(_) => Ok(()),
            }
        });
        let told = view::route_of(&fabric, NODE, THEIRS[0], &["--advertised", &address(2)]);
        told.expect("it was told");
        fabric.edit(NODE, &resources(CLUSTER));
        eventually("the route again", reflected);
        record::works(router, &fabric, ROUTER, Feature::ClusterLoop, "");
    }
    router.announce(&fabric, &first, false);
    eventually("a withdrawal is reflected", || {
        match router.learned(&fabric, SECOND, THEIRS[0]) {
            Ok(learned) => Err(format!("{learned:?}")),
            Err(_) => Ok(()),
        }
    });
    record::works(router, &fabric, ROUTER, Feature::WeReflect, "");
}

/// ExaBGP claims that routes have been with us, or in our cluster.
pub fn loops() {
    let site = lan::router(ROUTER, 1, OUR_AS, vec![lan::neighbor(1, 11, OUR_AS)]);
    let route = |prefix, more: &str| format!("    route {prefix} next-hop 192.0.2.1 {more};\n");
    let routes = [
        route(
            "10.9.0.0/24",
            "originator-id 192.0.2.11 cluster-list [ 10.0.0.9 ]",
        ),
        route(
            "10.9.1.0/24",
            "originator-id 192.0.2.77 cluster-list [ 10.0.0.9 10.255.0.1 ]",
        ),
        route(
            "10.9.2.0/24",
            "originator-id 192.0.2.77 cluster-list [ 10.0.0.9 ]",
        ),
    ]
    .concat();
    let cluster = format!(", routeReflectorClusterID: {CLUSTER}");
    let fabric = Lan::new("loops")
        .agent(NODE, 11)
        .with(
            ROUTER,
            |builder, exec| Exabgp.add_with(builder, &site, exec, &routes),
            1,
        )
        .up(&lan::resources(
            &[&cluster],
            &peer("odd", &address(1), OUR_AS, ""),
        ));
    eventually("a route from elsewhere", || {
        view::route(&fabric, NODE, "10.9.2.0/24")
    });
    for (prefix, why) in [("10.9.0.0/24", "originator"), ("10.9.1.0/24", "cluster")] {
        let refused = eventually("a loop is refused", || {
            view::route_of(&fabric, NODE, prefix, &["--rejected"])
        });
        assert!(refused.reason.to_lowercase().contains(why), "{refused:?}");
        assert!(view::route(&fabric, NODE, prefix).is_err());
    }
}
