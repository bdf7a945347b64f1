use super::session;
use crate::rib::model::{PathKind, PeerSession};
use crate::rib::policy::export::{ExportRefusal, Source, permit, rewrite};
use crate::types::{Asn, Family, PeerKind, RouterId};
use crate::wire::{AsPath, Community, ExtendedCommunity, NextHop, PathAttributes, RawAttribute};
use ipnet::IpNet;
use std::net::IpAddr;

const LEARNED_FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 77));

fn source(kind: PathKind, attributes: &PathAttributes) -> Source<'_> {
    let next_hop = (kind != PathKind::Local).then(|| NextHop::from(LEARNED_FROM));
    Source {
        kind,
        transit: false,
        is_target: false,
        next_hop,
        attributes,
    }
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
        let source = Source {
            transit: source_transit,
            ..source(kind, &plain)
        };
        let target = PeerSession {
            transit: target_transit,
            ..session(to)
        };
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
            permit(&v4(), &source(PathKind::Local, &attributes), &session(to)),
            want,
            "{community}"
        );
    }
}

#[test]
fn families_and_next_hops() {
    let plain = PathAttributes::default();
    let local = source(PathKind::Local, &plain);
    let v4_only = PeerSession {
        families: vec![Family::Ipv4Unicast],
        ..session(PeerKind::External)
    };
    assert_eq!(permit(&v6(), &local, &v4_only), Err(ExportRefusal::Family));
    let no_v6 = PeerSession {
        next_hop_v6: None,
        ..session(PeerKind::External)
    };
    assert_eq!(
        permit(&v6(), &local, &no_v6),
        Err(ExportRefusal::NoNextHop(Family::Ipv6Unicast))
    );
    assert_eq!(permit(&v4(), &local, &no_v6), Ok(()));
    let (hop, _) = rewrite(&v6(), &local, &session(PeerKind::Internal)).unwrap();
    assert_eq!(hop.address(), "2001:db8::1".parse::<IpAddr>().unwrap());
    // Inside the AS a learned next hop stays, and our own address is not needed.
    let learned = Source {
        transit: true,
        ..source(PathKind::External, &plain)
    };
    let inside = PeerSession {
        next_hop_v4: None,
        ..session(PeerKind::Internal)
    };
    assert_eq!(
        rewrite(&v4(), &learned, &inside).unwrap().0.address(),
        LEARNED_FROM
    );
    let (hop, _) = rewrite(&v4(), &learned, &session(PeerKind::External)).unwrap();
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
    let learned = Source {
        transit: true,
        ..source(PathKind::Internal, &rich)
    };
    let (_, sent) = rewrite(&v4(), &learned, &session(PeerKind::External)).unwrap();
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
    let learned = Source {
        transit: true,
        ..source(PathKind::External, &rich)
    };
    let (_, sent) = rewrite(&v4(), &learned, &session(PeerKind::Internal)).unwrap();
    assert_eq!(
        sent,
        PathAttributes {
            local_pref: Some(100),
            ..rich.clone()
        }
    );
    let plain = PathAttributes::default();
    let (_, sent) = rewrite(
        &v4(),
        &source(PathKind::Local, &plain),
        &session(PeerKind::Internal),
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
