//! Two-octet sessions (RFC 6793): what they lose, and how AS4_PATH and AS4_AGGREGATOR bring it back.

use super::*;
use crate::types::{Asn, Family};
use crate::wire::{
    Aggregator, AsPath, EncodeContext, NextHop, Nlri, PathAttributes, Segment, SegmentKind,
    encode_announcements,
};
use std::net::Ipv4Addr;

/// AS_PATH 100 AS_TRANS 300 and what else is given, from a two-octet speaker.
fn path(rest: &[u8]) -> RoutesIn {
    let as_path = attribute(0x40, 2, &[2, 3, 0, 100, 0x5B, 0xA0, 1, 44]);
    let list = [ORIGIN, &as_path, NEXT_HOP, rest].concat();
    routes(&update(&[], &list, PREFIX), &DecodeContext::default())
}

#[test]
fn as4_path_replaces_the_tail() {
    let routes = path(&attribute(0xC0, 17, &[2, 2, 0, 1, 0, 1, 0, 0, 1, 44]));
    assert_eq!(
        routes.attributes.as_path,
        AsPath::sequence([Asn(100), Asn(65537), Asn(300)])
    );
    assert_eq!(routes.faults, []);
}

#[test]
fn an_as4_path_longer_than_the_path_is_ignored() {
    let long = attribute(0xC0, 17, &[2, 4, 0, 1, 0, 1, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 4]);
    assert_eq!(path(&long).attributes.as_path.to_string(), "100 23456 300");
}

#[test]
fn broken_companions_are_dropped_and_nothing_else() {
    for value in [
        &[2, 2, 0, 1][..],
        &[3, 1, 0, 1, 0, 1],
        &[2, 0],
        &[2, 1, 0, 0, 0, 0],
    ] {
        let routes = path(&attribute(0xC0, 17, value));
        assert_eq!(routes.attributes.as_path.to_string(), "100 23456 300");
        assert_eq!((routes.faults.len(), routes.announced.len()), (1, 1), "{value:?}");
    }
}

#[test]
fn an_aggregator_of_its_own_makes_the_companions_stale() {
    let as4 = attribute(0xC0, 17, &[2, 2, 0, 1, 0, 1, 0, 0, 1, 44]);
    let as4_aggregator = attribute(0xC0, 18, &[0, 1, 0, 9, 10, 0, 0, 9]);
    let stale = attribute(0xC0, 7, &[0, 100, 10, 0, 0, 1]);
    let routes = path(&[stale, as4.clone(), as4_aggregator.clone()].concat());
    assert_eq!(routes.attributes.as_path.to_string(), "100 23456 300");
    assert_eq!(routes.attributes.aggregator.unwrap().asn, Asn(100));
    let trans = attribute(0xC0, 7, &[0x5B, 0xA0, 10, 0, 0, 1]);
    let routes = path(&[trans, as4, as4_aggregator].concat());
    assert_eq!(routes.attributes.as_path.to_string(), "100 65537 300");
    let expected = Aggregator {
        asn: Asn(65545),
        address: Ipv4Addr::new(10, 0, 0, 9),
    };
    assert_eq!(routes.attributes.aggregator, Some(expected));
}

#[test]
fn a_four_octet_speaker_must_not_send_them() {
    let list = [
        ORIGIN,
        AS_PATH,
        NEXT_HOP,
        &attribute(0xC0, 17, &[2, 1, 0, 1, 0, 1]),
    ]
    .concat();
    let routes = routes(&update(&[], &list, PREFIX), &external());
    assert_eq!(routes.attributes.as_path, AsPath::sequence([Asn(65001)]));
    assert_eq!(routes.faults.len(), 1);
}

#[test]
fn a_long_path_survives_a_two_octet_session() {
    let attributes = PathAttributes {
        as_path: AsPath {
            segments: vec![
                Segment {
                    kind: SegmentKind::Sequence,
                    asns: (0..300).map(|n| Asn(70_000 + n)).collect(),
                },
                Segment {
                    kind: SegmentKind::Set,
                    asns: vec![Asn(1), Asn(4_000_000_000)],
                },
            ],
        },
        aggregator: Some(Aggregator {
            asn: Asn(99_999),
            address: Ipv4Addr::new(10, 9, 9, 9),
        }),
        ..PathAttributes::default()
    };
    let mut bytes = Vec::new();
    let context = EncodeContext {
        four_octet: false,
        ..EncodeContext::default()
    };
    let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
    let nlri = [Nlri::from("10.0.0.0/8".parse::<ipnet::IpNet>().unwrap())];
    encode_announcements(
        &mut bytes,
        &context,
        &attributes,
        Family::Ipv4Unicast,
        next_hop,
        nlri,
    )
    .unwrap();
    let routes = routes(&bytes, &DecodeContext::default());
    let flat: Vec<Asn> = routes.attributes.as_path.asns().collect();
    assert_eq!(flat, attributes.as_path.asns().collect::<Vec<_>>());
    assert_eq!(routes.attributes.as_path.hops(), 301);
    assert_eq!(routes.attributes.aggregator, attributes.aggregator);
}
