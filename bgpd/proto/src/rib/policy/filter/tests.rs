//! Rules against the statements that Calico writes for BIRD, and compiled rules against a naive reading of them.

use super::*;
use crate::types::{Asn, PeerKind};
use crate::wire::{AsPath, Community, LargeCommunity, PathAttributes, Segment, SegmentKind};
use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::select;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn facts<'a>(prefix: &'a IpNet, attributes: &'a PathAttributes) -> Facts<'a> {
    Facts {
        prefix,
        attributes,
        learned: true,
        peer_kind: PeerKind::External,
        interface: None,
        priority: None,
    }
}

fn rule(conditions: Conditions, action: Action, operations: Vec<Operation>) -> Rule {
    Rule {
        conditions,
        action,
        operations,
        origin: Origin {
            filter: "edge".into(),
            list: "importV4",
            number: 1,
        },
    }
}

#[test]
fn prefixes_compare_as_bird_compares_them() {
    use Operator::{Equal, In, NotEqual, NotIn};
    let rows = [
        // net ~ 55.4.0.0/16
        ("55.4.0.0/16", In, None, None, "55.4.0.0/16", true),
        ("55.4.0.0/16", In, None, None, "55.4.9.0/24", true),
        ("55.4.0.0/16", In, None, None, "55.4.9.1/32", true),
        ("55.4.0.0/16", In, None, None, "55.0.0.0/8", false),
        ("55.4.0.0/16", In, None, None, "55.5.0.0/16", false),
        // net ~ [ 55.4.0.0/16{16,24} ]
        ("55.4.0.0/16", In, Some(16), Some(24), "55.4.9.0/24", true),
        ("55.4.0.0/16", In, Some(16), Some(24), "55.4.9.0/25", false),
        ("55.4.0.0/16", In, Some(20), None, "55.4.0.0/16", false),
        ("55.4.0.0/16", In, Some(20), None, "55.4.9.1/32", true),
        // A min below the length of the range is that of the range.
        ("55.4.0.0/16", In, Some(8), None, "55.0.0.0/8", false),
        ("55.4.0.0/16", In, Some(8), None, "55.4.0.0/16", true),
        // net !~ [ 55.4.0.0/16{16,24} ]: the bounds are inside the negation.
        ("55.4.0.0/16", NotIn, None, None, "55.4.9.0/24", false),
        ("55.4.0.0/16", NotIn, None, None, "55.5.0.0/24", true),
        ("55.4.0.0/16", NotIn, Some(16), Some(24), "55.4.9.0/25", true),
        ("55.4.0.0/16", NotIn, Some(16), Some(24), "55.4.9.0/24", false),
        ("44.4.0.0/16", Equal, None, None, "44.4.0.0/16", true),
        ("44.4.0.0/16", Equal, None, None, "44.4.0.0/17", false),
        ("44.4.0.0/16", NotEqual, None, None, "44.4.0.0/16", false),
        ("44.4.0.0/16", NotEqual, None, None, "44.4.0.0/17", true),
        ("44.4.0.0/16", NotEqual, None, Some(8), "44.4.0.0/16", true),
        ("0.0.0.0/0", In, None, None, "0.0.0.0/0", true),
        ("0.0.0.0/0", Equal, None, None, "0.0.0.0/0", true),
        ("0.0.0.0/0", Equal, None, None, "10.0.0.0/8", false),
        ("10.0.10.0/32", In, None, None, "10.0.10.0/32", true),
        ("10.0.10.0/32", In, None, None, "10.0.10.1/32", false),
        ("7000:1::/64", In, Some(96), None, "7000:1::/64", false),
        ("7000:1::/64", In, Some(96), None, "7000:1::1/128", true),
        ("::/0", In, None, None, "7000:1::1/128", true),
    ];
    for (range, operator, min, max, prefix, want) in rows {
        let condition = PrefixMatch::new(net(range), operator, min, max);
        assert_eq!(condition.matches(&net(prefix)), want, "{prefix} is {condition}");
    }
}

#[test]
fn names_of_interfaces_match_with_stars() {
    let rows = [
        ("eth0", "eth0", true),
        ("eth0", "eth01", false),
        ("eth0", "eth", false),
        ("*", "eth0", true),
        ("eth*", "eth0", true),
        ("eth*", "eth", true),
        ("eth*", "veth", false),
        ("*.calico", "vxlan.calico", true),
        ("*.calico", "vxlan.calico6", false),
        ("e*h*0", "eth10", true),
        ("e*h*0", "eth1", false),
        ("*a*a", "a", false),
        ("*a*a", "aa", true),
        ("ab*ba", "aba", false),
        ("", "eth0", false),
        ("**", "", true),
    ];
    for (pattern, name, want) in rows {
        assert_eq!(Pattern::new(pattern).matches(name), want, "{pattern} {name}");
    }
}

fn rich() -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence([Asn(65000), Asn(65001), Asn(65002)]),
        communities: vec![Community(65000 << 16 | 100)],
        large_communities: vec![LargeCommunity {
            global: 65000,
            local1: 10,
            local2: 20,
        }],
        ..PathAttributes::default()
    }
}

#[test]
fn each_condition_asks_one_thing_and_says_what_it_missed() {
    let standard = |value| vec![AnyCommunity::Standard(Community(value))];
    let large = |local2| {
        vec![AnyCommunity::Large(LargeCommunity {
            global: 65000,
            local1: 10,
            local2,
        })]
    };
    let any = Conditions::default;
    let path = |asns: &[u32]| asns.iter().copied().map(Asn).collect::<Vec<_>>();
    let inside = PrefixMatch::new(net("10.0.0.0/8"), Operator::In, None, Some(24));
    let rows: Vec<(Conditions, Option<&str>)> = vec![
        (any(), None),
        (
            Conditions {
                prefix: Some(inside),
                ..any()
            },
            None,
        ),
        (
            Conditions {
                prefix: Some(PrefixMatch::new(net("10.0.0.0/8"), Operator::NotIn, None, None)),
                ..any()
            },
            Some("10.1.0.0/16 is not outside 10.0.0.0/8"),
        ),
        (
            Conditions {
                learned: true,
                ..any()
            },
            None,
        ),
        (
            Conditions {
                peer_kind: Some(PeerKind::External),
                ..any()
            },
            None,
        ),
        (
            Conditions {
                peer_kind: Some(PeerKind::Internal),
                ..any()
            },
            Some("the peer is not iBGP"),
        ),
        (
            Conditions {
                communities: standard(65000 << 16 | 100),
                ..any()
            },
            None,
        ),
        (
            Conditions {
                communities: standard(65000 << 16 | 101),
                ..any()
            },
            Some("it does not carry the community 65000:101"),
        ),
        (
            Conditions {
                communities: large(20),
                ..any()
            },
            None,
        ),
        (
            Conditions {
                communities: large(21),
                ..any()
            },
            Some("it does not carry the community 65000:10:21"),
        ),
        (
            Conditions {
                as_path_prefix: path(&[65000]),
                ..any()
            },
            None,
        ),
        (
            Conditions {
                as_path_prefix: path(&[65000, 65001, 65002]),
                ..any()
            },
            None,
        ),
        (
            Conditions {
                as_path_prefix: path(&[65001]),
                ..any()
            },
            Some("its AS path [65000 65001 65002] does not begin with 65001"),
        ),
        (
            Conditions {
                as_path_prefix: path(&[65000, 65001, 65002, 65003]),
                ..any()
            },
            Some("its AS path [65000 65001 65002] does not begin with 65000 65001 65002 65003"),
        ),
        (
            Conditions {
                interface: Some(Pattern::new("eth*")),
                ..any()
            },
            Some("it leaves by no interface, so not by eth*"),
        ),
        (
            Conditions {
                priority: Some(512),
                ..any()
            },
            Some("it has no priority, so not 512"),
        ),
    ];
    let (prefix, attributes) = (net("10.1.0.0/16"), rich());
    let facts = facts(&prefix, &attributes);
    for (conditions, want) in rows {
        let mismatch = conditions.mismatch(&facts).map(|mismatch| mismatch.to_string());
        assert_eq!(mismatch.as_deref(), want, "{conditions:?}");
        assert_eq!(conditions.hold(&facts), want.is_none(), "{conditions:?}");
    }
    let named = Facts {
        interface: Some("eth0"),
        priority: Some(512),
        learned: false,
        ..facts
    };
    let conditions = Conditions {
        interface: Some(Pattern::new("eth*")),
        priority: Some(512),
        ..any()
    };
    assert!(conditions.hold(&named));
    let learned = Conditions {
        learned: true,
        ..any()
    };
    assert_eq!(
        learned.mismatch(&named).unwrap().to_string(),
        "it is not learned from a peer"
    );
}

#[test]
fn a_set_is_no_part_of_the_beginning() {
    let set = |kind| Segment {
        kind,
        asns: vec![Asn(65000)],
    };
    let conditions = Conditions {
        as_path_prefix: vec![Asn(65000), Asn(65000)],
        ..Conditions::default()
    };
    let prefix = net("10.1.0.0/16");
    for (second, want) in [(SegmentKind::Sequence, true), (SegmentKind::Set, false)] {
        let attributes = PathAttributes {
            as_path: AsPath {
                segments: vec![set(SegmentKind::Sequence), set(second)],
            },
            ..PathAttributes::default()
        };
        assert_eq!(conditions.hold(&facts(&prefix, &attributes)), want);
    }
}

#[test]
fn the_first_match_decides_and_the_trace_says_why() {
    let prefix_is = |range| Conditions {
        prefix: Some(PrefixMatch::new(net(range), Operator::In, None, None)),
        ..Conditions::default()
    };
    let filters = Filters::new(
        vec![
            rule(prefix_is("192.0.2.0/24"), Action::Accept, Vec::new()),
            rule(prefix_is("10.0.0.0/8"), Action::Reject, Vec::new()),
            rule(
                Conditions::default(),
                Action::Accept,
                vec![Operation::SetPriority(7)],
            ),
        ],
        Vec::new(),
    );
    let attributes = rich();
    let place = |prefix: &str| {
        let prefix = net(prefix);
        let facts = facts(&prefix, &attributes);
        let found = filters
            .first_match(&facts)
            .map(|(id, rule)| (id.0.get(), rule.action));
        let trace = filters.trace(&facts);
        assert_eq!(trace.len(), found.map_or(0, |(id, _)| usize::from(id)));
        (found, trace.last().map(ToString::to_string))
    };
    let (found, last) = place("10.1.0.0/16");
    assert_eq!(found, Some((2, Action::Reject)));
    assert_eq!(last.unwrap(), "BGPFilter edge, importV4 rule 1: matches, reject");
    let (found, last) = place("172.16.0.0/16");
    assert_eq!(found, Some((3, Action::Accept)));
    assert_eq!(
        last.unwrap(),
        "BGPFilter edge, importV4 rule 1: matches, accept, sets the priority to 7"
    );
    assert_eq!(place("2001:db8::/32"), (None, None), "IPv6 has rules of its own");
    let third = RuleId(std::num::NonZeroU16::new(3).unwrap());
    assert_eq!(
        filters.rule(Family::Ipv4Unicast, third).unwrap().priority(),
        Some(7)
    );
}

#[test]
fn operations_go_in_order() {
    let mut attributes = rich();
    let add = |value| Operation::AddCommunity(AnyCommunity::Standard(Community(value)));
    let large = Operation::AddCommunity(AnyCommunity::Large(LargeCommunity {
        global: 1,
        local1: 2,
        local2: 3,
    }));
    let operations = [
        add(9),
        add(65000 << 16 | 100),
        large.clone(),
        large,
        Operation::PrependAsPath(vec![Asn(65000), Asn(65001)]),
        Operation::SetPriority(512),
    ];
    apply(&operations, &mut attributes);
    assert_eq!(
        attributes.communities,
        [Community(9), Community(65000 << 16 | 100)]
    );
    assert_eq!(attributes.large_communities.len(), 2);
    assert_eq!(attributes.as_path.to_string(), "65000 65001 65000 65001 65002");
}

/// The conditions read one by one, with the bits of the prefix compared as numbers.
fn naive(
    conditions: &Conditions,
    range: Option<(IpNet, Operator, Option<u8>, Option<u8>)>,
    facts: &Facts<'_>,
) -> bool {
    let bits = |net: &IpNet| match net {
        IpNet::V4(net) => u128::from(net.network().to_bits()) << 96,
        IpNet::V6(net) => net.network().to_bits(),
    };
    let prefix = range.is_none_or(|(range, operator, min, max)| {
        let (length, own) = (range.prefix_len(), facts.prefix.prefix_len());
        let width = range.max_prefix_len();
        let least = min.unwrap_or(length).max(length);
        let most = max.unwrap_or(width);
        let bounded = min.is_none() && max.is_none() || (own >= least && own <= most);
        let covers = (0..length).all(|bit| {
            let bit = 127 - u32::from(bit);
            bits(&range) >> bit & 1 == bits(facts.prefix) >> bit & 1
        });
        match operator {
            Operator::Equal => covers && own == length && bounded,
            Operator::NotEqual => !(covers && own == length && bounded),
            Operator::In => covers && own >= length && bounded,
            Operator::NotIn => !(covers && own >= length && bounded),
        }
    });
    let path: Vec<Asn> = facts.attributes.as_path.asns().collect();
    prefix
        && (facts.learned || !conditions.learned)
        && conditions.communities.iter().all(|c| c.is_in(facts.attributes))
        && path.starts_with(&conditions.as_path_prefix)
}

fn any_net() -> impl Strategy<Value = IpNet> {
    (any::<u32>(), 0..=32u8, any::<bool>()).prop_map(|(bits, length, near)| {
        let bits = if near {
            bits & 0x00ff_ffff | 0x0a00_0000
        } else {
            bits
        };
        IpNet::new(std::net::Ipv4Addr::from_bits(bits).into(), length)
            .unwrap()
            .trunc()
    })
}

proptest! {
    #[test]
    fn rules_hold_when_a_naive_reading_says_so(
        range in prop::option::of((
            any_net(),
            select(vec![Operator::Equal, Operator::NotEqual, Operator::In, Operator::NotIn]),
            prop::option::of(0..=32u8),
            prop::option::of(0..=32u8),
        )),
        prefix in any_net(),
        learned in any::<bool>(),
        wants_learned in any::<bool>(),
        path in prop::collection::vec(1..4u32, 0..4),
        begins in prop::collection::vec(1..4u32, 0..3),
        same in any::<bool>(),
    ) {
        // Where chance would never make them equal.
        let prefix = if same { range.map_or(prefix, |range| range.0) } else { prefix };
        let attributes = PathAttributes {
            as_path: AsPath::sequence(path.into_iter().map(Asn)),
            ..PathAttributes::default()
        };
        let conditions = Conditions {
            prefix: range.map(|(range, operator, min, max)| PrefixMatch::new(range, operator, min, max)),
            learned: wants_learned,
            as_path_prefix: begins.into_iter().map(Asn).collect(),
            ..Conditions::default()
        };
        let facts = Facts { learned, ..facts(&prefix, &attributes) };
        let want = naive(&conditions, range, &facts);
        prop_assert_eq!(conditions.hold(&facts), want);
        prop_assert_eq!(conditions.mismatch(&facts).is_none(), want);
    }

    #[test]
    fn operations_keep_lists_sorted_and_segments_short(
        first in 250..=255usize,
        more in prop::collection::vec(1..9u32, 0..12),
        values in prop::collection::vec(0..6u32, 0..12),
    ) {
        let mut attributes = PathAttributes {
            as_path: AsPath::sequence((0..first).map(|_| Asn(7))),
            ..PathAttributes::default()
        };
        let wanted: Vec<Asn> =
            more.iter().copied().map(Asn).chain(attributes.as_path.asns()).collect();
        let mut operations = vec![Operation::PrependAsPath(more.into_iter().map(Asn).collect())];
        operations.extend(
            values.into_iter().map(|v| Operation::AddCommunity(AnyCommunity::Standard(Community(v)))),
        );
        apply(&operations, &mut attributes);
        prop_assert!(attributes.communities.is_sorted_by(|a, b| a < b));
        prop_assert!(attributes.as_path.segments.iter().all(|segment| segment.asns.len() <= 255));
        prop_assert_eq!(attributes.as_path.asns().collect::<Vec<_>>(), wanted);
    }
}
