//! Which addresses a pod gets.
//!
//! Pure. For each family, in this order: the address that is asked for by name; the one that is kept for the
//! workload, or on loan for it; the next free one in turn; one on loan for anybody; the one that rests longest.
//! Addresses are given in turn: the search starts after the last one given and goes around, so that an address
//! which was released rests until all others had their turn, besides its cool-down. An address that is asked
//! for by name does not move the turn.

mod search;
mod situation;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub(crate) use self::situation::Situation;
use crate::blocks::Family;
use crate::error::{Error, Full};
use crate::lease::Request;
use crate::ledger::Turn;

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    /// One address of each family, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// The turns that moved.
    pub turns: Vec<(Turn, IpAddr)>,
}

/// Chooses one address of each family that the pod may have.
pub(crate) fn choose(at: Situation<'_>, request: &Request) -> Result<Choice, Error> {
    let named = named(at, request)?;
    let mut choice = Choice::default();
    let mut failed: Option<Error> = None;
    let mut wants = Vec::new();
    for family in Family::ALL {
        let chosen = match (named.get(&family), at.own(request, family)) {
            (Some(address), _) | (None, Some(address)) => Ok((None, *address)),
            (None, None) if at.expects(request, family) => at.fresh(request, family),
            (None, None) => continue,
        };
        match chosen {
            Ok((turn, address)) => {
                choice.addresses.push(address);
                choice.turns.extend(turn.map(|turn| (turn, address)));
            }
            Err(error) => {
                wants.extend(error.wants());
                failed.get_or_insert(error);
            }
        }
    }
    match failed {
        Some(Error::Full(full)) => Err(Error::Full(Box::new(Full { wants, ..*full }))),
        Some(Error::NoBlocks { pools, .. }) => Err(Error::NoBlocks { pools, wants }),
        Some(other) => Err(other),
        None if choice.addresses.is_empty() => Err(Error::NoBlocks {
            pools: request.pools.clone(),
            wants: at.wants_of_no_blocks(request),
        }),
        None => Ok(choice),
    }
}

fn named(at: Situation<'_>, request: &Request) -> Result<BTreeMap<Family, IpAddr>, Error> {
    let mut named: BTreeMap<Family, IpAddr> = BTreeMap::new();
    for &address in &request.wanted {
        at.check_wanted(request, address)?;
        match named.insert(Family::of(address), address) {
            Some(first) if first != address => {
                return Err(Error::TwoOfOneFamily {
                    first,
                    second: address,
                });
            }
            _ => {}
        }
    }
    Ok(named)
}
