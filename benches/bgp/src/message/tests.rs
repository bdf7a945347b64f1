//! A third party's decoder reads what we write.

use std::net::IpAddr;

use zettabgp::prelude::*;

use super::*;
use crate::table::Feed;

fn parameters() -> BgpSessionParams {
    let families = vec![BgpCapability::SafiIPv4u, BgpCapability::CapASN32(64_512)];
    let own = std::net::Ipv4Addr::new(1, 2, 3, 4);
    let mut parameters = BgpSessionParams::new(64_512, 90, BgpTransportMode::IPv4, own, families);
    // It guesses from the prefixes whether there are path identifiers, and may guess wrong.
    parameters.fuzzy_pathid = false;
    parameters
}

/// The bodies of all messages with their types.
fn bodies(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        assert!(bytes[..16].iter().all(|byte| *byte == 0xff));
        let length = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        assert!((HEADER..=LARGEST).contains(&length));
        all.push((bytes[18], &bytes[HEADER..length]));
        bytes = &bytes[length..];
    }
    all
}

#[test]
fn an_open_says_who_we_are() {
    for (asn, short) in [(65_001, 65_001), (200_000, 23_456)] {
        let bytes = open(asn, 0xc612_0102);
        let [(OPEN, body)] = bodies(&bytes)[..] else {
            panic!("one OPEN");
        };
        let mut message = BgpOpenMessage::new();
        message.decode_from(&parameters(), body).unwrap();
        assert_eq!((message.as_num, message.hold_time), (short, HOLD));
        assert_eq!(message.router_id.to_string(), "198.18.1.2");
        assert!(
            message.caps.contains(&BgpCapability::CapASN32(asn)),
            "{:?}",
            message.caps
        );
        assert!(message.caps.contains(&BgpCapability::SafiIPv4u));
        assert_eq!(message.caps.len(), 2);
    }
    assert_eq!(bodies(&keepalive()), [(KEEPALIVE, &[][..])]);
}

/// What zettabgp understands of an UPDATE, as a value of ours.
fn understood(message: &BgpUpdateMessage) -> Attributes {
    let address = |address: &IpAddr| match address {
        IpAddr::V4(v4) => u32::from(*v4),
        IpAddr::V6(_) => panic!("IPv4 only"),
    };
    let mut out = Attributes::default();
    for attribute in &message.attrs {
        match attribute {
            BgpAttrItem::Origin(BgpOrigin { value }) => {
                out.origin = match value {
                    BgpAttrOrigin::Igp => 0,
                    BgpAttrOrigin::Egp => 1,
                    BgpAttrOrigin::Incomplete => 2,
                }
            }
            BgpAttrItem::ASPath(path) => {
                for item in &path.value {
                    match item {
                        BgpASitem::Seq(seq) => out.path.extend(seq.value.iter().map(|asn| asn.value)),
                        BgpASitem::Set(_) => panic!("no sets are sent"),
                    }
                }
            }
            BgpAttrItem::NextHop(hop) => out.next_hop = address(&hop.value),
            BgpAttrItem::MED(med) => out.med = Some(med.value),
            BgpAttrItem::LocalPref(preference) => out.local_pref = Some(preference.value),
            BgpAttrItem::AtomicAggregate(_) => out.atomic = true,
            BgpAttrItem::AggregatorAS(aggregator) => {
                out.aggregator = Some((aggregator.asn, aggregator.addr.into()));
            }
            BgpAttrItem::CommunityList(list) => {
                out.communities
                    .extend(list.value.iter().map(|community| community.value));
            }
            BgpAttrItem::OriginatorID(id) => out.originator = Some(address(&id.value)),
            BgpAttrItem::ClusterList(list) => out.cluster_list.extend(list.value.iter().map(address)),
            BgpAttrItem::LargeCommunityList(list) => {
                out.large
                    .extend(list.value.iter().map(|c| [c.ga, c.ldp1, c.ldp2]));
            }
            other => panic!("not sent: {other:?}"),
        }
    }
    // Its lists are ordered sets.
    out.communities.sort_unstable();
    out.large.sort_unstable();
    out
}

#[test]
fn every_route_of_a_feed_is_read_by_a_third_party_as_it_was_meant() {
    let feed = Feed::new(5, 5_000);
    let mut count = 0;
    for (set, prefixes) in feed.routes() {
        let mut meant = Attributes {
            next_hop: 0xc612_0102,
            local_pref: Some(100),
            originator: Some(0xc612_0102),
            cluster_list: vec![1, 2],
            ..set.clone()
        };
        let mut bytes = Vec::new();
        announce(&meant, prefixes, &mut bytes);
        meant.communities.sort_unstable();
        meant.communities.dedup();
        meant.large.sort_unstable();
        meant.large.dedup();
        let mut announced = Vec::new();
        for (kind, body) in bodies(&bytes) {
            assert_eq!(kind, UPDATE);
            let mut message = BgpUpdateMessage::new();
            message.decode_from(&parameters(), body).unwrap();
            assert_eq!(understood(&message), meant);
            let BgpAddrs::IPV4U(prefixes) = message.updates else {
                panic!("IPv4 unicast");
            };
            announced.extend(
                prefixes
                    .iter()
                    .map(|p| Prefix::around(p.addr.into(), p.prefixlen)),
            );
        }
        assert_eq!(announced, prefixes);
        count += announced.len();
    }
    assert_eq!(count, 5_000);
}

#[test]
fn an_end_of_rib_is_an_update_with_nothing_in_it() {
    let mut bytes = Vec::new();
    end_of_rib(&mut bytes);
    let [(UPDATE, body)] = bodies(&bytes)[..] else {
        panic!("one UPDATE");
    };
    let mut message = BgpUpdateMessage::new();
    message.decode_from(&parameters(), body).unwrap();
    assert!(message.attrs.is_empty());
    for addresses in [message.updates, message.withdraws] {
        assert!(matches!(addresses, BgpAddrs::None) || addresses.is_empty());
    }
}

#[test]
fn a_large_set_goes_out_in_full_messages() {
    let prefixes: Vec<Prefix> = (0..3000)
        .map(|n| Prefix::around(0x0100_0000 + (n << 8), 24))
        .collect();
    let mut bytes = Vec::new();
    announce(
        &Attributes {
            path: vec![1; 300],
            ..Attributes::default()
        },
        &prefixes,
        &mut bytes,
    );
    let bodies = bodies(&bytes);
    assert!(
        bodies[..bodies.len() - 1]
            .iter()
            .all(|(_, body)| body.len() + HEADER > LARGEST - 5)
    );
}
