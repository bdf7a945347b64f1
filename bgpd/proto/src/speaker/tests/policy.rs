//! Policies that change while sessions are up.

use super::*;
use crate::rib::filter::{Action as Verdict, Conditions, Filters, Operator, Origin, PrefixMatch, Rule};
use crate::wire::Community;
use std::sync::Arc;

/// Rejects what lies in the range.
fn reject(range: &str) -> Filters {
    let rule = Rule {
        conditions: Conditions {
            prefix: Some(PrefixMatch::new(range.parse().unwrap(), Operator::In, None, None)),
            ..Conditions::default()
        },
        action: Verdict::Reject,
        operations: Vec::new(),
        origin: Origin {
            filter: "edge".into(),
            list: "importV4",
            number: 1,
        },
    };
    Filters::new(vec![rule], Vec::new())
}

fn routes() -> BTreeMap<ipnet::IpNet, Originated> {
    let prefixes = ["10.1.0.0/24", "10.1.1.0/24", "10.2.0.0/24"];
    prefixes
        .map(|prefix| (prefix.parse().unwrap(), Originated::default()))
        .into()
}

fn known(pair: &Pair, of: usize) -> Vec<String> {
    pair.speakers[of]
        .rib()
        .loc_rib()
        .map(|route| route.prefix.to_string())
        .collect()
}

/// Neither end of the session was touched.
fn same_session(pair: &mut Pair) {
    for speaker in &mut pair.speakers {
        assert_eq!(speaker.peers(pair.now)[0].counters.flaps, 0);
        assert!(actions(speaker).is_empty(), "no connection was closed or opened");
    }
}

#[test]
fn a_change_of_filters_makes_exactly_the_difference_and_keeps_the_session() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(), pair.now);
    pair.settle();
    assert_eq!(known(&pair, 1).len(), 3);
    let mut filtered = config(2, &[1]);
    let peer = filtered.peers.get_mut(&id(1)).unwrap();
    Arc::make_mut(&mut peer.import).filters = reject("10.1.0.0/16");
    pair.speakers[1].reconfigure(filtered, pair.now);
    assert_eq!(known(&pair, 1), ["10.2.0.0/24"]);
    let rejected = pair.speakers[1].rib().rejected();
    assert_eq!(rejected.len(), 2);
    assert_eq!(
        rejected[0].rule.as_ref().unwrap().to_string(),
        "BGPFilter edge, importV4 rule 1"
    );
    pair.speakers[1].reconfigure(config(2, &[1]), pair.now);
    assert_eq!(known(&pair, 1).len(), 3, "from what was stored");
    let mut closed = config(1, &[2]);
    let peer = closed.peers.get_mut(&id(2)).unwrap();
    Arc::make_mut(&mut peer.export).filters = reject("10.2.0.0/16");
    pair.speakers[0].reconfigure(closed, pair.now);
    pair.settle();
    assert_eq!(known(&pair, 1), ["10.1.0.0/24", "10.1.1.0/24"]);
    same_session(&mut pair);
}

#[test]
fn a_drained_speaker_is_the_last_resort_until_it_is_back() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(), pair.now);
    pair.settle();
    let look = |pair: &Pair| {
        let best = pair.speakers[1]
            .rib()
            .get(&"10.2.0.0/24".parse().unwrap())
            .unwrap();
        let attributes = &best.paths[0].attributes;
        (
            attributes.has(Community::GRACEFUL_SHUTDOWN),
            attributes.local_pref,
        )
    };
    assert_eq!(look(&pair), (false, None));
    let mut draining = config(1, &[2]);
    draining.draining = true;
    pair.speakers[0].reconfigure(draining, pair.now);
    pair.settle();
    assert_eq!(look(&pair), (true, Some(0)), "said, and honoured");
    pair.speakers[0].reconfigure(config(1, &[2]), pair.now);
    pair.settle();
    assert_eq!(look(&pair), (false, None));
    same_session(&mut pair);
}

#[test]
fn an_ebgp_peer_without_filters_is_named() {
    let speaker = Speaker::new(config(1, &[2]), *ORIGIN);
    let unfiltered = speaker.peers(*ORIGIN)[0].unfiltered;
    assert!(
        unfiltered.import && !unfiltered.export,
        "own routes need no filter"
    );
    let mut transit = config(1, &[2]);
    transit.peers.get_mut(&id(2)).unwrap().set_transit(true);
    let unfiltered = Speaker::new(transit, *ORIGIN).peers(*ORIGIN)[0].unfiltered;
    assert!(unfiltered.import && unfiltered.export);
    let mut inside = config(1, &[]);
    inside.peers.insert(id(2), peer(1, 65001));
    let unfiltered = Speaker::new(inside, *ORIGIN).peers(*ORIGIN)[0].unfiltered;
    assert!(!unfiltered.import && !unfiltered.export, "iBGP");
}
