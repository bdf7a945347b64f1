//! Which address a pod gets.
//!
//! Pure. Addresses are given in turn: the search starts after the last one given and goes around, so an
//! address that was released rests until all others had their turn, and a packet or a neighbour entry of the
//! old pod does not meet the new one. An address that is asked for by name does not move the turn.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::blocks::{Blocks, Family};
use crate::error::Error;
use crate::lease::Owner;

/// All that the choice depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The node's blocks.
    pub blocks: &'a Blocks,
    /// Addresses that are given.
    pub taken: &'a BTreeMap<IpAddr, Owner>,
    /// The node's own address of each family.
    pub node: &'a BTreeMap<Family, IpAddr>,
    /// The last address given in turn, for each family.
    pub last: &'a BTreeMap<Family, IpAddr>,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// One address for each family that has blocks, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Those of them that were given in turn, and move it.
    pub in_turn: BTreeMap<Family, IpAddr>,
}

/// Chooses one address of each family that has blocks: the one that is wanted, or the next free one.
///
/// # Errors
/// A wanted address that cannot be given, two of one family, no block at all, no free address left.
pub fn choose(at: Situation<'_>, wanted: &[IpAddr]) -> Result<Choice, Error> {
    let mut named: BTreeMap<Family, IpAddr> = BTreeMap::new();
    for &address in wanted {
        check_wanted(at, address)?;
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
    let mut choice = Choice {
        addresses: Vec::with_capacity(2),
        in_turn: BTreeMap::new(),
    };
    for family in Family::ALL {
        if let Some(address) = named.get(&family) {
            choice.addresses.push(*address);
        } else if at.blocks.first(family).is_some() {
            let address = next_free(at, family)?;
            choice.in_turn.insert(family, address);
            choice.addresses.push(address);
        }
    }
    if choice.addresses.is_empty() {
        Err(Error::NoBlocks)
    } else {
        Ok(choice)
    }
}

fn check_wanted(at: Situation<'_>, address: IpAddr) -> Result<(), Error> {
    if at.blocks.is_empty() {
        return Err(Error::NoBlocks);
    }
    if !at.blocks.contains(address) {
        return Err(Error::OutsideBlocks {
            address,
            blocks: at.blocks.listed(),
        });
    }
    if at.node.values().any(|own| *own == address) {
        return Err(Error::Reserved { address });
    }
    match at.taken.get(&address) {
        Some(holder) => Err(Error::Taken {
            address,
            holder: holder.clone(),
        }),
        None => Ok(()),
    }
}

/// The walk looks at no more addresses than are taken and one of the node: a huge block costs nothing.
fn next_free(at: Situation<'_>, family: Family) -> Result<IpAddr, Error> {
    let own = at.node.get(&family);
    at.blocks
        .walk(family, at.last.get(&family).copied())
        .find(|address| Some(address) != own && !at.taken.contains_key(address))
        .ok_or_else(|| Error::Full {
            family,
            capacity: at.blocks.capacity(family) - u128::from(own.is_some()),
            blocks: at
                .blocks
                .of(family)
                .map(|net| net.to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The node's own pod address of a family: the one it has, as long as a block contains it; else the first
/// address of the first block, or the next one that no pod has.
pub fn node_address(
    blocks: &Blocks,
    family: Family,
    current: Option<IpAddr>,
    taken: &BTreeMap<IpAddr, Owner>,
) -> Option<IpAddr> {
    match current {
        Some(own) if blocks.contains(own) => Some(own),
        _ => blocks
            .walk(family, None)
            .find(|address| !taken.contains_key(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn pick(
        nets: &[&str],
        taken: &[&str],
        last: Option<&str>,
        wanted: &[&str],
    ) -> Result<Vec<String>, Error> {
        let blocks = Blocks::new(nets.iter().map(|n| n.parse().unwrap()));
        let taken: BTreeMap<IpAddr, Owner> = taken.iter().map(|a| (ip(a), Owner::new("x", "eth0"))).collect();
        let node = Family::ALL
            .into_iter()
            .filter_map(|f| blocks.first(f).map(|a| (f, a)))
            .collect();
        let last = last.map(|l| (Family::of(ip(l)), ip(l))).into_iter().collect();
        let at = Situation {
            blocks: &blocks,
            taken: &taken,
            node: &node,
            last: &last,
        };
        let wanted: Vec<IpAddr> = wanted.iter().map(|a| ip(a)).collect();
        choose(at, &wanted).map(|c| c.addresses.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn the_next_address_in_turn_is_given() {
        assert_eq!(pick(&["10.0.0.0/29"], &[], None, &[]).unwrap(), ["10.0.0.1"]);
        assert_eq!(
            pick(&["10.0.0.0/29"], &["10.0.0.4"], Some("10.0.0.3"), &[]).unwrap(),
            ["10.0.0.5"]
        );
        assert_eq!(
            pick(&["10.0.0.0/29"], &[], Some("10.0.0.7"), &[]).unwrap(),
            ["10.0.0.1"]
        );
    }

    #[test]
    fn each_family_with_blocks_gets_an_address() {
        let nets = ["10.0.0.0/29", "2001:db8::/64"];
        assert_eq!(pick(&nets, &[], None, &[]).unwrap(), ["10.0.0.1", "2001:db8::1"]);
        assert_eq!(
            pick(&nets, &[], None, &["2001:db8::9"]).unwrap(),
            ["10.0.0.1", "2001:db8::9"]
        );
    }

    #[test]
    fn a_wish_that_cannot_be_granted_says_why() {
        let nets = ["10.0.0.0/29"];
        assert!(matches!(
            pick(&nets, &[], None, &["10.0.0.8"]),
            Err(Error::OutsideBlocks { .. })
        ));
        assert!(matches!(
            pick(&nets, &[], None, &["10.0.0.0"]),
            Err(Error::Reserved { .. })
        ));
        assert!(matches!(
            pick(&nets, &["10.0.0.3"], None, &["10.0.0.3"]),
            Err(Error::Taken { .. })
        ));
        let two = pick(&nets, &[], None, &["10.0.0.3", "10.0.0.4"]);
        assert!(matches!(two, Err(Error::TwoOfOneFamily { .. })));
        assert_eq!(pick(&[], &[], None, &[]), Err(Error::NoBlocks));
    }

    #[test]
    fn a_full_block_names_itself() {
        let full = pick(&["10.0.0.0/30"], &["10.0.0.1", "10.0.0.2", "10.0.0.3"], None, &[]);
        let text = full.unwrap_err().to_string();
        assert!(
            text.contains("all 3 addresses") && text.contains("10.0.0.0/30"),
            "{text}"
        );
        let only_the_node = pick(&["10.0.0.0/32"], &[], None, &[]);
        assert!(matches!(only_the_node, Err(Error::Full { capacity: 0, .. })));
    }

    #[test]
    fn the_nodes_address_stays_while_a_block_contains_it() {
        let blocks = Blocks::new(["10.1.0.0/24".parse().unwrap(), "10.0.0.0/24".parse().unwrap()]);
        let mut taken = BTreeMap::new();
        let own = |current: Option<&str>, taken: &BTreeMap<IpAddr, Owner>| {
            node_address(&blocks, Family::V4, current.map(ip), taken).map(|a| a.to_string())
        };
        assert_eq!(own(None, &taken).as_deref(), Some("10.1.0.0"));
        assert_eq!(own(Some("10.0.0.0"), &taken).as_deref(), Some("10.0.0.0"));
        assert_eq!(own(Some("10.9.0.0"), &taken).as_deref(), Some("10.1.0.0"));
        taken.insert(ip("10.1.0.0"), Owner::new("pod", "eth0"));
        assert_eq!(own(None, &taken).as_deref(), Some("10.1.0.1"));
        assert_eq!(node_address(&blocks, Family::V6, None, &taken), None);
    }
}
