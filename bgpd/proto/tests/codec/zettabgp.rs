//! `zettabgp` reads from our well-formed messages what we wrote.
//!
//! Known deviations of its version 0.6, left out of the comparison:
//! - it guesses from the prefixes whether there are path identifiers, and guesses wrong: that is switched off;
//! - it panics at malformed input and loops for ever on some, so it gets well-formed messages only;
//! - it writes every AS_SEQUENCE as AS_SET, so what it writes is not looked at;
//! - it loses capabilities 5, 6 and 9, so OPENs are not compared;
//! - it turns an IPv6 next hop of IPv4 routes into 253.0.0.1 (RFC 8950): such samples are skipped;
//! - an AS_SET is a sorted set there;
//! - AS numbers compare as equal there where one is the other's upper half: raw values are compared.

use std::net::{IpAddr, Ipv4Addr};

use bgpd_proto::types::Family;
use bgpd_proto::wire::{NextHop, Origin, PathAttributes, RoutesIn, Segment, SegmentKind};
use ipnet::IpNet;
use proptest::prelude::*;
use zettabgp::afi::BgpAddr;
use zettabgp::prelude::*;

use crate::sample::{Sample, messages, sample, updates};

fn parse(body: &[u8]) -> BgpUpdateMessage {
    let families = vec![
        BgpCapability::SafiIPv4u,
        BgpCapability::SafiIPv6u,
        BgpCapability::CapASN32(1),
    ];
    let mut params = BgpSessionParams::new(1, 90, BgpTransportMode::IPv4, Ipv4Addr::LOCALHOST, families);
    params.fuzzy_pathid = false;
    let mut update = BgpUpdateMessage::new();
    update
        .decode_from(&params, body)
        .unwrap_or_else(|e| panic!("zettabgp refuses {body:02x?}: {e:?}"));
    update
}

fn prefixes(addrs: &BgpAddrs) -> Vec<IpNet> {
    let net = |address: IpAddr, length| IpNet::new(address, length).expect("a length that fits");
    match addrs {
        BgpAddrs::IPV4U(list) => list.iter().map(|a| net(a.addr.into(), a.prefixlen)).collect(),
        BgpAddrs::IPV6U(list) => list.iter().map(|a| net(a.addr.into(), a.prefixlen)).collect(),
        BgpAddrs::None => Vec::new(),
        other => panic!("not sent: {other:?}"),
    }
}

/// Numbers of a segment; those of a set are sorted and without repeats.
fn segment(set: bool, mut numbers: Vec<u32>) -> (bool, Vec<u32>) {
    if set {
        numbers.sort_unstable();
        numbers.dedup();
    }
    (set, numbers)
}

fn our_segment(s: &Segment) -> (bool, Vec<u32>) {
    segment(s.kind == SegmentKind::Set, s.asns.iter().map(|a| a.0).collect())
}

fn their_segment(item: &BgpASitem) -> (bool, Vec<u32>) {
    match item {
        BgpASitem::Seq(s) => segment(false, s.value.iter().map(|a| a.value).collect()),
        BgpASitem::Set(s) => segment(true, s.value.iter().map(|a| a.value).collect()),
    }
}

/// The attribute is what we say; true if it is one that we compare.
fn same(ours: &PathAttributes, next_hop: NextHop, theirs: &BgpAttrItem) -> Result<(), TestCaseError> {
    match theirs {
        BgpAttrItem::Origin(o) => {
            let value = match o.value {
                BgpAttrOrigin::Igp => Origin::Igp,
                BgpAttrOrigin::Egp => Origin::Egp,
                BgpAttrOrigin::Incomplete => Origin::Incomplete,
            };
            prop_assert_eq!(value, ours.origin);
        }
        BgpAttrItem::ASPath(path) => {
            let path: Vec<_> = path.value.iter().map(their_segment).collect();
            prop_assert_eq!(
                path,
                ours.as_path.segments.iter().map(our_segment).collect::<Vec<_>>()
            );
        }
        BgpAttrItem::NextHop(n) => prop_assert_eq!(n.value, next_hop.address()),
        BgpAttrItem::MED(m) => prop_assert_eq!(Some(m.value), ours.med),
        BgpAttrItem::LocalPref(p) => prop_assert_eq!(Some(p.value), ours.local_pref),
        BgpAttrItem::AtomicAggregate(_) => prop_assert!(ours.atomic_aggregate),
        BgpAttrItem::AggregatorAS(a) => {
            prop_assert_eq!(
                Some((a.asn, a.addr)),
                ours.aggregator.map(|g| (g.asn.0, g.address))
            );
        }
        BgpAttrItem::CommunityList(list) => {
            let values: Vec<u32> = list.value.iter().map(|c| c.value).collect();
            prop_assert_eq!(values, ours.communities.iter().map(|c| c.0).collect::<Vec<_>>());
        }
        BgpAttrItem::LargeCommunityList(list) => {
            let values: Vec<_> = list.value.iter().map(|c| (c.ga, c.ldp1, c.ldp2)).collect();
            let ours = ours
                .large_communities
                .iter()
                .map(|c| (c.global, c.local1, c.local2));
            prop_assert_eq!(values, ours.collect::<Vec<_>>());
        }
        BgpAttrItem::ExtCommunityList(list) => {
            let octets = |c: &BgpExtCommunity| {
                let mut octets = [0; 8];
                c.encode_to(&mut octets).expect("eight octets");
                octets
            };
            let values: Vec<_> = list.value.iter().map(octets).collect();
            prop_assert_eq!(
                values,
                ours.extended_communities.iter().map(|c| c.0).collect::<Vec<_>>()
            );
        }
        BgpAttrItem::OriginatorID(id) => {
            prop_assert_eq!(Some(id.value), ours.originator_id.map(|id| IpAddr::V4(id.0)));
        }
        BgpAttrItem::ClusterList(list) => {
            let ours: Vec<_> = ours.cluster_list.iter().map(|id| IpAddr::V4(*id)).collect();
            prop_assert_eq!(&list.value, &ours);
        }
        BgpAttrItem::Unknown(raw) => {
            let found = ours
                .unknown
                .iter()
                .any(|u| u.code == raw.params.typecode && *u.value == *raw.value);
            prop_assert!(found, "{:?}", raw);
        }
        BgpAttrItem::MPUpdates(reach) => match (&reach.nexthop, next_hop) {
            (BgpAddr::V6(address), NextHop::V6 { global, .. }) => prop_assert_eq!(*address, global),
            other => prop_assert!(false, "{:?}", other),
        },
        BgpAttrItem::MPWithdraws(_) => {}
        other => prop_assert!(false, "not sent: {:?}", other),
    }
    Ok(())
}

fn check(sample: &Sample) -> Result<(), TestCaseError> {
    let bytes = sample.bytes();
    let mut rest = bytes.as_slice();
    for (size, _) in messages(&bytes, &sample.decode) {
        let ours = updates(&rest[..size], &sample.decode).remove(0);
        let theirs = parse(&rest[19..size]);
        let mut announced = prefixes(&theirs.updates);
        let mut withdrawn = prefixes(&theirs.withdraws);
        for attribute in &theirs.attrs {
            same(&ours.attributes, sample.next_hop, attribute)?;
            match attribute {
                BgpAttrItem::MPUpdates(reach) => announced.extend(prefixes(&reach.addrs)),
                BgpAttrItem::MPWithdraws(unreach) => withdrawn.extend(prefixes(&unreach.addrs)),
                _ => {}
            }
        }
        prop_assert_eq!(announced, our_prefixes(&ours, true));
        prop_assert_eq!(withdrawn, our_prefixes(&ours, false));
        rest = &rest[size..];
    }
    Ok(())
}

fn our_prefixes(routes: &RoutesIn, announced: bool) -> Vec<IpNet> {
    match announced {
        true => routes
            .announced
            .iter()
            .flat_map(|a| a.nlri.iter().map(|n| n.prefix))
            .collect(),
        false => routes
            .withdrawn
            .iter()
            .flat_map(|w| w.nlri.iter().map(|n| n.prefix))
            .collect(),
    }
}

/// Four octets, no path identifiers.
fn plain(mut sample: Sample) -> Sample {
    (sample.encode.four_octet, sample.decode.four_octet) = (true, true);
    sample.encode.add_path = Default::default();
    sample.decode.add_path = Default::default();
    for nlri in sample.announced.iter_mut().chain(&mut sample.withdrawn) {
        nlri.path_id = None;
    }
    sample
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn reads_the_same_routes(sample in sample().prop_map(plain)) {
        let over_ipv6 = matches!((sample.family, sample.next_hop), (Family::Ipv4Unicast, NextHop::V6 { .. }));
        prop_assume!(!over_ipv6);
        check(&sample)?;
    }
}
