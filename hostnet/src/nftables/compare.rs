//! What the kernel has against what is wanted. Pure.
//!
//! The kernel may say more of an object than it was told (handles, counters, what newer versions know of it). So everything that
//! is wanted must be there with the same value, and what is there beside it in a list (chains, rules, expressions) is a
//! difference, but a further attribute is not.

use std::collections::BTreeMap;

use netlink_packet_core::{NLA_TYPE_MASK, Nla};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, ExpressionAttribute, Expressions, Hook, ListAttribute, RuleAttribute,
    RuleMessage, SetMessage, TableAttribute, TableFlags, TableMessage,
};

use super::elements::{Update, set_attributes};
use super::expressions::{COUNTER, counted, expressions};
use super::messages::{base_attributes, comment_data};
use super::model::{Chain, Rule, Ruleset, Set, TABLE};
use super::ranges::Ranges;

/// What the kernel has.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// The table.
    pub(super) table: Option<TableMessage>,
    /// Those of the wanted sets that are there, with what is in them.
    pub(super) sets: Vec<(SetMessage, Ranges)>,
    /// Those of the wanted chains that are there.
    pub(super) chains: Vec<ChainMessage>,
    /// All rules of the table.
    pub(super) rules: Vec<RuleMessage>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Nothing.
    None,
    /// These sets hold other addresses than they should; all else is as wanted.
    Elements(Vec<Update>),
    /// Anything else: the table is to be made anew.
    Structure,
}

/// What has to be done so that the table is as wanted, and has nothing else.
pub(super) fn compare(present: &Present, wanted: &Ruleset) -> Difference {
    let table = present
        .table
        .as_ref()
        .is_some_and(|table| is_table(table, wanted));
    let chains = wanted.chains.iter().all(|chain| {
        let mut present = present.chains.iter();
        present.any(|message| is_chain(message, chain))
    });
    let rules = wanted.chains.iter().all(|chain| {
        let rules: Vec<_> = rules_of(present, chain.name).collect();
        rules.len() == chain.rules.len()
            && rules
                .iter()
                .zip(&chain.rules)
                .all(|(is, wanted)| is_rule(is, wanted))
    });
    let updates = wanted.sets.iter().map(|set| {
        let (_, is) = present.sets.iter().find(|(is, _)| is_set(is, set))?;
        Some(Update::new(set, is))
    });
    match updates.collect::<Option<Vec<_>>>() {
        Some(mut updates) if table && chains && rules => {
            updates.retain(|update| !update.is_empty());
            match updates.is_empty() {
                true => Difference::None,
                false => Difference::Elements(updates),
            }
        }
        _ => Difference::Structure,
    }
}

fn is_set(set: &SetMessage, wanted: &Set) -> bool {
    let wanted = set_attributes(wanted);
    wanted.iter().all(|attribute| set.attributes.contains(attribute))
}

/// In force, with our mark, and with no more in it than chains and sets: maps and the like are counted with them.
fn is_table(table: &TableMessage, wanted: &Ruleset) -> bool {
    let objects = u32::try_from(wanted.chains.len() + wanted.sets.len()).unwrap_or(u32::MAX);
    let has = |wanted: TableAttribute| table.attributes.contains(&wanted);
    has(TableAttribute::Flags(TableFlags::empty()))
        && has(TableAttribute::Use(objects))
        && has(TableAttribute::UserData(comment_data(wanted.comment)))
}

fn is_chain(chain: &ChainMessage, wanted: &Chain) -> bool {
    let hook = chain.attributes.iter().find_map(hook_of);
    let has = |wanted: &ChainAttribute| match hook_of(wanted) {
        Some(wanted) => hook.is_some_and(|hook| wanted.iter().all(|part| hook.contains(part))),
        None => chain.attributes.contains(wanted),
    };
    let named = has(&ChainAttribute::Name(wanted.name.to_owned()));
    let base: Vec<_> = wanted.base.iter().flat_map(base_attributes).collect();
    named && hook.is_some() == wanted.base.is_some() && base.iter().all(has)
}

fn hook_of(attribute: &ChainAttribute) -> Option<&Vec<Hook>> {
    match attribute {
        ChainAttribute::Hook(parts) => Some(parts),
        _ => None,
    }
}

fn is_rule(rule: &RuleMessage, wanted: &Rule) -> bool {
    let comment = RuleAttribute::UserData(comment_data(wanted.comment));
    let is: Vec<_> = expressions_of(rule).map(Plain::new).collect();
    let wanted: Vec<_> = wanted
        .parts
        .iter()
        .flat_map(expressions)
        .map(|e| Plain::new(&e))
        .collect();
    rule.attributes.contains(&comment)
        && is.len() == wanted.len()
        && is.iter().zip(&wanted).all(|(is, wanted)| is.has(wanted))
}

/// Rules of one chain of our table, in order.
fn rules_of<'p>(present: &'p Present, chain: &'p str) -> impl Iterator<Item = &'p RuleMessage> {
    present.rules.iter().filter(move |rule| {
        let is = |a: &RuleAttribute| match a {
            RuleAttribute::Table(name) => name == TABLE,
            RuleAttribute::Chain(name) => name == chain,
            _ => true,
        };
        rule.attributes.iter().all(is)
    })
}

fn expressions_of(rule: &RuleMessage) -> impl Iterator<Item = &Expressions> {
    let lists = rule.attributes.iter().filter_map(|a| match a {
        RuleAttribute::Expressions(list) => Some(list),
        _ => None,
    });
    let elements = lists.flatten().filter_map(|item| match item {
        ListAttribute::Element(attributes) => Some(attributes),
        _ => None,
    });
    elements.filter_map(|attributes| {
        attributes.iter().find_map(|a| match a {
            ExpressionAttribute::Data(data) => Some(data),
            _ => None,
        })
    })
}

/// An expression as its name and the bytes of its attributes.
struct Plain {
    name: String,
    attributes: BTreeMap<u16, Vec<u8>>,
}

impl Plain {
    fn new(expression: &Expressions) -> Plain {
        let (name, attributes) = match expression {
            Expressions::Bitwise(list) => ("bitwise", bytes(list)),
            Expressions::Cmp(list) => ("cmp", bytes(list)),
            Expressions::Immediate(list) => ("immediate", bytes(list)),
            Expressions::Lookup(list) => ("lookup", bytes(list)),
            Expressions::Meta(list) => ("meta", bytes(list)),
            Expressions::Payload(list) => ("payload", bytes(list)),
            // What was counted is no difference.
            Expressions::Other { expression_type, .. } if expression_type == COUNTER => {
                (COUNTER, BTreeMap::new())
            }
            Expressions::Other {
                expression_type,
                attributes,
            } => (expression_type.as_str(), bytes(attributes)),
            _ => ("", BTreeMap::new()),
        };
        Plain {
            name: name.to_owned(),
            attributes,
        }
    }

    fn has(&self, wanted: &Plain) -> bool {
        let equal = |(kind, value): (&u16, &Vec<u8>)| self.attributes.get(kind) == Some(value);
        self.name == wanted.name && wanted.attributes.iter().all(equal)
    }
}

fn bytes<N: Nla>(attributes: &[N]) -> BTreeMap<u16, Vec<u8>> {
    let value = |attribute: &N| {
        let mut value = vec![0; attribute.value_len()];
        attribute.emit_value(&mut value);
        (attribute.kind() & NLA_TYPE_MASK, value)
    };
    attributes.iter().map(value).collect()
}

/// What a rule has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// The rule: `spoofed` for sources that are not the pod's, `router_advertisement`, `redirect` (all these drop), `unspecified`,
    /// `link_local` (let through), `from_pods` for all packets from pods; `nat_v4` and `nat_v6` for connections that got an address
    /// of the node.
    pub rule: &'static str,
    /// Whether the rule drops.
    pub drops: bool,
    /// Packets since the rule was made.
    pub packets: u64,
    /// Their length from the network header on.
    pub bytes: u64,
}

/// The counters of the wanted rules that are there.
pub(super) fn counters(present: &Present, wanted: &Ruleset) -> Vec<Counter> {
    let mut counters = Vec::new();
    for chain in &wanted.chains {
        for rule in &chain.rules {
            let comment = RuleAttribute::UserData(comment_data(rule.comment));
            let is = rules_of(present, chain.name).find(|is| is.attributes.contains(&comment));
            let counter = is.and_then(|is| expressions_of(is).find_map(counted));
            counters.extend(counter.map(|(packets, bytes)| Counter {
                rule: rule.name,
                drops: rule.parts.contains(&super::model::Part::Drop),
                packets,
                bytes,
            }));
        }
    }
    counters
}
