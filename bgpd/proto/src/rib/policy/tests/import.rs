use super::{local, session};
use crate::rib::model::{LocalSettings, NodeOnly, PeerSession};
use crate::rib::policy::ImportPolicy;
use crate::rib::policy::import::{Received, RejectReason, Verdict, changed, judge};
use crate::types::{Asn, PeerKind, RouterId};
use crate::wire::{AsPath, Community, NextHop, PathAttributes, Role};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

struct Case {
    prefix: IpNet,
    next_hop: IpAddr,
    attributes: PathAttributes,
    session: PeerSession,
    local: LocalSettings,
}

fn case(kind: PeerKind) -> Case {
    let path = if kind == PeerKind::External {
        vec![Asn(65001), Asn(65002)]
    } else {
        Vec::new()
    };
    Case {
        prefix: "10.244.7.0/24".parse().unwrap(),
        next_hop: [192, 0, 2, 2].into(),
        attributes: PathAttributes {
            as_path: AsPath::sequence(path),
            ..PathAttributes::default()
        },
        session: session(kind),
        local: local(),
    }
}

fn verdict(case: &Case) -> Result<(), RejectReason> {
    let route = Received {
        prefix: &case.prefix,
        next_hop: NextHop::from(case.next_hop),
        attributes: &case.attributes,
        interface: None,
    };
    judge(&route, &case.session, &case.local).result
}

/// What an accepted route says.
fn made(case: &Case) -> Option<PathAttributes> {
    changed(&case.attributes, None, &case.session, &case.local)
}

fn policy(case: &mut Case) -> &mut ImportPolicy {
    Arc::make_mut(&mut case.session.import)
}

/// The route that passes, changed, gives this.
fn expect(kind: PeerKind, want: Result<(), RejectReason>, change: impl Fn(&mut Case)) {
    let mut case = case(kind);
    assert_eq!(verdict(&case), Ok(()));
    change(&mut case);
    assert_eq!(verdict(&case), want, "{} via {}", case.prefix, case.next_hop);
}

fn prefix(text: &str) -> IpNet {
    text.parse().unwrap()
}

#[test]
fn destinations() {
    use RejectReason::{MartianPrefix, OwnPrefix};
    for kind in [PeerKind::External, PeerKind::Internal] {
        expect(kind, Ok(()), |c| c.prefix = prefix("0.0.0.0/0"));
        expect(kind, Err(MartianPrefix), |c| c.prefix = prefix("127.1.0.0/16"));
        expect(kind, Err(MartianPrefix), |c| c.prefix = prefix("fe80::/64"));
        let own =
            |c: &mut Case| c.local.import.own_prefixes = vec![prefix("10.244.7.0/26"), prefix("fd00::/64")];
        expect(kind, Ok(()), own);
        for (text, want) in [
            ("10.244.7.0/26", Err(OwnPrefix)),
            ("10.244.7.8/32", Err(OwnPrefix)),
            ("10.244.7.64/26", Ok(())),
            ("10.244.0.0/16", Ok(())),
            ("fd00::/64", Err(OwnPrefix)),
            ("fd00::/63", Ok(())),
        ] {
            expect(kind, want, |c| {
                own(c);
                c.prefix = prefix(text);
            });
        }
        for (text, want) in [("10.244.7.8/32", Ok(())), ("10.244.7.9/32", Err(OwnPrefix))] {
            expect(kind, want, |c| {
                own(c);
                c.local.import.on_loan.insert(prefix("10.244.7.8/32"));
                c.prefix = prefix(text);
            });
        }
    }
}

#[test]
fn loops() {
    use RejectReason::{AsLoop, ClusterLoop, FirstAs, OriginatorLoop};
    let path = |asns: &'static [u32]| {
        move |c: &mut Case| c.attributes.as_path = AsPath::sequence(asns.iter().copied().map(Asn))
    };
    expect(PeerKind::External, Err(AsLoop), path(&[65001, 64512]));
    expect(PeerKind::Internal, Err(AsLoop), path(&[65001, 64512]));
    expect(PeerKind::External, Err(FirstAs), path(&[65002, 65001]));
    expect(PeerKind::External, Err(FirstAs), path(&[]));
    expect(PeerKind::Internal, Ok(()), path(&[65002, 65001]));
    let us = RouterId(Ipv4Addr::new(192, 0, 2, 1));
    expect(PeerKind::Internal, Err(OriginatorLoop), |c| {
        c.attributes.originator_id = Some(us)
    });
    expect(PeerKind::Internal, Err(ClusterLoop), |c| {
        c.attributes.cluster_list = vec![[9, 9, 9, 9].into(), us.0]
    });
    expect(PeerKind::Internal, Ok(()), |c| {
        c.attributes.cluster_list = vec![[9, 9, 9, 9].into()]
    });
}

#[test]
fn next_hops() {
    use RejectReason::{MartianNextHop, NotANode, OwnNextHop};
    for kind in [PeerKind::External, PeerKind::Internal] {
        expect(kind, Err(MartianNextHop), |c| c.next_hop = [127, 0, 0, 1].into());
        expect(kind, Err(MartianNextHop), |c| {
            c.next_hop = "::ffff:10.0.0.1".parse().unwrap()
        });
        expect(kind, Err(OwnNextHop), |c| c.next_hop = [192, 0, 2, 1].into());
        expect(kind, Err(OwnNextHop), |c| {
            c.next_hop = "2001:db8::1".parse().unwrap()
        });
        expect(kind, Ok(()), |c| c.next_hop = [203, 0, 113, 9].into());
        let pool = |hops: &'static [[u8; 4]]| {
            let next_hops: BTreeSet<IpAddr> = hops.iter().map(|hop| IpAddr::from(*hop)).collect();
            NodeOnly {
                within: prefix("10.244.0.0/16"),
                next_hops: Arc::new(next_hops),
            }
        };
        expect(kind, Ok(()), |c| {
            c.local.import.node_only = vec![pool(&[[192, 0, 2, 2]])]
        });
        expect(kind, Err(NotANode), |c| {
            c.local.import.node_only = vec![pool(&[[192, 0, 2, 3]])]
        });
        expect(kind, Ok(()), |c| {
            c.local.import.node_only = vec![pool(&[])];
            c.prefix = prefix("10.245.0.0/24");
        });
        expect(kind, Ok(()), |c| {
            c.local.import.node_only = vec![pool(&[])];
            c.prefix = prefix("10.240.0.0/12");
        });
    }
}

#[test]
fn verdicts_fit_into_a_byte() {
    assert_eq!(Verdict::from(Ok(())).reason(), None);
    assert!(Verdict::from(Ok(())).is_accepted());
    for reason in RejectReason::ALL {
        assert_eq!(Verdict::from(Err(reason)).reason(), Some(reason));
        assert!(!reason.to_string().is_empty());
    }
}

#[test]
fn loops_that_are_allowed() {
    use RejectReason::AsLoop;
    let with = |times: usize, allowed: u8| {
        move |c: &mut Case| {
            let ours = std::iter::repeat_n(Asn(64512), times);
            c.attributes.as_path = AsPath::sequence([Asn(65001)].into_iter().chain(ours));
            policy(c).allow_own_as = allowed;
        }
    };
    expect(PeerKind::External, Ok(()), with(1, 1));
    expect(PeerKind::External, Err(AsLoop), with(2, 1));
    expect(PeerKind::External, Ok(()), with(2, 2));
    // Both of our numbers count where a session has one of its own.
    let local_as = |path: &'static [u32]| {
        move |c: &mut Case| {
            c.session.local_asn = Asn(65100);
            c.attributes.as_path = AsPath::sequence(path.iter().copied().map(Asn));
        }
    };
    expect(PeerKind::External, Err(AsLoop), local_as(&[65001, 64512]));
    expect(PeerKind::External, Err(AsLoop), local_as(&[65001, 65100]));
    expect(PeerKind::External, Ok(()), local_as(&[65001, 65101]));
}

#[test]
fn a_route_server_is_not_in_the_path() {
    expect(PeerKind::External, Ok(()), |c| {
        c.attributes.as_path = AsPath::sequence([Asn(65002)]);
        policy(c).enforce_first_as = false;
    });
}

#[test]
fn a_cluster_of_its_own_takes_the_place_of_the_router_id() {
    let cluster: Ipv4Addr = [10, 0, 0, 1].into();
    for (list, want) in [
        (cluster, Err(RejectReason::ClusterLoop)),
        (Ipv4Addr::new(192, 0, 2, 1), Ok(())),
    ] {
        expect(PeerKind::Internal, want, |c| {
            c.local.cluster_id = Some(cluster);
            c.attributes.cluster_list = vec![list];
        });
    }
}

#[test]
fn all_our_addresses_are_ours() {
    expect(PeerKind::Internal, Err(RejectReason::OwnNextHop), |c| {
        c.next_hop = [10, 244, 1, 0].into();
        c.local.import.own_addresses.insert([10, 244, 1, 0].into());
    });
}

#[test]
fn leaks_and_marks() {
    use Role::{Customer, Peer, Provider, RouteServer, RouteServerClient};
    let (theirs, other) = (Some(Asn(65001)), Some(Asn(65009)));
    let leak = Err(RejectReason::RouteLeak);
    // Our role, OTC as received, the verdict, OTC after import.
    let rows = [
        (None, None, Ok(()), None),
        (None, other, Ok(()), other),
        (Some(Provider), None, Ok(()), None),
        (Some(Provider), theirs, leak, None),
        (Some(RouteServer), other, leak, None),
        (Some(Peer), None, Ok(()), theirs),
        (Some(Peer), theirs, Ok(()), theirs),
        (Some(Peer), other, leak, None),
        (Some(Customer), None, Ok(()), theirs),
        (Some(Customer), other, Ok(()), other),
        (Some(RouteServerClient), None, Ok(()), theirs),
    ];
    for (role, otc, want, after) in rows {
        let mut case = case(PeerKind::External);
        policy(&mut case).role = role;
        case.attributes.otc = otc;
        assert_eq!(verdict(&case), want, "{role:?} {otc:?}");
        if want.is_ok() {
            let made = made(&case).unwrap_or_else(|| case.attributes.clone());
            assert_eq!(made.otc, after, "{role:?} {otc:?}");
        }
        // Roles are for eBGP.
        case.session = PeerSession {
            import: case.session.import,
            ..session(PeerKind::Internal)
        };
        assert_eq!((verdict(&case), made(&case)), (Ok(()), None));
    }
}

#[test]
fn graceful_shutdown_is_the_last_resort() {
    let with = |kind, honour| {
        let mut case = case(kind);
        case.attributes.communities = vec![Community::GRACEFUL_SHUTDOWN];
        policy(&mut case).honour_graceful_shutdown = honour;
        made(&case).and_then(|made| made.local_pref)
    };
    assert_eq!(with(PeerKind::External, true), Some(0));
    assert_eq!(with(PeerKind::External, false), None);
    assert_eq!(
        with(PeerKind::Internal, true),
        None,
        "inside, its LOCAL_PREF says it"
    );
}

#[test]
fn a_local_as_comes_before_what_comes_in() {
    let mut case = case(PeerKind::External);
    policy(&mut case).prepend_local_as = true;
    assert_eq!(made(&case), None, "no number of its own");
    case.session.local_asn = Asn(65100);
    assert_eq!(made(&case).unwrap().as_path.to_string(), "65100 65001 65002");
}
