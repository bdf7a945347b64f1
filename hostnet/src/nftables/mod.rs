//! nftables table `inet roadbed`, which is ours alone: how what the node wants of it comes into the kernel and stays there.
//!
//! ```text
//! a Ruleset of sets, chains, rules ──► compare (pure) ◄── what the kernel has
//!                                     └─ parts that differ ──► messages, elements (pure): one batch ──► the kernel, at one moment
//! ```
//!
//! The table outlives the agent. Whatever others write into it is undone by the next [`ensure`], and [`watch`] says when that is
//! due. Other tables are never looked at.

mod attributes;
mod compare;
mod elements;
mod error;
mod expressions;
mod messages;
mod model;
mod netlink;
mod ranges;

mod watch;

use std::fmt;
use std::io;

use netlink_packet_netfilter::nftables::{ChainAttribute, NfTablesMessage, RuleMessage};

use compare::{Difference, Present};
use netlink::Netlink;

pub use compare::Counter;
pub use error::TableError;
pub use model::TABLE;
pub(crate) use model::{Base, Chain, Hook, Part, Purpose, RAW, Rule, Ruleset, SRCNAT, Set};
pub(crate) use ranges::{Family, Ranges};
pub use watch::{Watch, watch};

/// What [`ensure`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// Nothing: all was there.
    Kept,
    /// Sets got other addresses; rules and counters are as they were.
    Updated,
    /// Chains were made, or made anew because they differed. Their counters begin at zero.
    Made,
}

impl fmt::Display for Ensured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ensured::Kept => "was there",
            Ensured::Updated => "updated",
            Ensured::Made => "made",
        })
    }
}

/// Makes the table what is wanted, in the network namespace of the calling thread.
pub(crate) fn ensure(wanted: &Ruleset) -> Result<Ensured, TableError> {
    let mut netlink = Netlink::open()?;
    match compare::compare(&read(&mut netlink, wanted)?, wanted) {
        Difference::None => return Ok(Ensured::Kept),
        Difference::Parts(parts) => {
            // What the kernel does not take in this form it takes as a whole.
            if netlink.change(messages::repair(&parts)).is_ok() {
                return Ok(match parts.are_elements_only() {
                    true => Ensured::Updated,
                    false => Ensured::Made,
                });
            }
        }
        Difference::Table => {}
    }
    Netlink::open()?.change(messages::replace(wanted))?;
    Ok(Ensured::Made)
}

/// Sees to it that this is in the table, and takes nothing else out of it. A table that was changed so far that it would have to be
/// made anew stays, too: [`ensure`] does that, once it is known what is wanted.
pub(crate) fn ensure_within(wanted: &Ruleset) -> Result<Ensured, TableError> {
    let mut netlink = Netlink::open()?;
    let present = read(&mut netlink, wanted)?;
    let changes = match compare::compare(&present, wanted) {
        Difference::Table if present.table.is_none() => messages::replace(wanted),
        Difference::Table | Difference::None => return Ok(Ensured::Kept),
        Difference::Parts(parts) => match parts.without_removals() {
            parts if parts.is_empty() => return Ok(Ensured::Kept),
            parts => messages::repair(&parts),
        },
    };
    netlink.change(changes)?;
    Ok(Ensured::Made)
}

/// Makes the rules of all chains of a table that is there anew, whatever they are: what [`ensure`] does where all of them differ.
#[cfg(test)]
pub(crate) fn refill(wanted: &Ruleset) -> Result<(), TableError> {
    let parts = compare::Parts {
        empty: wanted.chains.iter().map(|chain| chain.name.to_owned()).collect(),
        fill: wanted.chains.iter().collect(),
        ..compare::Parts::default()
    };
    Netlink::open()?.change(messages::repair(&parts))
}

/// Removes the table with all that is in it; whether it was there. In the network namespace of the calling thread.
///
/// # Errors
/// [`TableError`]. That the kernel has no nftables is none: then there is no table.
pub fn remove() -> Result<bool, TableError> {
    let removed = Netlink::open().and_then(|netlink| netlink.change(messages::remove()));
    match removed {
        Ok(()) => Ok(true),
        Err(TableError::Unsupported { .. }) => Ok(false),
        Err(TableError::Failed { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What these rules have counted since they were made, those of them that are there.
pub(crate) fn counters(wanted: &Ruleset) -> Result<Vec<Counter>, TableError> {
    let rules = rules(&mut Netlink::open()?)?;
    let present = Present {
        rules,
        ..Present::default()
    };
    Ok(compare::counters(&present, wanted))
}

fn read(netlink: &mut Netlink, wanted: &Ruleset) -> Result<Present, TableError> {
    let Some(NfTablesMessage::NewTable(table)) = netlink.get(messages::get_table())? else {
        return Ok(Present::default());
    };
    let mut sets = Vec::new();
    for answer in netlink.dump(&elements::get_sets())? {
        let NfTablesMessage::NewSet(set) = answer else {
            continue;
        };
        let known = wanted
            .sets
            .iter()
            .find(|wanted| compare::set_name(&set) == Some(wanted.name));
        let ranges = match known {
            Some(known) => {
                let answers = netlink.dump_bytes(&elements::get_elements(known.name))?;
                Some(elements::ranges(known.family, &answers))
            }
            None => None,
        };
        sets.push((set, ranges));
    }
    let ours = |answer| match answer {
        NfTablesMessage::NewChain(chain) => chain
            .attributes
            .contains(&ChainAttribute::Table(TABLE.to_owned()))
            .then_some(chain),
        _ => None,
    };
    let chains = netlink.dump(&messages::get_chains())?;
    Ok(Present {
        table: Some(table),
        sets,
        chains: chains.into_iter().filter_map(ours).collect(),
        rules: rules(netlink)?,
    })
}

fn rules(netlink: &mut Netlink) -> Result<Vec<RuleMessage>, TableError> {
    let rules = netlink.dump(&messages::get_rules())?;
    let only = |message| match message {
        NfTablesMessage::NewRule(rule) => Some(rule),
        _ => None,
    };
    Ok(rules.into_iter().filter_map(only).collect())
}

#[cfg(test)]
mod tests;
