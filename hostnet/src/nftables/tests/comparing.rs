//! What is equal and what differs, without a kernel.

use netlink_packet_netfilter::nftables::{NfTablesMessage, TableAttribute, TableFlags};
use proptest::prelude::*;

use super::super::compare::{Difference, Present, compare};
use super::super::{Base, Chain, Family, Hook, Part, Purpose, Rule, Ruleset, messages};
use super::ruleset;

/// What the kernel would have after it took the messages for this.
fn made(ruleset: &Ruleset) -> Present {
    let mut present = Present::default();
    for change in messages::replace(ruleset) {
        match change.message {
            NfTablesMessage::NewTable(table) => present.table = Some(table),
            NfTablesMessage::NewChain(chain) => present.chains.push(chain),
            NfTablesMessage::NewRule(rule) => present.rules.push(rule),
            _ => {}
        }
    }
    let table = present.table.as_mut().expect("a table");
    let chains = u32::try_from(ruleset.chains.len()).expect("few");
    table.attributes.extend([
        TableAttribute::Flags(TableFlags::empty()),
        TableAttribute::Use(chains),
        // What is said beyond what was wanted is no difference.
        TableAttribute::Handle(7),
    ]);
    present
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let range = |text: &str| text.parse().expect("a range");
    let all = vec![
        Part::FromInterface("rb"),
        Part::NotFromInterface("rb"),
        Part::FromInterface("rb-"),
        Part::FromKind("veth"),
        Part::Of(Family::V4),
        Part::Of(Family::V6),
        Part::NotToInterface("rb-"),
        Part::SourceIn(Family::V4, "one"),
        Part::SourceIn(Family::V4, "two"),
        Part::DestinationNotIn(Family::V4, "one"),
        Part::DestinationNotIn(Family::V6, "one"),
        Part::ToAnotherHost,
        Part::Masquerade,
        Part::SourceTo([192, 0, 2, 1].into()),
        Part::SourceTo([192, 0, 2, 2].into()),
        Part::Source6(range("fe80::/10")),
        Part::Source6(range("fe80::/9")),
        Part::Source6(range("fe80::1/128")),
        Part::Icmpv6,
        Part::Icmpv6Type(134),
        Part::NoWayBack,
        Part::Count,
        Part::Jump("one"),
        Part::Jump("two"),
        Part::Accept,
        Part::Drop,
    ];
    prop::collection::vec(prop::sample::select(all), 0..4)
}

fn rulesets() -> impl Strategy<Value = Ruleset> {
    let rule = (prop::sample::select(vec!["a", "b"]), parts()).prop_map(|(comment, parts)| Rule {
        name: comment,
        comment,
        parts,
    });
    let base = prop::sample::select(vec![None, Some(-300), Some(-150)]);
    let chain = (base, prop::collection::vec(rule, 0..3));
    prop::collection::vec(chain, 0..3).prop_map(|chains| {
        let chains = chains.into_iter().zip(["one", "two", "three"]);
        let chain = |((priority, rules), name): ((Option<i32>, _), _)| Chain {
            name,
            purpose: Purpose::Guard,
            base: priority.map(|priority| Base {
                kind: "filter",
                hook: Hook::Prerouting,
                priority,
            }),
            rules,
        };
        Ruleset {
            comment: "test",
            sets: Vec::new(),
            chains: chains.map(chain).collect(),
        }
    })
}

fn is_as_wanted(present: &Present, wanted: &Ruleset) -> bool {
    compare(present, wanted) == Difference::None
}

/// Two rulesets of which one often is the other but for one rule.
fn pairs() -> impl Strategy<Value = (Ruleset, Ruleset)> {
    let near = (rulesets(), any::<prop::sample::Index>(), parts()).prop_map(|(one, index, parts)| {
        let mut other = one.clone();
        let mut rules: Vec<_> = other
            .chains
            .iter_mut()
            .flat_map(|chain| &mut chain.rules)
            .collect();
        if !rules.is_empty() {
            let at = index.index(rules.len());
            rules[at].parts = parts;
        }
        (one, other)
    });
    prop_oneof![near, (rulesets(), rulesets())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn equal_means_equal((one, other) in pairs()) {
        prop_assert!(is_as_wanted(&made(&one), &one));
        prop_assert_eq!(is_as_wanted(&made(&one), &other), one == other);
    }
}

#[test]
fn nothing_there_is_a_difference() {
    assert!(is_as_wanted(&made(&ruleset()), &ruleset()));
    assert!(!is_as_wanted(&Present::default(), &ruleset()));
}
