use super::{local, session};
use crate::rib::model::{LocalSettings, NodeOnly, PeerSession};
use crate::rib::policy::import::{RejectReason, Verdict, check};
use crate::types::{Asn, PeerKind, RouterId};
use crate::wire::{AsPath, NextHop, PathAttributes};
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
    check(
        &case.prefix,
        NextHop::from(case.next_hop),
        &case.attributes,
        &case.session,
        &case.local,
    )
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
