//! One fabric for many things: router, agent, and a second router of the same make, to whom the agent passes on what the
//! first has taught it.

use std::time::{Duration, Instant};

use interop_table::Feature;
use lab::capture::Capture;

use crate::interop::fabric::{
    NODE, OUR_ADDRESS, OUR_AS, OUR_SECOND_ADDRESS, ROUTER, SECOND, SECOND_ADDRESS, SECOND_AS, Session,
    THEIR_ADDRESS, THEIR_AS, addresses, both_blocks, builder, ours_known, peer, resources, second_site, site,
};
use crate::interop::makes::{COMMUNITY, EXTENDED, HIDDEN, LARGE, Learned, Router, THEIRS};
use crate::interop::record;
use crate::support::{Builder, Fabric, SOON, check, eventually, view};

/// What the router says as its last words.
const WORDS: &str = "maintenance of rack 7";

pub fn features(router: &dyn Router) {
    let fabric = up(router);
    communities(&fabric, router);
    no_export(&fabric, router);
    if router.lacks(Feature::AsksRefresh).is_none() {
        they_ask_for_refresh(&fabric, router);
    }
    if router.lacks(Feature::WeAskRefresh).is_none() {
        we_ask_for_refresh(&fabric, router);
    }
    if router.lacks(Feature::ShutdownText).is_none() {
        last_words(&fabric, router);
    }
}

/// The node between two routers, whose routes it passes on.
pub fn between(scenario: &str) -> Builder {
    let transit = ", transit: true";
    // The router has no way to the node's own address.
    let direct = ", transit: true, sourceAddress: None";
    let peers = [
        peer("first", THEIR_ADDRESS[0], THEIR_AS, transit),
        peer("second", SECOND_ADDRESS[0], SECOND_AS, direct),
    ];
    builder(scenario)
        .link("n1:eth2", "r2:eth1")
        .resources(&resources(&both_blocks(), &peers.concat()))
}

/// Gives the agent its addresses towards the second router, and waits for both sessions.
pub fn wired(fabric: &Fabric) {
    let [v4, v6] = OUR_SECOND_ADDRESS;
    fabric.run(NODE, &format!("ip addr add {v4}/24 dev eth2"));
    fabric.run(NODE, &format!("ip addr add {v6}/64 dev eth2"));
    for address in [THEIR_ADDRESS[0], SECOND_ADDRESS[0]] {
        eventually("both sessions", || view::established(fabric, NODE, address));
    }
}

fn up(router: &dyn Router) -> Fabric {
    let mut builder = between("features");
    let sites = [
        (site(Session::External), THEIR_ADDRESS),
        (second_site(), SECOND_ADDRESS),
    ];
    for (site, own) in &sites {
        let exec = addresses(*own);
        builder = router.add(builder, site, &exec.each_ref().map(String::as_str));
    }
    let fabric = builder.up();
    for (site, _) in &sites {
        router.settle(&fabric, site);
    }
    wired(&fabric);
    fabric
}

/// What the first router says about its routes is known at the second one, and nothing else.
fn communities(fabric: &Fabric, router: &dyn Router) {
    for prefix in THEIRS {
        let wanted = [vec![COMMUNITY], vec![LARGE], vec![EXTENDED]];
        eventually("the first router's communities at the second one", || {
            let Learned {
                as_path,
                communities,
                large,
                extended,
                ..
            } = router.learned(fabric, SECOND, prefix)?;
            let seen = [communities, large, extended];
            let path = as_path == [OUR_AS, THEIR_AS];
            check(path && seen == wanted, || {
                format!("{prefix}: {as_path:?} {seen:?}")
            })
        });
    }
    record::works(router, fabric, ROUTER, Feature::Communities, "");
}

/// The agent has the route that must not leave its AS, and does not pass it on, whatever else it does.
fn no_export(fabric: &Fabric, router: &dyn Router) {
    eventually("the route that must not leave our AS", || {
        view::route(fabric, NODE, HIDDEN)
    });
    let advertised = view::route_of(fabric, NODE, HIDDEN, &["--advertised", SECOND_ADDRESS[0]]);
    assert!(advertised.is_err(), "{advertised:?}");
    let seen = router.learned(fabric, SECOND, HIDDEN);
    assert!(seen.is_err(), "the second router has it: {seen:?}");
    record::works(router, fabric, ROUTER, Feature::NoExport, "");
}

/// A BGP message of this type from this address, as a capture filter.
fn message(from: &str, number: u8) -> String {
    format!("src host {from} and tcp port 179 and tcp[((tcp[12] & 0xf0) >> 2) + 18] = {number}")
}

/// UPDATEs from this address, as a capture filter: also behind the mark of RFC 7313 that may stand before them, which is as
/// long as 23 octets and has a brother.
fn updates(from: &str) -> String {
    let payload = "ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2)";
    format!(
        "({}) or ({} and {payload} > 46)",
        message(from, 2),
        message(from, ROUTE_REFRESH)
    )
}

const ROUTE_REFRESH: u8 = 5;

/// The subtypes of all ROUTE-REFRESHs from this address, in order: 0 asks, 1 and 2 are the marks of RFC 7313.
fn refreshes(capture: &Capture, from: &str) -> Result<Vec<String>, String> {
    let packets = capture
        .hex(&format!("src host {from} and tcp port 179"))
        .map_err(|e| e.to_string())?;
    // Marker, length and type; then AFI, subtype, SAFI.
    let head = format!("{}0017{ROUTE_REFRESH:02x}", "f".repeat(32));
    let of = |packet: &String| -> Vec<String> {
        let bodies = packet.split(head.as_str()).skip(1);
        bodies
            .filter_map(|body| body.get(4..6).map(str::to_owned))
            .collect()
    };
    Ok(packets.iter().flat_map(of).collect())
}

/// A refresh stands between marks, where the make has them.
fn marked(fabric: &Fabric, router: &dyn Router, capture: &Capture, from: &str, feature: Feature) {
    if router.lacks(feature).is_some() {
        return;
    }
    let peer = view::established(fabric, NODE, THEIR_ADDRESS[0]).expect("the session");
    let agreed = peer.capabilities.iter().any(|c| c == "enhanced route refresh");
    assert!(agreed, "{peer:?}");
    eventually("the marks", || {
        let seen = refreshes(capture, from)?;
        let first = seen.iter().find(|kind| *kind != "00");
        let both = first.is_some_and(|kind| kind == "01") && seen.iter().any(|kind| kind == "02");
        check(both, || format!("{feature}: {seen:?}"))
    });
    record::works(router, fabric, ROUTER, feature, "");
}

/// Times that the session with the first router was lost.
fn flaps(fabric: &Fabric) -> u64 {
    let peer = view::established(fabric, NODE, THEIR_ADDRESS[0]);
    peer.unwrap_or_else(|e| panic!("{e}")).flaps
}

/// We ask for all routes of the first router: they come again, and neither session nor route is lost.
fn we_ask_for_refresh(fabric: &Fabric, router: &dyn Router) {
    let before = flaps(fabric);
    let capture = Capture::start(fabric, ROUTER, "eth1", "tcp port 179").expect("a capture");
    let answer = fabric
        .roadbed_json(NODE, &["peers", THEIR_ADDRESS[0], "--refresh"])
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(answer["asked"], true, "{answer}");
    for (what, filter) in [
        ("we ask", message(OUR_ADDRESS[0], ROUTE_REFRESH)),
        ("they answer", updates(THEIR_ADDRESS[0])),
    ] {
        let seen = capture.wait_for(&filter, 1, SOON);
        seen.unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    for prefix in THEIRS {
        view::route(fabric, NODE, prefix).unwrap_or_else(|e| panic!("{e}"));
    }
    assert_eq!(flaps(fabric), before, "a refresh costs no session");
    record::works(router, fabric, ROUTER, Feature::WeAskRefresh, "");
    marked(fabric, router, &capture, THEIR_ADDRESS[0], Feature::TheyMark);
}

/// They ask for our routes of both families: ROUTE-REFRESH on the wire, then our UPDATEs, and the session stands.
fn they_ask_for_refresh(fabric: &Fabric, router: &dyn Router) {
    for family in 0..2 {
        eventually("our route at the router", || {
            ours_known(fabric, router, Session::External, family)
        });
    }
    let before = flaps(fabric);
    let capture = Capture::start(fabric, ROUTER, "eth1", "tcp port 179").expect("a capture");
    let wait = |what: &str, filter: &str, count| {
        let seen = capture.wait_for(filter, count, SOON);
        seen.unwrap_or_else(|e| panic!("{what}: {e}"));
    };
    let start = Instant::now();
    router.ask_refresh(fabric, &site(Session::External));
    wait("they ask", &message(THEIR_ADDRESS[0], ROUTE_REFRESH), 1);
    wait("we answer", &updates(OUR_ADDRESS[0]), 1);
    let took = start.elapsed();
    for family in 0..2 {
        ours_known(fabric, router, Session::External, family).unwrap_or_else(|e| panic!("{e}"));
    }
    assert_eq!(flaps(fabric), before, "a refresh costs no session");
    let detail = format!("answered within {} ms", rounded(took).as_millis());
    record::works(router, fabric, ROUTER, Feature::AsksRefresh, &detail);
    marked(fabric, router, &capture, OUR_ADDRESS[0], Feature::WeMark);
}

/// Up to the next 100 ms: what is below is the looking.
fn rounded(took: Duration) -> Duration {
    Duration::from_millis(u64::try_from(took.as_millis() / 100 + 1).unwrap_or(u64::MAX) * 100)
}

/// They end the session and say why: our operator reads it.
fn last_words(fabric: &Fabric, router: &dyn Router) {
    router.shut_down(fabric, &site(Session::External), WORDS);
    eventually("their last words in `roadbed peers`", || {
        let peer = view::down(fabric, NODE, THEIR_ADDRESS[0])?;
        let said = peer.last_error.clone().unwrap_or_default();
        check(said.contains(WORDS), || format!("{peer:?}"))
    });
    view::established(fabric, NODE, SECOND_ADDRESS[0]).expect("the other session is untouched");
    record::works(router, fabric, ROUTER, Feature::ShutdownText, "");
}
