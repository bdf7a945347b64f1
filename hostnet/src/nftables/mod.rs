//! nftables table `inet roadbed`, which is ours alone: how what the node wants of it comes into the kernel and stays there.
//!
//! ```text
//! a Ruleset of sets, chains, rules ──► compare (pure) ◄── what the kernel has
//!                                     ├─ other addresses in a set ──► elements (pure) ─┐ one batch, true at one
//!                                     └─ anything else ─────────────► messages (pure) ─┴─► moment ──► the kernel
//! ```
//!
//! The table outlives the agent. Whatever others write into it is undone by the next [`ensure`], and [`watch`] says when that is
//! due. Other tables are never looked at.

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

use netlink_packet_netfilter::nftables::{NfTablesMessage, RuleMessage};

use compare::{Difference, Present};
use elements::Update;
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
    /// It was made, or made anew because it differed. Counters begin at zero.
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
        Difference::Elements(updates) => {
            let changes = updates.iter().flat_map(Update::changes).collect();
            // What the kernel does not take in this form it takes as a whole.
            if netlink.change(changes).is_ok() {
                return Ok(Ensured::Updated);
            }
        }
        Difference::Structure => {}
    }
    netlink.change(messages::replace(wanted))?;
    Ok(Ensured::Made)
}

/// Makes the table anew whatever it is, as often as a test likes.
#[cfg(test)]
pub(crate) fn make_anew(wanted: &Ruleset) -> Result<(), TableError> {
    Netlink::open()?.change(messages::replace(wanted))
}

/// Removes the table with all that is in it; whether it was there. In the network namespace of the calling thread.
///
/// # Errors
/// [`TableError`]. That the kernel has no nftables is none: then there is no table.
pub fn remove() -> Result<bool, TableError> {
    let removed = Netlink::open().and_then(|mut netlink| netlink.change(messages::remove()));
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
    for set in &wanted.sets {
        if let Some(NfTablesMessage::NewSet(message)) = netlink.get(elements::get_set(set.name))? {
            let answers = netlink.dump(&elements::get_elements(set.name))?;
            sets.push((message, elements::ranges(set.family, &answers)));
        }
    }
    let mut chains = Vec::new();
    for chain in &wanted.chains {
        if let Some(NfTablesMessage::NewChain(chain)) = netlink.get(messages::get_chain(chain.name))? {
            chains.push(chain);
        }
    }
    Ok(Present {
        table: Some(table),
        sets,
        chains,
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
