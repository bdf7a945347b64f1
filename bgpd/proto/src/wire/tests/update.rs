//! UPDATEs without faults: every attribute, both families, withdrawals, End-of-RIB.

use super::*;
use crate::types::{Asn, Family, PerFamily, RouterId};
use crate::wire::{
    Aggregator, AsPath, Community, ExtendedCommunity, LargeCommunity, NextHop, Nlri, Origin, PathAttributes,
    RawAttribute, Segment, SegmentKind,
};
use ipnet::IpNet;
use std::net::Ipv4Addr;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn nlri(text: &str) -> Nlri {
    net(text).into()
}

/// 2001:db8::1.
const GLOBAL: [u8; 16] = [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// fe80::1.
const LOCAL: [u8; 16] = [0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

fn reach(afi: u8, next_hop: &[u8], prefixes: &[u8]) -> Vec<u8> {
    let head = [0, afi, 1, next_hop.len() as u8];
    attribute(0x80, 14, &[&head, next_hop, &[0], prefixes].concat())
}

#[test]
fn every_attribute_of_ours() {
    let path = attribute(0x40, 2, &[2, 2, 0, 0, 0xFD, 0xE9, 0, 1, 0, 0, 1, 1, 0, 0, 0, 7]);
    let list = [
        attribute(0x40, 1, &[2]),
        path,
        NEXT_HOP.to_vec(),
        attribute(0x80, 4, &[0, 0, 0, 50]),
        attribute(0x40, 5, &[0, 0, 0, 100]),
        attribute(0x40, 6, &[]),
        attribute(0xC0, 7, &[0, 0, 0, 9, 10, 0, 0, 9]),
        attribute(0xD0, 8, &[0xFF, 0xFF, 0xFF, 1, 0, 1, 0, 2, 0, 1, 0, 2]),
        attribute(0x80, 9, &[10, 0, 0, 3]),
        attribute(0x80, 10, &[10, 0, 0, 4, 10, 0, 0, 5]),
        attribute(0xC0, 16, &[0, 2, 0, 1, 0, 0, 0, 9]),
        attribute(0xC0, 32, &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
        attribute(0xE0, 99, &[1, 2, 3]),
        attribute(0xC0, 34, &[0, 0, 0, 9]),
        attribute(0xC0, 35, &[0, 0, 0, 9]),
        attribute(0x80, 26, &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    let routes = routes(
        &update(&[8, 11], &list.concat(), &[16, 10, 1, 0, 20, 10, 255, 255]),
        &internal(),
    );
    let expected = PathAttributes {
        origin: Origin::Incomplete,
        as_path: AsPath {
            segments: vec![
                Segment {
                    kind: SegmentKind::Sequence,
                    asns: vec![Asn(65001), Asn(65536)],
                },
                Segment {
                    kind: SegmentKind::Set,
                    asns: vec![Asn(7)],
                },
            ],
        },
        med: Some(50),
        local_pref: Some(100),
        atomic_aggregate: true,
        aggregator: Some(Aggregator {
            asn: Asn(9),
            address: Ipv4Addr::new(10, 0, 0, 9),
        }),
        communities: vec![Community(0x0001_0002), Community::NO_EXPORT],
        originator_id: Some(RouterId(Ipv4Addr::new(10, 0, 0, 3))),
        cluster_list: vec![Ipv4Addr::new(10, 0, 0, 4), Ipv4Addr::new(10, 0, 0, 5)],
        extended_communities: vec![ExtendedCommunity([0, 2, 0, 1, 0, 0, 0, 9])],
        large_communities: vec![LargeCommunity {
            global: 1,
            local1: 2,
            local2: 3,
        }],
        otc: Some(Asn(9)),
        unknown: vec![
            RawAttribute {
                code: 34,
                value: [0, 0, 0, 9].into(),
            },
            RawAttribute {
                code: 99,
                value: [1, 2, 3].into(),
            },
        ],
        ..PathAttributes::default()
    };
    assert_eq!(routes.attributes, expected);
    assert_eq!(routes.faults, []);
    assert_eq!(routes.withdrawn[0].nlri, [nlri("11.0.0.0/8")]);
    assert_eq!(routes.announced.len(), 1);
    assert_eq!(
        routes.announced[0].next_hop,
        NextHop::V4(Ipv4Addr::new(192, 0, 2, 1))
    );
    // Bits behind the prefix length do not count (RFC 4271 §4.3).
    assert_eq!(
        routes.announced[0].nlri,
        [nlri("10.1.0.0/16"), nlri("0.0.0.0/0"), nlri("10.255.240.0/20")]
    );
}

#[test]
fn both_families_in_one_message() {
    let prefixes = [32, 0x20, 1, 0x0D, 0xB8, 0];
    let unreach = attribute(0x80, 15, &[0, 2, 1, 16, 0x20, 2]);
    let list = [
        ORIGIN,
        AS_PATH,
        NEXT_HOP,
        &unreach,
        &reach(2, &[GLOBAL, LOCAL].concat(), &prefixes),
    ]
    .concat();
    let routes = routes(&update(&[], &list, PREFIX), &external());
    let families: Vec<Family> = routes.announced.iter().map(|a| a.family).collect();
    assert_eq!(families, [Family::Ipv4Unicast, Family::Ipv6Unicast]);
    let both = NextHop::V6 {
        global: GLOBAL.into(),
        link_local: Some(LOCAL.into()),
    };
    assert_eq!(routes.announced[1].next_hop, both);
    assert_eq!(routes.announced[1].nlri, [nlri("2001:db8::/32"), nlri("::/0")]);
    assert_eq!(routes.withdrawn[0].nlri, [nlri("2002::/16")]);
}

#[test]
fn a_link_local_next_hop_without_a_global_one() {
    let list = [ORIGIN, AS_PATH, &reach(2, &[[0; 16], LOCAL].concat(), &[0])].concat();
    let routes = routes(&update(&[], &list, &[]), &external());
    assert_eq!(
        routes.announced[0].next_hop,
        NextHop::V6 {
            global: LOCAL.into(),
            link_local: None
        }
    );
}

#[test]
fn ipv4_over_ipv6_only_where_agreed() {
    let bytes = update(&[], &[ORIGIN, AS_PATH, &reach(1, &GLOBAL, PREFIX)].concat(), &[]);
    let agreed = DecodeContext {
        extended_next_hop: true,
        ..external()
    };
    let good = routes(&bytes, &agreed);
    assert_eq!(
        good.announced[0].next_hop,
        NextHop::V6 {
            global: GLOBAL.into(),
            link_local: None
        }
    );
    assert_eq!(good.announced[0].nlri, [nlri("10.1.0.0/16")]);
    assert_eq!(routes(&bytes, &external()).disable, [Family::Ipv4Unicast]);
}

#[test]
fn path_identifiers_where_agreed() {
    let context = DecodeContext {
        add_path: PerFamily {
            ipv4: true,
            ipv6: false,
        },
        ..external()
    };
    let list = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    let routes = routes(
        &update(&[0, 0, 0, 1, 8, 11], &list, &[0, 0, 0, 7, 16, 10, 1]),
        &context,
    );
    assert_eq!(
        routes.announced[0].nlri,
        [Nlri {
            prefix: net("10.1.0.0/16"),
            path_id: Some(7)
        }]
    );
    assert_eq!(
        routes.withdrawn[0].nlri,
        [Nlri {
            prefix: net("11.0.0.0/8"),
            path_id: Some(1)
        }]
    );
}

#[test]
fn end_of_rib_and_what_only_looks_like_it() {
    let marker = |list: &[u8]| routes(&update(&[], list, &[]), &external()).end_of_rib;
    assert_eq!(marker(&[]), Some(Family::Ipv4Unicast));
    assert_eq!(
        marker(&attribute(0x80, 15, &[0, 1, 1])),
        Some(Family::Ipv4Unicast)
    );
    assert_eq!(
        marker(&attribute(0x90, 15, &[0, 2, 1])),
        Some(Family::Ipv6Unicast)
    );
    assert_eq!(marker(&attribute(0x80, 15, &[0, 25, 70])), None);
    assert_eq!(marker(&attribute(0x80, 15, &[0, 2, 1, 0])), None);
    assert_eq!(marker(ORIGIN), None);
    assert_eq!(marker(&[ORIGIN, &attribute(0x80, 15, &[0, 2, 1])].concat()), None);
}

#[test]
fn other_families_pass_by() {
    let list = [
        ORIGIN,
        AS_PATH,
        &attribute(0x80, 14, &[0, 25, 70, 4, 1, 2, 3, 4, 0, 9, 9]),
    ]
    .concat();
    let routes = routes(&update(&[], &list, &[]), &external());
    assert_eq!(
        (
            routes.announced.len(),
            routes.withdrawn.len(),
            routes.disable.len()
        ),
        (0, 0, 0)
    );
}

/// RFC 4271 §5: once set, the bit stays, on attributes that we know as on others.
#[test]
fn the_partial_bit_stays_where_it_was_set() {
    let list = [
        attribute(0x40, 1, &[0]),
        attribute(0x40, 2, &[2, 1, 0, 0, 0xfd, 0xe9]),
        attribute(0x40, 3, &[192, 0, 2, 1]),
        attribute(0x40, 5, &[0, 0, 0, 100]),
        attribute(0xE0, 8, &[0, 1, 0, 2]),
        attribute(0xC0, 32, &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
        attribute(0xE0, 35, &[0, 0, 0, 9]),
        attribute(0xC0, 99, &[1]),
    ];
    let read = routes(&update(&[], &list.concat(), &[16, 10, 1]), &internal());
    let announced = &read.announced[0];
    let mut out = Vec::new();
    let nlri = announced.nlri.iter().copied();
    let context = crate::wire::EncodeContext::default();
    crate::wire::encode_announcements(
        &mut out,
        &context,
        &read.attributes,
        announced.family,
        announced.next_hop,
        nlri,
    )
    .unwrap();
    for (head, why) in [
        ([0xE0, 8, 4], "it came so"),
        ([0xC0, 32, 12], "it came without"),
        ([0xE0, 35, 4], "it came so"),
        ([0xE0, 99, 1], "we do not know it"),
    ] {
        assert!(
            out.windows(3).any(|window| window == head),
            "{head:?}: {why}: {out:02x?}"
        );
    }
}
