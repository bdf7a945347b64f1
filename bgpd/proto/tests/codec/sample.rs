//! Generated routes, attributes and OPENs, all of them well-formed.

use std::net::{Ipv4Addr, Ipv6Addr};

use bgpd_proto::types::{Asn, Family, PeerKind, PerFamily, RouterId};
use bgpd_proto::wire::{
    AddPathMode, Aggregator, AsPath, Capability, Community, DecodeContext, EncodeContext, ExtendedCommunity,
    GracefulFamily, LargeCommunity, LongLivedFamily, Message, NextHop, Nlri, Open, Origin, PathAttributes,
    RawAttribute, Role, RoutesIn, Segment, SegmentKind, decode, encode_announcements, encode_withdrawals,
};
use ipnet::IpNet;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

/// One group of routes, what is withdrawn beside it, and the session that it is sent over.
#[derive(Clone, Debug)]
pub struct Sample {
    pub family: Family,
    pub next_hop: NextHop,
    pub attributes: PathAttributes,
    pub announced: Vec<Nlri>,
    pub withdrawn: Vec<Nlri>,
    pub encode: EncodeContext,
    pub decode: DecodeContext,
}

impl Sample {
    /// The routes as UPDATEs, announcements first.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let (context, attributes) = (&self.encode, &self.attributes);
        encode_announcements(
            &mut out,
            context,
            attributes,
            self.family,
            self.next_hop,
            self.announced.clone(),
        )
        .expect("sample attributes are small");
        encode_withdrawals(&mut out, context, self.family, self.withdrawn.clone());
        out
    }
}

/// Every message in the bytes with its size; panics at what is not well-formed.
pub fn messages(mut bytes: &[u8], context: &DecodeContext) -> Vec<(usize, Message)> {
    let mut found = Vec::new();
    while let Some((message, size)) = decode(bytes, context).expect("well-formed") {
        found.push((size, message));
        bytes = &bytes[size..];
    }
    assert!(bytes.is_empty(), "rest of {} octets", bytes.len());
    found
}

/// Every UPDATE in the bytes, its faults carried out.
pub fn updates(bytes: &[u8], context: &DecodeContext) -> Vec<RoutesIn> {
    let routes = |(_, message)| match message {
        Message::Update(update) => update.into_routes(),
        other => panic!("not an UPDATE: {other:?}"),
    };
    messages(bytes, context).into_iter().map(routes).collect()
}

/// A sample over any session.
pub fn sample() -> impl Strategy<Value = Sample> {
    let session = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop_oneof![Just(4096_usize), Just(65535)],
    );
    (session, any::<bool>(), any::<bool>()).prop_flat_map(
        |((four_octet, inside, add_path, maximum), v6, extended)| {
            let family = if v6 {
                Family::Ipv6Unicast
            } else {
                Family::Ipv4Unicast
            };
            let peer_kind = if inside {
                PeerKind::Internal
            } else {
                PeerKind::External
            };
            let add_path = PerFamily {
                ipv4: add_path,
                ipv6: add_path,
            };
            let encode = EncodeContext {
                four_octet,
                add_path,
                max_message_len: maximum,
            };
            let decode = DecodeContext {
                four_octet,
                peer_kind,
                add_path,
                extended_next_hop: true,
                max_message_len: maximum,
            };
            let next_hop = if v6 || extended {
                next_hop_v6().boxed()
            } else {
                next_hop_v4().boxed()
            };
            let routes = || {
                let nlri = || nlri(family, add_path.ipv4);
                // Some do not fit into one message.
                prop_oneof![15 => vec(nlri(), 0..20), 1 => vec(nlri(), 500..1200)]
            };
            (next_hop, attributes(inside), routes(), routes()).prop_map(
                move |(next_hop, attributes, announced, withdrawn)| Sample {
                    family,
                    next_hop,
                    attributes,
                    announced,
                    withdrawn,
                    encode,
                    decode,
                },
            )
        },
    )
}

fn host_v4() -> impl Strategy<Value = Ipv4Addr> {
    (1_u8..=223, any::<[u8; 3]>())
        .prop_filter("loopback", |(first, _)| *first != 127)
        .prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d))
}

fn host_v6() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(|mut octets| {
        octets[0] = 0x20 | (octets[0] & 0x0F);
        Ipv6Addr::from(octets)
    })
}

fn next_hop_v4() -> impl Strategy<Value = NextHop> {
    host_v4().prop_map(NextHop::V4)
}

fn next_hop_v6() -> impl Strategy<Value = NextHop> {
    let local = any::<u64>().prop_map(|id| Ipv6Addr::from((0xFE80_u128 << 112) | u128::from(id)));
    (host_v6(), option::of(local)).prop_map(|(global, link_local)| NextHop::V6 { global, link_local })
}

fn nlri(family: Family, with_path_id: bool) -> BoxedStrategy<Nlri> {
    let prefix = match family {
        Family::Ipv4Unicast => (host_v4(), 0_u8..=32)
            .prop_map(|(a, n)| IpNet::new(a.into(), n))
            .boxed(),
        Family::Ipv6Unicast => (host_v6(), 0_u8..=128)
            .prop_map(|(a, n)| IpNet::new(a.into(), n))
            .boxed(),
    };
    (prefix, any::<u32>())
        .prop_map(move |(prefix, id)| {
            let prefix = prefix.expect("the length fits").trunc();
            Nlri {
                prefix,
                path_id: with_path_id.then_some(id),
            }
        })
        .boxed()
}

/// Well-formed numbers: anything but zero, and AS_TRANS only where it is meant.
fn asn() -> impl Strategy<Value = Asn> {
    prop_oneof![1_u32..=23455, 23457_u32..=65535, 65536_u32..=u32::MAX].prop_map(Asn)
}

fn as_path() -> impl Strategy<Value = AsPath> {
    let kind = prop_oneof![4 => Just(SegmentKind::Sequence), 1 => Just(SegmentKind::Set)];
    let segment = (kind, vec(asn(), 1..20)).prop_map(|(kind, asns)| Segment { kind, asns });
    vec(segment, 0..4).prop_map(|segments| AsPath { segments })
}

fn raw_attribute() -> impl Strategy<Value = RawAttribute> {
    // Codes that nobody has assigned.
    (200_u8..=240, vec(any::<u8>(), 0..300)).prop_map(|(code, value)| RawAttribute {
        code,
        value: value.into(),
    })
}

/// Route targets, and types that are nobody's.
fn extended_community() -> impl Strategy<Value = ExtendedCommunity> {
    (any::<[u8; 6]>(), any::<bool>()).prop_map(|([a, b, c, d, e, f], target)| match target {
        true => ExtendedCommunity([0, 2, a, b, c, d, e, f]),
        false => ExtendedCommunity([0x30, 0x77, a, b, c, d, e, f]),
    })
}

/// Attributes that a peer of this kind may send. Sets are sorted as the decoder sorts them.
pub fn attributes(inside: bool) -> impl Strategy<Value = PathAttributes> {
    let origin = prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)];
    let aggregator = (asn(), host_v4()).prop_map(|(asn, address)| Aggregator { asn, address });
    let large = any::<[u32; 3]>().prop_map(|[global, local1, local2]| LargeCommunity {
        global,
        local1,
        local2,
    });
    let basic = (
        origin,
        as_path(),
        option::of(any::<u32>()),
        any::<u32>(),
        any::<bool>(),
        option::of(aggregator),
    );
    let reflection = (option::of(host_v4()), vec(host_v4(), 0..5));
    let communities = (
        btree_set(any::<u32>(), 0..80),
        btree_set(extended_community(), 0..5),
        btree_set(large, 0..5),
    );
    let unknown = vec(raw_attribute(), 0..3);
    (basic, reflection, communities, unknown).prop_map(
        move |(basic, reflection, communities, mut unknown)| {
            let (origin, as_path, med, local_pref, atomic_aggregate, aggregator) = basic;
            unknown.sort();
            unknown.dedup_by_key(|raw| raw.code);
            PathAttributes {
                origin,
                as_path,
                med,
                local_pref: inside.then_some(local_pref),
                atomic_aggregate,
                aggregator,
                communities: communities.0.into_iter().map(Community).collect(),
                originator_id: reflection.0.filter(|_| inside).map(RouterId),
                cluster_list: if inside { reflection.1 } else { Vec::new() },
                extended_communities: communities.1.into_iter().collect(),
                large_communities: communities.2.into_iter().collect(),
                unknown,
                ..PathAttributes::default()
            }
        },
    )
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4Unicast), Just(Family::Ipv6Unicast)]
}

fn capability() -> impl Strategy<Value = Capability> {
    let mode = prop_oneof![
        Just(AddPathMode::Receive),
        Just(AddPathMode::Send),
        Just(AddPathMode::Both)
    ];
    let graceful = (family(), any::<bool>()).prop_map(|(family, forwarding_kept)| GracefulFamily {
        family,
        forwarding_kept,
    });
    prop_oneof![
        family().prop_map(Capability::MultiProtocol),
        Just(Capability::OtherFamily { afi: 25, safi: 70 }),
        Just(Capability::RouteRefresh),
        Just(Capability::EnhancedRouteRefresh),
        Just(Capability::ExtendedMessage),
        Just(Capability::ExtendedNextHop(vec![(Family::Ipv4Unicast, 2)])),
        asn().prop_map(Capability::FourOctetAs),
        (family(), mode).prop_map(|one| Capability::AddPath(vec![one])),
        (any::<bool>(), any::<bool>(), 0_u16..4096, vec(graceful, 0..3)).prop_map(
            |(restarting, notification, time, families)| Capability::GracefulRestart {
                restarting,
                notification,
                time,
                families
            }
        ),
        (0_u8..5).prop_map(|code| Capability::Role(Role::from_code(code).expect("one of five"))),
        vec((family(), any::<bool>(), 0_u32..1 << 24), 0..3).prop_map(|list| {
            let entry = |(family, forwarding_kept, time)| LongLivedFamily {
                family,
                forwarding_kept,
                time,
            };
            Capability::LongLived(list.into_iter().map(entry).collect())
        }),
        vec(any::<u8>(), 0..60).prop_map(|value| Capability::Unknown { code: 200, value }),
    ]
}

/// An OPEN; with many capabilities it takes the extended form.
pub fn open() -> impl Strategy<Value = Open> {
    (any::<u16>(), any::<u16>(), host_v4(), vec(capability(), 0..20)).prop_map(
        |(asn, hold_time, address, mut capabilities)| {
            let mut seen = Vec::new();
            capabilities.retain(|c| {
                !seen.contains(c) && {
                    seen.push(c.clone());
                    true
                }
            });
            Open {
                asn,
                hold_time,
                router_id: RouterId(address),
                capabilities,
            }
        },
    )
}
