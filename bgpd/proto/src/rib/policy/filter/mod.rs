//! Filters: rules over the routes of one session and direction, in order. The first rule whose conditions all hold
//! decides; where none does, the default policy goes on.
//!
//! A rule is `Conditions` (`conditions`), an action, and operations that change what is accepted (`operations`). It is
//! known by its place in the list, a [`RuleId`]; from where in the configuration it comes is its [`Origin`]. What a
//! route was judged by is not stored: [`Filters::first_match`] finds it again, and [`Filters::trace`] says of each rule
//! that was looked at which condition failed.

mod conditions;
pub(super) mod operations;
#[cfg(test)]
mod tests;

pub use conditions::{AnyCommunity, Conditions, Facts, Mismatch, Operator, Pattern, PrefixMatch};
pub use operations::{Operation, apply};

use crate::types::{Family, PerFamily};
use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

/// The place of a rule among those of its direction and family, from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub NonZeroU16);

/// Where a rule stands in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Name of the filter.
    pub filter: Arc<str>,
    /// Its list, such as `importV4`.
    pub list: &'static str,
    /// Place in the list, from one.
    pub number: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BGPFilter {}, {} rule {}", self.filter, self.list, self.number)
    }
}

/// What becomes of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It passes.
    Accept,
    /// It does not.
    Reject,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Accept => "accept",
            Action::Reject => "reject",
        })
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// All of them must hold; a rule without conditions matches everything.
    pub conditions: Conditions,
    /// What becomes of the route.
    pub action: Action,
    /// What is changed on a route that passes, in this order.
    pub operations: Vec<Operation>,
    /// Where the rule comes from.
    pub origin: Origin,
}

impl Rule {
    /// Whether it changes attributes that it accepts.
    pub fn changes_attributes(&self) -> bool {
        let changes = |operation: &Operation| !matches!(operation, Operation::SetPriority(_));
        self.action == Action::Accept && self.operations.iter().any(changes)
    }

    /// The priority that it gives to what it accepts.
    pub fn priority(&self) -> Option<u32> {
        let set = |operation: &Operation| match operation {
            Operation::SetPriority(value) => Some(*value),
            _ => None,
        };
        self.operations.iter().rev().find_map(set)
    }
}

/// A rule that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Which one.
    pub origin: Origin,
    /// What it does with what it matches.
    pub action: Action,
    /// The condition that does not hold; `None`: it matches, and decides.
    pub mismatch: Option<Mismatch>,
    /// What it changes on a route that it accepts.
    pub operations: Vec<Operation>,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mismatch {
            Some(mismatch) => write!(f, "{}: {mismatch}", self.origin),
            None => {
                write!(f, "{}: matches, {}", self.origin, self.action)?;
                self.operations
                    .iter()
                    .try_for_each(|operation| write!(f, ", {operation}"))
            }
        }
    }
}

/// The rules of one direction of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filters {
    rules: PerFamily<Arc<[Rule]>>,
}

impl Filters {
    /// The rules of all filters of a session, one after the other. What is beyond the 65,535th of a family is left out:
    /// whoever compiles rules refuses so many.
    pub fn new(ipv4: Vec<Rule>, ipv6: Vec<Rule>) -> Self {
        let list = |mut rules: Vec<Rule>| {
            rules.truncate(usize::from(u16::MAX));
            Arc::from(rules)
        };
        Self {
            rules: PerFamily {
                ipv4: list(ipv4),
                ipv6: list(ipv6),
            },
        }
    }

    /// Whether there is no rule for the family.
    pub fn is_empty(&self, family: Family) -> bool {
        self.rules.get(family).is_empty()
    }

    /// The rules of a family, in their order.
    pub fn rules(&self, family: Family) -> &[Rule] {
        self.rules.get(family)
    }

    /// A rule by its place.
    pub fn rule(&self, family: Family, id: RuleId) -> Option<&Rule> {
        self.rules.get(family).get(usize::from(id.0.get()) - 1)
    }

    /// The rule that decides; `None` where none matches.
    pub fn first_match(&self, facts: &Facts<'_>) -> Option<(RuleId, &Rule)> {
        let rules = self.rules.get(Family::of(facts.prefix));
        let place = rules.iter().position(|rule| rule.conditions.hold(facts))?;
        let id = u16::try_from(place + 1).ok().and_then(NonZeroU16::new)?;
        Some((RuleId(id), &rules[place]))
    }

    /// All rules up to the one that decides.
    pub fn trace(&self, facts: &Facts<'_>) -> Vec<Looked> {
        let mut looked = Vec::new();
        for rule in self.rules.get(Family::of(facts.prefix)).iter() {
            let mismatch = rule.conditions.mismatch(facts);
            let decides = mismatch.is_none();
            looked.push(Looked {
                origin: rule.origin.clone(),
                action: rule.action,
                mismatch,
                operations: if decides {
                    rule.operations.clone()
                } else {
                    Vec::new()
                },
            });
            if decides {
                break;
            }
        }
        looked
    }

    /// Whether any rule looks at the interface that routes leave by: only then does a change of it matter.
    pub fn looks_at_interfaces(&self) -> bool {
        self.any(|rule| rule.conditions.interface.is_some())
    }

    /// Whether any rule looks at the priority of routes.
    pub fn looks_at_priorities(&self) -> bool {
        self.any(|rule| rule.conditions.priority.is_some())
    }

    fn any(&self, mut holds: impl FnMut(&Rule) -> bool) -> bool {
        let mut rules = self.rules.ipv4.iter().chain(self.rules.ipv6.iter());
        rules.any(&mut holds)
    }
}
