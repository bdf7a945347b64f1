//! The stored form: whatever is done to its octets gives what the same done to values gives.

use super::{attribute, external, internal};
use crate::types::{Asn, RouterId};
use crate::wire::attributes;
use crate::wire::canonical::{self, Canonical, Says};
use crate::wire::codes::{self, EXTENDED_LENGTH};
use crate::wire::context::{DecodeContext, EncodeContext};
use crate::wire::encode::write_attributes;
use crate::wire::plain;
use crate::wire::{
    Aggregator, AsPath, Community, ExtendedCommunity, LargeCommunity, Origin, Partial, PathAttributes,
    RawAttribute, Segment, SegmentKind,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn any_path() -> impl Strategy<Value = AsPath> {
    let asn = || select(vec![1, 64512, 65001, 65002, 4_200_000_000]).prop_map(Asn);
    let length = || prop_oneof![8 => 1..6usize, 1 => 253..256usize];
    let segment = (any::<bool>(), length(), asn(), prop::collection::vec(asn(), 1..3));
    let segment = segment.prop_map(|(set, length, filling, front)| {
        let kind = if set {
            SegmentKind::Set
        } else {
            SegmentKind::Sequence
        };
        let asns = front.into_iter().chain(std::iter::repeat(filling)).take(length);
        Segment {
            kind,
            asns: asns.collect(),
        }
    });
    prop::collection::vec(segment, 0..3).prop_map(|segments| AsPath { segments })
}

fn sorted<T: Ord + Clone + std::fmt::Debug>(
    item: impl Strategy<Value = T>,
    most: usize,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::btree_set(item, 0..most).prop_map(|items| items.into_iter().collect())
}

prop_compose! {
    fn any_lists()(
        communities in prop_oneof![
            4 => subsequence(vec![
                Community(7), Community::GRACEFUL_SHUTDOWN, Community::LLGR_STALE, Community::NO_EXPORT,
                Community::NO_ADVERTISE,
            ], 0..2),
            1 => sorted(any::<u32>().prop_map(Community), 70),
        ],
        extended in sorted((select(vec![0u8, 0x40, 0x43]), any::<[u8; 7]>()).prop_map(|(kind, rest)| {
            let [a, b, c, d, e, f, g] = rest;
            ExtendedCommunity([kind, a, b, c, d, e, f, g])
        }), 4),
        large in sorted(any::<(u32, u32, u32)>().prop_map(|(global, local1, local2)| LargeCommunity {
            global, local1, local2,
        }), 3),
        unknown in prop::collection::btree_map(
            select(vec![11u8, 20, 33, 34, 36, 200]), prop::collection::vec(any::<u8>(), 0..300), 0..3,
        ),
        partial in subsequence(vec![
            codes::AGGREGATOR, codes::COMMUNITIES, codes::EXTENDED_COMMUNITIES, codes::LARGE_COMMUNITIES,
            codes::ONLY_TO_CUSTOMER,
        ], 0..2),
    ) -> PathAttributes {
        let mut bits = Partial::default();
        partial.into_iter().for_each(|code| bits.insert(code));
        PathAttributes {
            communities,
            extended_communities: extended,
            large_communities: large,
            partial: bits,
            unknown: unknown
                .into_iter()
                .map(|(code, value)| RawAttribute { code, value: value.into() })
                .collect(),
            ..PathAttributes::default()
        }
    }
}

prop_compose! {
    /// Attributes as values, of every kind and in every combination, as a peer inside the AS might send them.
    pub(crate) fn any_attributes()(
        lists in any_lists(), as_path in any_path(),
        origin in select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete]),
        med in prop::option::of(0..3u32), local_pref in prop::option::of(99..102u32), atomic_aggregate in any::<bool>(),
        aggregator in prop::option::of(1..70_000u32), originator in prop::option::of(any::<u32>()),
        clusters in prop_oneof![3 => prop::collection::vec(any::<u32>(), 0..3), 1 => prop::collection::vec(any::<u32>(), 62..66)],
        otc in prop::option::of(65_000..65_003u32),
    ) -> PathAttributes {
        let mut values = PathAttributes {
            as_path,
            origin,
            med,
            local_pref,
            atomic_aggregate,
            aggregator: aggregator.map(|asn| Aggregator { asn: Asn(asn), address: [192, 0, 2, 9].into() }),
            originator_id: originator.map(|id| RouterId(id.into())),
            cluster_list: clusters.into_iter().map(Into::into).collect(),
            otc: otc.map(Asn),
            ..lists
        };
        // What is not there has no bit.
        let kept = canonical::read(&written(&values));
        values.partial = kept.partial;
        values
    }
}

/// The stored form.
fn written(values: &PathAttributes) -> Vec<u8> {
    let mut octets = Vec::new();
    canonical::write(values, &mut octets);
    octets
}

/// Attributes of a list as a peer might write it: another order, other flags, repeats, changed octets.
#[derive(Clone, Debug)]
enum Harm {
    Swap(usize, usize),
    Repeat(usize),
    Drop(usize),
    Octet(usize, u8),
    Flags(usize, u8),
    Cut(usize),
    Multi(bool, Vec<u8>),
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let place = || 0..12usize;
    prop_oneof![
        (place(), place()).prop_map(|(a, b)| Harm::Swap(a, b)),
        place().prop_map(Harm::Repeat),
        place().prop_map(Harm::Drop),
        (0..400usize, any::<u8>()).prop_map(|(at, octet)| Harm::Octet(at, octet)),
        (place(), select(vec![0x10u8, 0x20, 0x40, 0x80, 0x01])).prop_map(|(at, bit)| Harm::Flags(at, bit)),
        (0..40usize).prop_map(Harm::Cut),
        (any::<bool>(), multiprotocol()).prop_map(|(reach, value)| Harm::Multi(reach, value)),
    ]
}

/// Values of MP_REACH_NLRI, and of MP_UNREACH_NLRI as well as they fit.
fn multiprotocol() -> impl Strategy<Value = Vec<u8>> {
    let v6 = [
        0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 32, 0x20, 1, 0xd, 0xb8,
    ]
    .to_vec();
    prop_oneof![
        Just(v6.clone()),
        Just(vec![0, 2, 1, 32, 0x20, 1, 0xd, 0xb8]),
        (0..26usize, any::<u8>()).prop_map(move |(at, octet)| {
            let mut value = v6.clone();
            value[at] = octet;
            value
        }),
    ]
}

/// The list of these values with a next hop, after all that was done to it.
fn harmed(values: &PathAttributes, harm: &[Harm]) -> Vec<u8> {
    let mut list = Vec::new();
    write_attributes(&mut list, values, Some([192, 0, 2, 1]), &EncodeContext::default());
    let mut parts: Vec<Vec<u8>> = Canonical(&list).raw().map(|(raw, ..)| raw.to_vec()).collect();
    for harm in harm {
        let count = parts.len().max(1);
        match harm {
            Harm::Swap(a, b) if !parts.is_empty() => parts.swap(a % count, b % count),
            Harm::Repeat(at) if !parts.is_empty() => parts.push(parts[at % count].clone()),
            Harm::Drop(at) if !parts.is_empty() => {
                parts.remove(at % count);
            }
            Harm::Flags(at, bit) if !parts.is_empty() && *bit != EXTENDED_LENGTH => {
                parts[at % count][0] ^= bit
            }
            Harm::Flags(at, _) if !parts.is_empty() => {
                // The same in the long form.
                let part = &mut parts[at % count];
                if part[0] & EXTENDED_LENGTH == 0 && part.len() > 2 {
                    part[0] |= EXTENDED_LENGTH;
                    part.insert(2, 0);
                }
            }
            Harm::Octet(at, octet) => {
                let mut octets = parts.concat();
                if let Some(place) = octets.get_mut(*at) {
                    *place = *octet;
                }
                parts = vec![octets];
            }
            Harm::Cut(by) => {
                let mut octets = parts.concat();
                octets.truncate(octets.len().saturating_sub(*by));
                parts = vec![octets];
            }
            Harm::Multi(reach, value) => {
                let code = if *reach {
                    codes::MP_REACH
                } else {
                    codes::MP_UNREACH
                };
                parts.insert(0, attribute(0x80, code, value));
            }
            _ => {}
        }
        parts.retain(|part| !part.is_empty());
    }
    parts.concat()
}

fn contexts() -> impl Strategy<Value = DecodeContext> {
    let two_octet = DecodeContext {
        four_octet: false,
        ..internal()
    };
    select(vec![internal(), external(), two_octet])
}

proptest! {
    /// The short way is taken only where the long way comes to the same, and that without a fault.
    #[test]
    fn the_short_way_is_the_long_way(
        values in any_attributes(), harm in prop::collection::vec(any_harm(), 0..3), context in contexts(),
    ) {
        let list = harmed(&values, &harm);
        let mut stored = Vec::new();
        if let Some(found) = plain::read(&list, &context, &mut stored) {
            let long = attributes::decode(&list, &context);
            let Ok((values, wanted)) = long else { panic!("it has a fatal fault: {long:?}") };
            prop_assert_eq!(&found, &wanted);
            prop_assert!(found.faults.is_empty() && !found.cut);
            prop_assert_eq!(stored, written(&values));
        }
    }

    /// What we write ourselves takes the short way, if there is nothing in it that we do not know.
    #[test]
    fn what_we_write_is_plain(values in any_attributes()) {
        let values = PathAttributes { unknown: Vec::new(), partial: Partial::default(), ..values };
        let list = harmed(&values, &[]);
        let mut stored = Vec::new();
        prop_assert!(plain::read(&list, &internal(), &mut stored).is_some());
        prop_assert_eq!(stored, written(&values));
    }

    /// What is asked of the octets is answered as by the values.
    #[test]
    fn octets_say_what_values_say(values in any_attributes(), cluster in any::<u32>()) {
        let octets = written(&values);
        let says = Canonical(&octets);
        prop_assert_eq!(&canonical::read(&octets), &values);
        for community in [Community(7), Community::LLGR_STALE, Community::NO_EXPORT, Community(8)] {
            prop_assert_eq!(says.has(community), Says::has(&values, community));
        }
        for asns in [[Asn(1), Asn(64512)], [Asn(65001), Asn(65001)]] {
            prop_assert_eq!(says.count_asns(asns), values.count_asns(asns));
        }
        let clusters = values.cluster_list.iter().copied().chain([cluster.into()]);
        for cluster in clusters {
            prop_assert_eq!(says.has_cluster(cluster), values.has_cluster(cluster));
        }
        prop_assert_eq!(says.first_asn(), values.first_asn());
        prop_assert_eq!(says.originator(), values.originator());
        prop_assert_eq!(says.clusters(), values.clusters());
        prop_assert_eq!(says.otc(), values.otc());
        let weights = says.weights();
        prop_assert_eq!(weights.hops, values.as_path.hops());
        prop_assert_eq!(weights.first_asn, values.as_path.first());
        prop_assert_eq!((weights.local_pref, weights.med), (values.local_pref, values.med));
        prop_assert_eq!(weights.origin, values.origin as u8);
        prop_assert_eq!(weights.stale, Says::has(&values, Community::LLGR_STALE));
        let reflected = values.originator_id.is_some() || !values.cluster_list.is_empty();
        prop_assert_eq!(weights.reflected, reflected);
    }
}
