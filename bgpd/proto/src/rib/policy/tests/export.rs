use super::{local, session};
use crate::rib::model::{LocalSettings, PathKind, PeerSession};
use crate::rib::policy::export::{ExportRefusal, Source, permit, rewrite};
use crate::rib::policy::{AsRules, ExportPolicy, NextHopMode, RemovePrivate};
use crate::types::{Asn, Family, PeerKind, RouterId};
use crate::wire::{AsPath, Community, ExtendedCommunity, NextHop, PathAttributes, RawAttribute, Role};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const LEARNED_FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));

/// A session that teaches routes of this kind; `None` for what is originated here.
fn teacher(kind: PathKind) -> Option<PeerSession> {
    match kind {
        PathKind::Local => None,
        PathKind::External => Some(session(PeerKind::External)),
        PathKind::Internal => Some(session(PeerKind::Internal)),
    }
}

fn source<'a>(from: Option<&'a PeerSession>, attributes: &'a PathAttributes) -> Source<'a> {
    Source {
        session: from,
        next_hop: from.map(|_| NextHop::from(LEARNED_FROM)),
        ..Source::local(attributes)
    }
}

/// A session with this export policy.
fn told(kind: PeerKind, change: impl FnOnce(&mut ExportPolicy)) -> PeerSession {
    let mut session = session(kind);
    change(Arc::make_mut(&mut session.export));
    session
}

fn transit(mut session: PeerSession, transit: bool) -> PeerSession {
    Arc::make_mut(&mut session.import).transit = transit;
    Arc::make_mut(&mut session.export).transit = transit;
    session
}

fn v4() -> IpNet {
    "10.244.7.0/24".parse().unwrap()
}

fn v6() -> IpNet {
    "fd00:7::/64".parse().unwrap()
}

#[test]
fn who_is_told_what() {
    use ExportRefusal::{NotOriginated, SplitHorizon};
    use PathKind::{External, Internal, Local};
    let (ebgp, ibgp) = (PeerKind::External, PeerKind::Internal);
    let plain = PathAttributes::default();
    // Source, its session is transit, target, the target's session is transit.
    let cases = [
        (Local, false, ebgp, false, Ok(())),
        (Local, false, ibgp, false, Ok(())),
        (External, false, ebgp, false, Err(NotOriginated(External))),
        (External, false, ibgp, false, Err(NotOriginated(External))),
        (Internal, false, ebgp, false, Err(NotOriginated(Internal))),
        (Internal, false, ibgp, false, Err(SplitHorizon)),
        (External, true, ebgp, false, Ok(())),
        (External, false, ebgp, true, Ok(())),
        (External, true, ibgp, false, Ok(())),
        (External, false, ibgp, true, Ok(())),
        (Internal, true, ebgp, false, Ok(())),
        (Internal, false, ebgp, true, Ok(())),
        (Internal, true, ibgp, true, Err(SplitHorizon)),
    ];
    for (kind, source_transit, to, target_transit, want) in cases {
        let from = teacher(kind).map(|from| transit(from, source_transit));
        let source = source(from.as_ref(), &plain);
        let target = transit(session(to), target_transit);
        let what = format!("{kind} transit {source_transit} to {to:?} transit {target_transit}");
        assert_eq!(permit(&v4(), &source, &target), want, "{what}");
        let back = Source {
            is_target: true,
            ..source
        };
        assert_eq!(
            permit(&v4(), &back, &target),
            Err(ExportRefusal::Sender),
            "{what}"
        );
    }
}

#[test]
fn well_known_communities() {
    let (ebgp, ibgp) = (PeerKind::External, PeerKind::Internal);
    let cases = [
        (Community::NO_ADVERTISE, ebgp, Err(ExportRefusal::NoAdvertise)),
        (Community::NO_ADVERTISE, ibgp, Err(ExportRefusal::NoAdvertise)),
        (Community::NO_EXPORT, ebgp, Err(ExportRefusal::NoExport)),
        (Community::NO_EXPORT, ibgp, Ok(())),
        (Community::NO_EXPORT_SUBCONFED, ebgp, Err(ExportRefusal::NoExport)),
        (Community::NO_EXPORT_SUBCONFED, ibgp, Ok(())),
        (Community::GRACEFUL_SHUTDOWN, ebgp, Ok(())),
    ];
    for (community, to, want) in cases {
        let attributes = PathAttributes {
            communities: vec![community],
            ..PathAttributes::default()
        };
        assert_eq!(
            permit(&v4(), &Source::local(&attributes), &session(to)),
            want,
            "{community}"
        );
    }
}

#[test]
fn families_and_next_hops() {
    let plain = PathAttributes::default();
    let ours = Source::local(&plain);
    let v4_only = PeerSession {
        families: vec![Family::Ipv4Unicast],
        ..session(PeerKind::External)
    };
    assert_eq!(permit(&v6(), &ours, &v4_only), Err(ExportRefusal::Family));
    let no_v6 = PeerSession {
        next_hop_v6: None,
        ..session(PeerKind::External)
    };
    assert_eq!(
        permit(&v6(), &ours, &no_v6),
        Err(ExportRefusal::NoNextHop(Family::Ipv6Unicast))
    );
    assert_eq!(permit(&v4(), &ours, &no_v6), Ok(()));
    let (hop, _) = rewrite(&v6(), &ours, &session(PeerKind::Internal), &local()).unwrap();
    assert_eq!(hop.address(), "2001:db8::1".parse::<IpAddr>().unwrap());
    // Inside the AS a learned next hop stays, and our own address is not needed.
    let from = teacher(PathKind::External).map(|from| transit(from, true));
    let learned = source(from.as_ref(), &plain);
    let inside = PeerSession {
        next_hop_v4: None,
        ..session(PeerKind::Internal)
    };
    assert_eq!(
        rewrite(&v4(), &learned, &inside, &local()).unwrap().0.address(),
        LEARNED_FROM
    );
    let (hop, _) = rewrite(&v4(), &learned, &session(PeerKind::External), &local()).unwrap();
    assert_eq!(hop.address(), IpAddr::from([192, 0, 2, 1]));
}

fn rich() -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence([Asn(65009)]),
        med: Some(30),
        local_pref: Some(250),
        originator_id: Some(RouterId([9, 9, 9, 9].into())),
        cluster_list: vec![[8, 8, 8, 8].into()],
        communities: vec![Community(65009 << 16 | 1)],
        extended_communities: vec![
            ExtendedCommunity([0, 2, 0, 0, 0, 0, 0, 1]),
            ExtendedCommunity([0x40, 0, 0, 0, 0, 0, 0, 1]),
        ],
        unknown: vec![RawAttribute {
            code: 99,
            value: Box::new([1, 2, 3]),
        }],
        ..PathAttributes::default()
    }
}

#[test]
fn attributes_for_outside() {
    let rich = rich();
    let from = teacher(PathKind::Internal).map(|from| transit(from, true));
    let learned = source(from.as_ref(), &rich);
    let (_, sent) = rewrite(&v4(), &learned, &session(PeerKind::External), &local()).unwrap();
    let expected = PathAttributes {
        as_path: AsPath::sequence([Asn(64512), Asn(65009)]),
        med: None,
        local_pref: None,
        originator_id: None,
        cluster_list: Vec::new(),
        extended_communities: vec![ExtendedCommunity([0, 2, 0, 0, 0, 0, 0, 1])],
        ..rich.clone()
    };
    assert_eq!(sent, expected, "communities and unknown attributes pass");
}

#[test]
fn attributes_for_inside() {
    let rich = rich();
    let from = teacher(PathKind::External).map(|from| transit(from, true));
    let learned = source(from.as_ref(), &rich);
    let (_, sent) = rewrite(&v4(), &learned, &session(PeerKind::Internal), &local()).unwrap();
    assert_eq!(
        sent,
        PathAttributes {
            local_pref: Some(250),
            ..rich.clone()
        },
        "what import policy set stays"
    );
    let plain = PathAttributes::default();
    let (_, sent) = rewrite(
        &v4(),
        &Source::local(&plain),
        &session(PeerKind::Internal),
        &local(),
    )
    .unwrap();
    assert_eq!(
        sent,
        PathAttributes {
            local_pref: Some(100),
            ..plain
        }
    );
}

#[test]
fn refusals_have_words() {
    let refusal = ExportRefusal::NotOriginated(PathKind::External);
    assert_eq!(
        refusal.to_string(),
        "learned by eBGP, and neither that session nor this one has transit: true"
    );
    let refusal = ExportRefusal::NoNextHop(Family::Ipv6Unicast);
    assert_eq!(
        refusal.to_string(),
        "this node has no IPv6 unicast address to be the next hop: give the Node one"
    );
}

#[test]
fn reflection() {
    use ExportRefusal::SplitHorizon;
    let plain = PathAttributes::default();
    // Who teaches, who is told: client or not.
    let rows = [
        (false, false, Err(SplitHorizon)),
        (true, false, Ok(())),
        (false, true, Ok(())),
        (true, true, Ok(())),
    ];
    for (from, to, want) in rows {
        let from = told(PeerKind::Internal, |policy| policy.client = from);
        let to = told(PeerKind::Internal, |policy| policy.client = to);
        assert_eq!(permit(&v4(), &source(Some(&from), &plain), &to), want, "{from:?}");
        // What eBGP taught is no matter of reflection.
        let outside = session(PeerKind::External);
        assert_eq!(
            permit(&v4(), &source(Some(&outside), &plain), &to),
            Err(ExportRefusal::NotOriginated(PathKind::External))
        );
    }
}

#[test]
fn a_reflected_route_tells_where_it_has_been_and_nothing_else_is_new() {
    let cluster: Ipv4Addr = [10, 0, 0, 1].into();
    let local = LocalSettings {
        cluster_id: Some(cluster),
        ..local()
    };
    let client = told(PeerKind::Internal, |policy| policy.client = true);
    let learned = PathAttributes {
        med: Some(30),
        local_pref: Some(250),
        ..PathAttributes::default()
    };
    let (hop, sent) = rewrite(
        &v4(),
        &source(Some(&client), &learned),
        &session(PeerKind::Internal),
        &local,
    )
    .unwrap();
    assert_eq!(hop.address(), LEARNED_FROM);
    let want = PathAttributes {
        originator_id: Some(client.remote_router_id),
        cluster_list: vec![cluster],
        ..learned
    };
    assert_eq!(sent, want);
    // By a second reflector: the originator stays, the clusters pile up.
    let second = LocalSettings {
        cluster_id: None,
        ..local
    };
    let (_, again) = rewrite(&v4(), &source(Some(&client), &want), &client, &second).unwrap();
    assert_eq!(again.originator_id, want.originator_id);
    assert_eq!(again.cluster_list, [second.router_id.0, cluster]);
    // Outside, none of it is told.
    let client = transit(client, true);
    let (_, outside) = rewrite(
        &v4(),
        &source(Some(&client), &want),
        &session(PeerKind::External),
        &second,
    )
    .unwrap();
    assert_eq!((outside.originator_id, outside.cluster_list), (None, Vec::new()));
}

#[test]
fn modes_of_the_next_hop() {
    let plain = PathAttributes::default();
    let own = IpAddr::from([192, 0, 2, 1]);
    let rows = [
        (NextHopMode::Auto, PeerKind::External, own),
        (NextHopMode::Auto, PeerKind::Internal, LEARNED_FROM),
        (NextHopMode::SelfAddress, PeerKind::External, own),
        (NextHopMode::SelfAddress, PeerKind::Internal, own),
        (NextHopMode::Keep, PeerKind::External, LEARNED_FROM),
        (NextHopMode::Keep, PeerKind::Internal, LEARNED_FROM),
    ];
    let from = transit(session(PeerKind::External), true);
    for (mode, to, want) in rows {
        let target = told(to, |policy| policy.next_hop = mode);
        let hop = |source| rewrite(&v4(), &source, &target, &local()).unwrap().0.address();
        assert_eq!(hop(source(Some(&from), &plain)), want, "{mode:?} {to:?}");
        assert_eq!(hop(Source::local(&plain)), own, "ours is always ours");
    }
}

#[test]
fn the_path_is_rewritten_before_our_number_goes_in_front() {
    let learned = PathAttributes {
        as_path: AsPath::sequence([Asn(64600), Asn(3356), Asn(65001)]),
        ..PathAttributes::default()
    };
    let from = transit(session(PeerKind::External), true);
    let mut target = told(PeerKind::External, |policy| {
        policy.as_rules = AsRules {
            remove_private: RemovePrivate::All,
            as_override: true,
            replace_as: false,
        }
    });
    target.local_asn = Asn(65100);
    let (_, sent) = rewrite(&v4(), &source(Some(&from), &learned), &target, &local()).unwrap();
    assert_eq!(sent.as_path.to_string(), "65100 64512 3356 65100");
}

#[test]
fn only_to_customers() {
    use Role::{Customer, Peer, Provider, RouteServer, RouteServerClient};
    let plain = PathAttributes::default();
    let marked = PathAttributes {
        otc: Some(Asn(65009)),
        ..PathAttributes::default()
    };
    let rows = [
        (None, None, true),
        (Some(Provider), Some(Asn(64512)), true),
        (Some(RouteServer), Some(Asn(64512)), true),
        (Some(Peer), Some(Asn(64512)), false),
        (Some(Customer), None, false),
        (Some(RouteServerClient), None, false),
    ];
    for (role, adds, takes_marked) in rows {
        let target = told(PeerKind::External, |policy| policy.role = role);
        let sent = |attributes| rewrite(&v4(), &Source::local(attributes), &target, &local());
        assert_eq!(sent(&plain).unwrap().1.otc, adds, "{role:?}");
        let marked = sent(&marked).map(|(_, sent)| sent.otc);
        let want = if takes_marked {
            Ok(Some(Asn(65009)))
        } else {
            Err(ExportRefusal::OnlyToCustomer)
        };
        assert_eq!(marked, want, "{role:?}");
    }
    // Inside the AS it passes as it is.
    let (_, sent) = rewrite(
        &v4(),
        &Source::local(&marked),
        &session(PeerKind::Internal),
        &local(),
    )
    .unwrap();
    assert_eq!(sent.otc, Some(Asn(65009)));
}

#[test]
fn a_node_that_is_drained_says_so() {
    let plain = PathAttributes::default();
    for (kind, preference) in [(PeerKind::External, None), (PeerKind::Internal, Some(0))] {
        let target = told(kind, |policy| policy.drain = true);
        let (_, sent) = rewrite(&v4(), &Source::local(&plain), &target, &local()).unwrap();
        assert_eq!(sent.communities, [Community::GRACEFUL_SHUTDOWN]);
        assert_eq!(sent.local_pref, preference);
    }
}
