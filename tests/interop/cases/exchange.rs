//! Routes of both families go both ways with the right attributes, and are withdrawn both ways.

use interop_table::Feature;
use lab::capture::Capture;

use crate::interop::fabric::{
    NODE, OUR_ADDRESS, OURS, ROUTER, Session, THEIR_ADDRESS, THEIR_AS, both_blocks, only_peer, ours_known,
    resources, site, theirs_installed, up,
};
use crate::interop::makes::{Router, THEIRS};
use crate::interop::record;
use crate::support::{Fabric, check, eventually, kernel, view};

/// As `roadbed peers` calls them.
const FAMILY_NAMES: [&str; 2] = ["IPv4 unicast", "IPv6 unicast"];

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
        arrived(&fabric, router, session, family, kind);
    }
    they_withdraw(&fabric, router, session);
    let capture = Capture::start(&fabric, ROUTER, "eth1", "tcp port 179").expect("a capture");
    we_withdraw(&fabric, router, session);
    let peer = view::established(&fabric, NODE, session.theirs()).expect("the session is up");
    assert_eq!(peer.flaps, 0, "no edit may cost the session: {peer:?}");
    let feature = match session {
        Session::External => Feature::External,
        Session::Internal => Feature::Internal,
        Session::ExternalV6 => Feature::ExternalV6,
    };
    if session == Session::External {
        next_hop_on_the_wire(&capture);
        record::works(router, &fabric, ROUTER, Feature::NextHopV6, "");
    }
    let said = format!("in force: {}", peer.capabilities.join(", "));
    let families = session.families().map(|family| FAMILY_NAMES[family]);
    for name in families.chain(["4-octet AS"]) {
        assert!(peer.capabilities.iter().any(|c| c == name), "{name}: {said}");
    }
    let once = if session == Session::External { &*said } else { "" };
    record::works(router, &fabric, ROUTER, feature, once);
}

/// Our IPv6 routes have gone out with our IPv6 address alone, over a session of IPv4.
fn next_hop_on_the_wire(capture: &Capture) {
    let ours = format!("src host {}", OUR_ADDRESS[0]);
    let next_hop = format!("nexthop: {}, nh-length: 16", OUR_ADDRESS[1]);
    eventually("the next hop of IPv6 on the wire", || {
        let text = capture.decoded(&ours).map_err(|e| e.to_string())?;
        check(text.contains(&next_hop), || text.clone())
    });
}

/// Each end has the other's route as it must be.
fn arrived(fabric: &Fabric, router: &dyn Router, session: Session, family: usize, kind: &str) {
    let route = view::route(fabric, NODE, THEIRS[family]).expect("the route is in the Loc-RIB");
    assert_eq!(route.origin, kind, "{route:?}");
    assert_eq!(
        route.next_hop.map(|n| n.to_string()).as_deref(),
        Some(THEIR_ADDRESS[family]),
        "{route:?}"
    );
    let path = match session {
        Session::Internal => String::new(),
        _ => THEIR_AS.to_string(),
    };
    assert_eq!(route.as_path, path, "{route:?}");
    eventually("the agent says that the route is installed", || {
        let route = view::route(fabric, NODE, THEIRS[family])?;
        check(route.installed, || format!("{route:?}"))
    });
    eventually("our route at the router", || {
        ours_known(fabric, router, session, family)
    });
    let advertised = view::route_of(fabric, NODE, OURS[family], &["--advertised", session.theirs()]);
    assert!(advertised.is_ok(), "{advertised:?}");
    // Not to its teacher and, without transit, to nobody.
    let back = view::route_of(fabric, NODE, THEIRS[family], &["--advertised", session.theirs()]);
    assert!(back.is_err(), "{back:?}");
}

fn they_withdraw(fabric: &Fabric, router: &dyn Router, session: Session) {
    router.announce(fabric, &site(session), false);
    for family in session.families() {
        eventually("their withdrawal in our kernel", || {
            kernel::no_route(fabric, NODE, THEIRS[family])
        });
        assert!(
            view::route(fabric, NODE, THEIRS[family]).is_err(),
            "the Loc-RIB has {}",
            THEIRS[family]
        );
    }
    router.announce(fabric, &site(session), true);
    for family in session.families() {
        eventually("their route again", || theirs_installed(fabric, session, family));
    }
}

fn we_withdraw(fabric: &Fabric, router: &dyn Router, session: Session) {
    let block = kernel::route(fabric, NODE, OURS[0]).expect("our block is in the kernel");
    assert_eq!(kernel::text(&block, "type"), "blackhole", "{block}");
    fabric.edit(NODE, &resources("", &only_peer(session)));
    for family in session.families() {
        eventually("our withdrawal at the router", || {
            match router.learned(fabric, ROUTER, OURS[family]) {
                Ok(learned) => Err(format!("{learned:?}")),
                Err(_) => Ok(()),
            }
        });
        eventually("the block out of our kernel", || {
            kernel::no_route(fabric, NODE, OURS[family])
        });
    }
    fabric.edit(NODE, &resources(&both_blocks(), &only_peer(session)));
    for family in session.families() {
        eventually("our route again at the router", || {
            ours_known(fabric, router, session, family)
        });
    }
}
