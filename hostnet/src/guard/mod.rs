//! The guard of pods' interfaces: nftables table `inet roadbed`, which is ours alone.
//!
//! A packet from a pod whose source is not the pod's is dropped: IPv4 has the strict reverse path filter of the pod's interface
//! for that, IPv6 has nothing but this. And pods send no router advertisements and redirects to the node.
//!
//! ```text
//! ruleset (pure) ──► compare (pure) ◄── what the kernel has
//!                       └─ differs ──► messages (pure): one batch ──► the kernel, at one moment
//! ```
//!
//! The table outlives the agent. Whatever others write into it is undone by the next [`ensure`], and [`watch`] says when that is
//! due. Other tables are never looked at.

mod compare;
mod error;
mod expressions;
mod messages;
mod netlink;
mod ruleset;
mod watch;

use std::fmt;
use std::io;

use netlink_packet_netfilter::nftables::NfTablesMessage;

use compare::Present;
use netlink::Netlink;

pub use compare::Counter;
pub use error::GuardError;
pub use ruleset::{Base, Chain, Hook, Part, RAW, Rule, Ruleset, TABLE, ruleset};
pub use watch::{Watch, watch};

/// What [`ensure`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarded {
    /// All was there.
    Kept,
    /// It was made, or made anew because it differed.
    Made,
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guarded::Kept => "was there",
            Guarded::Made => "made",
        })
    }
}

/// Makes the table what is wanted, in the network namespace of the calling thread. What is there already stays, with its
/// counters; what differs is replaced as a whole, with no moment between the old and the new.
///
/// # Errors
/// [`GuardError`], among others where the kernel lacks nftables or its `fib` expression. Nothing was changed then.
pub fn ensure() -> Result<Guarded, GuardError> {
    let wanted = ruleset();
    let mut netlink = Netlink::open()?;
    if compare::is_as_wanted(&read(&mut netlink, &wanted)?, &wanted) {
        return Ok(Guarded::Kept);
    }
    netlink.change(messages::replace(&wanted))?;
    Ok(Guarded::Made)
}

/// Removes the table with all that is in it; whether it was there. In the network namespace of the calling thread.
///
/// # Errors
/// [`GuardError`]. That the kernel has no nftables is none: then there is no table.
pub fn remove() -> Result<bool, GuardError> {
    let removed = Netlink::open().and_then(|netlink| netlink.change(messages::remove()));
    match removed {
        Ok(()) => Ok(true),
        Err(GuardError::Unsupported { .. }) => Ok(false),
        Err(GuardError::Failed { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the rules have counted since they were made; empty where there is no table.
///
/// # Errors
/// [`GuardError`].
pub fn counters() -> Result<Vec<Counter>, GuardError> {
    let wanted = ruleset();
    let rules = rules(&mut Netlink::open()?)?;
    let present = Present {
        rules,
        ..Present::default()
    };
    Ok(compare::counters(&present, &wanted))
}

fn read(netlink: &mut Netlink, wanted: &Ruleset) -> Result<Present, GuardError> {
    let Some(NfTablesMessage::NewTable(table)) = netlink.get(messages::get_table())? else {
        return Ok(Present::default());
    };
    let mut chains = Vec::new();
    for chain in &wanted.chains {
        if let Some(NfTablesMessage::NewChain(chain)) = netlink.get(messages::get_chain(chain.name))? {
            chains.push(chain);
        }
    }
    Ok(Present {
        table: Some(table),
        chains,
        rules: rules(netlink)?,
    })
}

fn rules(netlink: &mut Netlink) -> Result<Vec<netlink_packet_netfilter::nftables::RuleMessage>, GuardError> {
    let rules = netlink.dump(&messages::get_rules())?;
    let only = |message| match message {
        NfTablesMessage::NewRule(rule) => Some(rule),
        _ => None,
    };
    Ok(rules.into_iter().filter_map(only).collect())
}

#[cfg(test)]
mod tests;
