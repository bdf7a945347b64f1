use super::listener::Listener;
use super::{address, announce, local, net, peer, reachable, session, withdraw};
use crate::rib::{
    ExportRefusal, ImportRules, LocalSettings, NextHopState, Originated, Outcome, PathKind, RejectReason,
    Rib, Step,
};
use crate::types::{Asn, Family, PeerId};
use crate::wire::{AsPath, PathAttributes, RawAttribute};
use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
fn origin() -> Instant {
    Instant::now()
}

fn from_as(asn: u32) -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence([Asn(asn)]),
        ..PathAttributes::default()
    }
}

fn preferred(local_pref: u32) -> PathAttributes {
    PathAttributes {
        local_pref: Some(local_pref),
        ..PathAttributes::default()
    }
}

fn originated(prefixes: &[&str]) -> BTreeMap<IpNet, Originated> {
    prefixes
        .iter()
        .map(|prefix| (net(prefix), Originated::default()))
        .collect()
}

/// Two eBGP and two iBGP sessions, and next hops that can be reached.
fn rib() -> Rib {
    let mut rib = Rib::new(local());
    (0..4).for_each(|n| rib.peer_up(peer(n), session(n)));
    rib.set_next_hops(reachable(&[
        ("192.0.2.10", 0),
        ("192.0.2.11", 0),
        ("192.0.2.12", 5),
        ("192.0.2.13", 5),
    ]));
    rib
}

fn drain(rib: &mut Rib, to: PeerId, listener: &mut Listener) {
    while rib.has_pending(to) {
        let mut bytes = Vec::new();
        rib.next_updates(to, &mut bytes, 1 << 20);
        listener.hear(&bytes);
    }
}

#[test]
fn a_route_waits_for_its_next_hop() {
    let mut rib = rib();
    rib.take_changed();
    let far = address("203.0.113.1");
    rib.update(
        peer(0),
        announce(&[net("10.1.0.0/16")], far, from_as(65001)),
        origin(),
    );
    assert!(rib.take_changed(), "there is a next hop to be resolved");
    assert_eq!(rib.loc_rib().count(), 0);
    assert_eq!(
        rib.explain(net("10.1.0.0/16")).candidates[0].outcome,
        Outcome::Unreachable
    );
    assert!(rib.tracked_next_hops().contains(&far.into()));
    rib.set_next_hops(reachable(&[("203.0.113.1", 1)]));
    assert!(rib.take_changed());
    assert_eq!(rib.loc_rib().count(), 1);
    rib.set_next_hops([(far.into(), NextHopState::Unreachable)].into());
    assert_eq!(rib.loc_rib().count(), 0);
}

#[test]
fn explain_names_step_and_values() {
    let mut rib = rib();
    let prefix = net("10.1.0.0/16");
    let now = origin();
    rib.update(
        peer(2),
        announce(&[prefix], address("192.0.2.12"), preferred(200)),
        now,
    );
    rib.update(
        peer(3),
        announce(&[prefix], address("192.0.2.13"), preferred(200)),
        now,
    );
    rib.update(
        peer(0),
        announce(&[prefix], address("192.0.2.10"), from_as(65001)),
        now,
    );
    rib.update(
        peer(1),
        announce(&[prefix], address("192.0.2.11"), from_as(65009)),
        now,
    );
    let explanation = rib.explain(prefix);
    let told: Vec<(Option<PeerId>, String)> = explanation
        .candidates
        .iter()
        .map(|c| (c.path.peer, c.outcome.to_string()))
        .collect();
    assert_eq!(
        told,
        [
            (Some(peer(2)), "best path".to_string()),
            (
                Some(peer(3)),
                "used beside the best path, which comes first by router id 192.0.2.13 > 192.0.2.12"
                    .to_string()
            ),
            (
                Some(peer(0)),
                "LOCAL_PREF 100 < 200 (path of 192.0.2.12)".to_string()
            ),
            (
                Some(peer(1)),
                "refused at import: the AS_PATH does not begin with the peer's AS number".to_string()
            ),
        ]
    );
    let Outcome::Lost {
        step: Step::LocalPref,
        ..
    } = explanation.candidates[2].outcome
    else {
        panic!("{explanation:?}")
    };
    let refused: Vec<_> = explanation.exports.iter().map(|export| export.refused).collect();
    let no = ExportRefusal::NotOriginated(PathKind::Internal);
    assert_eq!(
        refused,
        [
            Some(no),
            Some(no),
            Some(ExportRefusal::Sender),
            Some(ExportRefusal::SplitHorizon)
        ]
    );
    assert_eq!(rib.explain(net("10.99.0.0/16")).candidates, []);
}

#[test]
fn a_change_of_rules_needs_no_new_session() {
    let mut rib = rib();
    let prefix = net("10.1.0.0/16");
    rib.update(
        peer(0),
        announce(&[prefix], address("192.0.2.10"), from_as(65001)),
        origin(),
    );
    assert_eq!(rib.loc_rib().count(), 1);
    let import = ImportRules {
        own_prefixes: vec![net("10.0.0.0/8")],
        ..ImportRules::default()
    };
    rib.configure(LocalSettings { import, ..local() });
    assert_eq!(rib.loc_rib().count(), 0);
    assert_eq!(rib.rejected()[0].reason, RejectReason::OwnPrefix);
    assert_eq!(rib.counts(peer(0), Family::Ipv4Unicast).rejected, 1);
    rib.configure(local());
    assert_eq!(rib.loc_rib().count(), 1);
    assert_eq!(rib.counts(peer(0), Family::Ipv4Unicast).accepted, 1);
}

#[test]
fn the_same_again_is_no_change() {
    let mut rib = rib();
    let prefix = net("10.1.0.0/16");
    let now = origin();
    rib.update(
        peer(0),
        announce(&[prefix], address("192.0.2.10"), from_as(65001)),
        now,
    );
    rib.take_changed();
    let later = now + Duration::from_secs(60);
    rib.update(
        peer(0),
        announce(&[prefix], address("192.0.2.10"), from_as(65001)),
        later,
    );
    assert!(!rib.take_changed());
    assert_eq!(rib.get(&prefix).unwrap().paths[0].learned, Some(now));
}

#[test]
fn a_new_peer_hears_all_and_then_end_of_rib() {
    let mut rib = Rib::new(local());
    rib.originate(originated(&["10.1.0.0/24", "10.1.1.0/24", "fd00:1::/64"]));
    rib.peer_up(peer(0), session(0));
    let mut listener = Listener::new(&session(0));
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(listener.table.len(), 3);
    assert_eq!(
        listener.messages, 4,
        "one UPDATE and one End-of-RIB for each family"
    );
    assert_eq!(listener.end_of_rib, Family::ALL);
    assert_eq!(
        listener.routes()[&net("10.1.0.0/24")][0].1.as_path,
        AsPath::sequence([Asn(64512)])
    );
    rib.originate(originated(&["10.1.1.0/24"]));
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(
        listener.routes().into_keys().collect::<Vec<_>>(),
        [net("10.1.1.0/24")]
    );
    assert_eq!(listener.end_of_rib.len(), 2, "only once");
}

#[test]
fn an_empty_rib_still_ends_with_end_of_rib() {
    let mut rib = Rib::new(local());
    rib.peer_up(peer(0), session(0));
    assert!(rib.has_pending(peer(0)));
    let mut listener = Listener::new(&session(0));
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(listener.end_of_rib, Family::ALL);
}

#[test]
fn flaps_cost_one_entry_and_at_most_one_update() {
    let mut rib = rib();
    let mut listener = Listener::new(&session(0));
    drain(&mut rib, peer(0), &mut listener);
    let before = listener.messages;
    for _ in 0..1000 {
        rib.originate(originated(&["10.1.0.0/24"]));
        rib.originate(BTreeMap::new());
    }
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(
        listener.messages, before,
        "nothing has changed since it was last told"
    );
    for _ in 0..1000 {
        rib.originate(BTreeMap::new());
        rib.originate(originated(&["10.1.0.0/24"]));
    }
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(listener.messages, before + 1);
}

#[test]
fn refresh_sends_again_what_was_sent() {
    let mut rib = rib();
    rib.originate(originated(&["10.1.0.0/24", "fd00:1::/64"]));
    let mut listener = Listener::new(&session(0));
    drain(&mut rib, peer(0), &mut listener);
    let told = std::mem::take(&mut listener.table);
    rib.refresh(peer(0), Family::Ipv4Unicast);
    rib.refresh(peer(0), Family::Ipv6Unicast);
    assert_eq!(rib.counts(peer(0), Family::Ipv4Unicast).advertised, 1);
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(listener.table, told);
    assert_eq!(rib.advertised(peer(0)).len(), 2);
}

#[test]
fn a_storm_of_refresh_requests_costs_one_pass() {
    let mut rib = rib();
    rib.originate(originated(&["10.1.0.0/24", "10.2.0.0/24"]));
    let mut listener = Listener::new(&session(0));
    drain(&mut rib, peer(0), &mut listener);
    let before = listener.messages;
    (0..10_000).for_each(|_| rib.refresh(peer(0), Family::Ipv4Unicast));
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(listener.messages, before + 1);
    rib.refresh(peer(0), Family::Ipv4Unicast);
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(listener.messages, before + 2, "a later request is answered");
}

#[test]
fn many_prefixes_share_few_messages_within_the_maximum() {
    let mut rib = rib();
    let routes = (0..20_000u32)
        .map(|n| {
            IpNet::V4(Ipv4Net::new_assert(
                Ipv4Addr::from_bits((10 << 24) + (n << 8)),
                24,
            ))
        })
        .map(|prefix| (prefix, Originated::default()));
    rib.originate(routes.collect());
    let mut listener = Listener::new(&session(0));
    let mut bytes = Vec::new();
    rib.next_updates(peer(0), &mut bytes, 8192);
    assert!((8192..8192 + 4096).contains(&bytes.len()), "{}", bytes.len());
    listener.hear(&bytes);
    assert!(rib.has_pending(peer(0)));
    drain(&mut rib, peer(0), &mut listener);
    assert_eq!(listener.table.len(), 20_000);
    assert!(listener.messages < 60, "{}", listener.messages);
}

/// Who brought a route into the AS is told with it (RFC 4456 §8), and is on no record of what was told.
#[test]
fn a_client_that_restarts_under_another_identifier_is_told_as_that() {
    let client = |n: u8| {
        let mut session = session(n);
        std::sync::Arc::make_mut(&mut session.export).client = true;
        session
    };
    let mut rib = Rib::new(local());
    (2..4).for_each(|n| rib.peer_up(peer(n), client(n)));
    rib.set_next_hops(reachable(&[("192.0.2.12", 0), ("192.0.2.13", 0)]));
    let prefix = net("10.1.0.0/16");
    let says = || announce(&[prefix], address("192.0.2.12"), PathAttributes::default());
    rib.update(peer(2), says(), origin());
    let mut listener = Listener::new(&client(3));
    let originator = |rib: &mut Rib, listener: &mut Listener| {
        drain(rib, peer(3), listener);
        listener.table[&(prefix, None)].1.originator_id
    };
    let before = originator(&mut rib, &mut listener);
    assert_eq!(before, Some(session(2).remote_router_id));
    rib.peer_retained(peer(2), &Family::ALL);
    assert_eq!(originator(&mut rib, &mut listener), before);
    let mut again = client(2);
    again.remote_router_id = crate::types::RouterId(Ipv4Addr::new(192, 0, 2, 99));
    rib.peer_up(peer(2), again.clone());
    rib.update(peer(2), says(), origin());
    let after = originator(&mut rib, &mut listener);
    assert_eq!(after, Some(again.remote_router_id));
    rib.check().unwrap();
}

/// Its identifier is a tie-break.
#[test]
fn a_peer_that_restarts_under_another_identifier_is_compared_by_that() {
    let mut rib = rib();
    let prefix = net("10.1.0.0/16");
    for (n, hop) in [(2, "192.0.2.12"), (3, "192.0.2.13")] {
        rib.update(
            peer(n),
            announce(&[prefix], address(hop), PathAttributes::default()),
            origin(),
        );
    }
    let best = |rib: &Rib| rib.get(&prefix).unwrap().paths[0].peer;
    assert_eq!(best(&rib), Some(peer(2)));
    rib.peer_retained(peer(2), &Family::ALL);
    let mut again = session(2);
    again.remote_router_id = crate::types::RouterId(Ipv4Addr::new(192, 0, 2, 99));
    rib.peer_up(peer(2), again);
    assert_eq!(best(&rib), Some(peer(3)));
    rib.check().unwrap();
}

/// What was built for one alone is not on record: whoever is slow takes it before others come to be told together with it.
#[test]
fn a_slow_peer_that_others_have_joined_misses_nothing() {
    let mut rib = rib();
    let mut listeners = [2, 3].map(|n| Listener::new(&session(n)));
    let [slow, quick] = &mut listeners;
    rib.peer_down(peer(3));
    drain(&mut rib, peer(2), slow);
    let mut own = originated(&["10.1.0.0/24"]);
    rib.originate(own.clone());
    assert!(rib.ready().contains(&peer(2)), "it is built, and not taken");
    rib.peer_up(peer(3), session(3));
    drain(&mut rib, peer(3), quick);
    for n in 1..10 {
        own.extend(originated(&[&format!("10.1.{n}.0/24")]));
        rib.originate(own.clone());
        drain(&mut rib, peer(3), quick);
    }
    drain(&mut rib, peer(2), slow);
    for listener in &listeners {
        assert_eq!(listener.table.len(), 10);
    }
    super::recount::check(&rib);
}

#[test]
fn attributes_that_fit_into_no_message_withdraw_the_route() {
    let mut rib = rib();
    let transit = super::with_transit(session(1), true);
    rib.peer_up(peer(1), transit.clone());
    let mut listener = Listener::new(&transit);
    let (prefix, hop) = (net("10.1.0.0/16"), address("192.0.2.10"));
    rib.update(peer(0), announce(&[prefix], hop, from_as(65001)), origin());
    drain(&mut rib, peer(1), &mut listener);
    assert!(listener.routes().contains_key(&prefix));
    let huge = RawAttribute {
        code: 99,
        value: vec![0; 4080].into(),
    };
    let attributes = PathAttributes {
        unknown: vec![huge],
        ..from_as(65001)
    };
    rib.update(peer(0), announce(&[prefix], hop, attributes), origin());
    drain(&mut rib, peer(1), &mut listener);
    assert!(listener.table.is_empty(), "it must not go on with the old path");
    let exports = rib.explain(prefix).exports;
    let export = exports.iter().find(|export| export.peer == peer(1)).unwrap();
    assert_eq!(export.refused, Some(ExportRefusal::TooLong));
}

#[test]
fn a_disabled_family_is_gone_until_the_next_session() {
    let mut rib = rib();
    rib.set_next_hops(reachable(&[("192.0.2.10", 0), ("2001:db8::10", 0)]));
    let (v4, v6) = (net("10.1.0.0/16"), net("fd00::/16"));
    let (hop4, hop6) = (address("192.0.2.10"), address("2001:db8::10"));
    rib.update(peer(0), announce(&[v4], hop4, from_as(65001)), origin());
    rib.update(peer(0), announce(&[v6], hop6, from_as(65001)), origin());
    let disable = crate::wire::RoutesIn {
        disable: vec![Family::Ipv6Unicast],
        ..Default::default()
    };
    rib.update(peer(0), disable, origin());
    rib.update(peer(0), announce(&[v6], hop6, from_as(65001)), origin());
    assert_eq!(rib.loc_rib().map(|route| route.prefix).collect::<Vec<_>>(), [v4]);
    rib.peer_up(peer(0), session(0));
    rib.update(peer(0), announce(&[v6], hop6, from_as(65001)), origin());
    assert_eq!(rib.loc_rib().map(|route| route.prefix).collect::<Vec<_>>(), [v6]);
}

#[test]
fn lookup_takes_the_longest_usable_prefix() {
    let mut rib = rib();
    let hop = address("192.0.2.10");
    rib.update(
        peer(0),
        announce(&[net("0.0.0.0/0"), net("10.1.0.0/16")], hop, from_as(65001)),
        origin(),
    );
    let nowhere = address("203.0.113.9");
    rib.update(
        peer(0),
        announce(&[net("10.1.2.0/24")], nowhere, from_as(65001)),
        origin(),
    );
    let found = |rib: &Rib, text| rib.lookup(address(text)).map(|route| route.prefix);
    assert_eq!(
        found(&rib, "10.1.2.3"),
        Some(net("10.1.0.0/16")),
        "the longer one leads nowhere"
    );
    assert_eq!(found(&rib, "8.8.8.8"), Some(net("0.0.0.0/0")));
    assert_eq!(found(&rib, "fd00::1"), None);
    rib.update(peer(0), withdraw(&[net("0.0.0.0/0")]), origin());
    assert_eq!(found(&rib, "8.8.8.8"), None);
}

#[test]
fn a_session_that_ends_takes_its_routes_along() {
    let mut rib = rib();
    let prefix = net("10.1.0.0/16");
    rib.update(
        peer(2),
        announce(&[prefix], address("192.0.2.12"), preferred(100)),
        origin(),
    );
    rib.update(
        peer(3),
        announce(&[prefix], address("192.0.2.13"), preferred(100)),
        origin(),
    );
    assert_eq!(rib.get(&prefix).unwrap().paths.len(), 2);
    rib.peer_down(peer(2));
    let paths = rib.get(&prefix).unwrap().paths;
    assert_eq!(
        paths.iter().map(|path| path.peer).collect::<Vec<_>>(),
        [Some(peer(3))]
    );
    assert_eq!(rib.received(peer(2)), []);
    assert_eq!(rib.counts(peer(2), Family::Ipv4Unicast), Default::default());
    rib.peer_down(peer(3));
    assert_eq!(rib.loc_rib().count(), 0);
    assert!(rib.tracked_next_hops().is_empty());
}

#[test]
fn the_next_best_next_hop_stands_by_and_nobody_is_told() {
    let mut rib = rib();
    let prefix = net("203.0.113.0/24");
    let now = origin();
    let backup = |rib: &Rib| rib.get(&prefix).and_then(|route| route.backup);
    let hop = |n: u8| address(&format!("192.0.2.1{n}"));
    rib.update(peer(0), announce(&[prefix], hop(0), from_as(65001)), now);
    assert_eq!(backup(&rib), None);
    rib.update(peer(2), announce(&[prefix], hop(2), preferred(50)), now);
    assert_eq!(backup(&rib), Some(hop(2).into()));
    let mut listener = Listener::new(&session(1));
    drain(&mut rib, peer(1), &mut listener);
    rib.take_loc_rib_changes();
    // A better one to stand by: it is a change of the Loc-RIB, and nothing to tell.
    rib.update(peer(3), announce(&[prefix], hop(3), preferred(80)), now);
    let route = rib.get(&prefix).unwrap();
    assert_eq!(
        (route.paths[0].next_hop, route.backup),
        (Some(hop(0).into()), Some(hop(3).into()))
    );
    assert_eq!(rib.take_loc_rib_changes().routes, [(prefix, Some(route))]);
    assert!(!rib.has_pending(peer(1)));
    // It is gone: the other one stands by again.
    rib.update(peer(3), withdraw(&[prefix]), now);
    assert_eq!(backup(&rib), Some(hop(2).into()));
    rib.set_next_hops(reachable(&[("192.0.2.10", 0)]));
    assert_eq!(backup(&rib), None, "it cannot be reached");
}

#[test]
fn over_ipv6_our_ipv4_routes_may_have_an_ipv6_next_hop() {
    let mut rib = Rib::new(local());
    rib.originate(originated(&["10.1.0.0/24"]));
    let mut other = session(0);
    other.remote_address = address("2001:db8::10");
    other.features.extended_next_hop = true;
    rib.peer_up(peer(0), other);
    rib.peer_up(peer(1), session(1));
    let next_hops = |rib: &mut Rib, peer| {
        rib.next_updates(peer, &mut Vec::new(), 1 << 20);
        rib.advertised(peer)
            .into_iter()
            .map(|route| route.next_hop)
            .collect::<Vec<_>>()
    };
    assert_eq!(next_hops(&mut rib, peer(0)), [address("2001:db8::1")]);
    assert_eq!(next_hops(&mut rib, peer(1)), [address("192.0.2.1")]);
}
