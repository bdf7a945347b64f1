//! What the kernel has against what is wanted. Pure.
//!
//! The kernel may say more of an object than it was told (handles, counters, what newer versions know of it). So everything that
//! is wanted must be there with the same value, and what is there beside it in a list (chains, rules, expressions) is a
//! difference, but a further attribute is not.

use std::collections::BTreeMap;

use netlink_packet_core::{NLA_TYPE_MASK, Nla};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, ExpressionAttribute, Expressions, Hook, ListAttribute, RuleAttribute,
    RuleMessage, SetAttribute, SetMessage, TableAttribute, TableFlags, TableMessage,
};

use super::attributes::{base_attributes, comment_data};
use super::elements::{Update, set_attributes};
use super::expressions::{COUNTER, counted, expressions};
use super::model::{Chain, Part, Rule, Ruleset, Set, TABLE};
use super::ranges::Ranges;

/// What the kernel has.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// The table.
    pub(super) table: Option<TableMessage>,
    /// All sets of the table, the wanted ones with what is in them.
    pub(super) sets: Vec<(SetMessage, Option<Ranges>)>,
    /// All chains of the table.
    pub(super) chains: Vec<ChainMessage>,
    /// All rules of the table.
    pub(super) rules: Vec<RuleMessage>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference<'w> {
    /// Nothing.
    None,
    /// These parts of the table differ.
    Parts(Parts<'w>),
    /// The table as such: it is to be made anew.
    Table,
}

/// Parts of the table that are not as wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts<'w> {
    /// Chains whose rules are to go.
    pub(super) empty: Vec<String>,
    /// Chains that are to go.
    pub(super) delete_chains: Vec<String>,
    /// Sets that are to go.
    pub(super) delete_sets: Vec<String>,
    /// Sets that are to be made.
    pub(super) new_sets: Vec<&'w Set>,
    /// Sets that hold other addresses than they should.
    pub(super) updates: Vec<Update>,
    /// Chains that are to be made, without their rules.
    pub(super) new_chains: Vec<&'w Chain>,
    /// Chains that are to get their rules.
    pub(super) fill: Vec<&'w Chain>,
}

impl Parts<'_> {
    /// Without what would remove anything that is not wanted.
    pub(super) fn without_removals(mut self) -> Self {
        self.empty.retain(|chain| !self.delete_chains.contains(chain));
        self.delete_chains.clear();
        self.delete_sets.clear();
        self
    }

    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        *self == Parts::default()
    }

    /// Whether nothing but addresses in sets differs.
    pub(super) fn are_elements_only(&self) -> bool {
        let rest = [self.empty.len(), self.delete_chains.len(), self.delete_sets.len()];
        rest == [0; 3] && self.new_sets.is_empty() && self.new_chains.is_empty() && self.fill.is_empty()
    }
}

/// What has to be done so that the table is as wanted, and has nothing else.
pub(super) fn compare<'w>(present: &Present, wanted: &'w Ruleset) -> Difference<'w> {
    let sound = |table| is_table(table, wanted, present);
    if !present.table.as_ref().is_some_and(sound) {
        return Difference::Table;
    }
    let mut parts = Parts::default();
    match compare_sets(present, wanted, &mut parts).and_then(|()| compare_chains(present, wanted, &mut parts))
    {
        Some(()) if parts.is_empty() => Difference::None,
        Some(()) => Difference::Parts(parts),
        None => Difference::Table,
    }
}

/// None where a set has the name of one that is wanted, but is of another kind.
fn compare_sets<'w>(present: &Present, wanted: &'w Ruleset, parts: &mut Parts<'w>) -> Option<()> {
    let mut missing: Vec<_> = wanted.sets.iter().collect();
    for (is, ranges) in &present.sets {
        let name = set_name(is)?;
        let Some(at) = missing.iter().position(|set| set.name == name) else {
            parts.delete_sets.push(name.to_owned());
            continue;
        };
        let set = missing.remove(at);
        let ranges = ranges.as_ref().filter(|_| is_set(is, set))?;
        parts.updates.push(Update::new(set, ranges));
    }
    parts.updates.retain(|update| !update.is_empty());
    parts.new_sets = missing;
    Some(())
}

/// None where a chain has the name of one that is wanted, but another place.
fn compare_chains<'w>(present: &Present, wanted: &'w Ruleset, parts: &mut Parts<'w>) -> Option<()> {
    let mut missing: Vec<_> = wanted.chains.iter().collect();
    for is in &present.chains {
        let name = chain_name(is)?;
        let rules: Vec<_> = rules_of(present, name).collect();
        let Some(at) = missing.iter().position(|chain| chain.name == name) else {
            parts.delete_chains.push(name.to_owned());
            parts.empty.extend((!rules.is_empty()).then(|| name.to_owned()));
            continue;
        };
        let chain = missing.remove(at);
        is_chain(is, chain).then_some(())?;
        let mut pairs = rules.iter().zip(&chain.rules);
        if rules.len() != chain.rules.len() || !pairs.all(|(is, wanted)| is_rule(is, wanted)) {
            parts.fill.push(chain);
            parts.empty.extend((!rules.is_empty()).then(|| name.to_owned()));
        }
    }
    parts.fill.extend(&missing);
    parts.new_chains = missing;
    Some(())
}

/// The name of a set.
pub(super) fn set_name(set: &SetMessage) -> Option<&str> {
    set.attributes.iter().find_map(|attribute| match attribute {
        SetAttribute::Name(name) => Some(name.as_str()),
        _ => None,
    })
}

fn chain_name(chain: &ChainMessage) -> Option<&str> {
    chain.attributes.iter().find_map(|attribute| match attribute {
        ChainAttribute::Name(name) => Some(name.as_str()),
        _ => None,
    })
}

fn is_set(set: &SetMessage, wanted: &Set) -> bool {
    let wanted = set_attributes(wanted);
    wanted.iter().all(|attribute| set.attributes.contains(attribute))
}

/// In force, with our mark, and with no more in it than chains and sets: counters, flow tables and the like are counted with them.
fn is_table(table: &TableMessage, wanted: &Ruleset, present: &Present) -> bool {
    let objects = u32::try_from(present.chains.len() + present.sets.len()).unwrap_or(u32::MAX);
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
                drops: rule.parts.contains(&Part::Drop),
                packets,
                bytes,
            }));
        }
    }
    counters
}
