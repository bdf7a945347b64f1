//! Which addresses a pod gets.
//!
//! Pure. For each family, in this order: the address that is asked for by name; the one that is kept for the
//! workload, or on loan for it; the next free one in turn; one on loan for anybody; the one that rests longest.
//! Addresses are given in turn: the search starts after the last one given and goes around, so that an address
//! which was released rests until all others had their turn, besides its cool-down. An address that is asked
//! for by name does not move the turn.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;

use crate::blocks::{self, Family};
use crate::error::{Error, Full};
use crate::lease::Request;
use crate::ledger::{Book, Holder, Turn};
use crate::local::{BlockState, Origin, OwnBlock, Want};
use crate::rules::{COOL_DOWN, LocalRules, PoolRule};

/// All that the choice depends on.
#[derive(Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub book: &'a Book,
    /// `None` until they are known: then everything is open.
    pub rules: Option<&'a LocalRules>,
    pub now: SystemTime,
}

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

impl<'a> Situation<'a> {
    pub(crate) fn cool_down(&self) -> Duration {
        self.rules.map_or(COOL_DOWN, |rules| rules.cool_down)
    }

    pub(crate) fn reserved(&self) -> &'a [IpNet] {
        self.rules.map_or(&[], |rules| rules.reserved.as_slice())
    }

    /// How long an address rests still; `None` where it does not. A clock that was set back does not make it
    /// rest longer than the cool-down.
    pub(crate) fn rest(&self, address: IpAddr) -> Option<Duration> {
        let until = self.book.cooling.get(&address)?.until;
        let rest = until.duration_since(self.now).ok()?.min(self.cool_down());
        (!rest.is_zero()).then_some(rest)
    }

    fn rule(&self, pool: &str) -> Option<&'a PoolRule> {
        self.rules?.pools.iter().find(|rule| rule.name == pool)
    }

    /// Whether a pool gives new addresses, to requests that name it or to those that name none.
    fn pool_open(&self, pool: Option<&str>, by_name: bool) -> bool {
        match (pool, self.rules) {
            (None, _) | (_, None) => true,
            (Some(pool), Some(_)) => self
                .rule(pool)
                .is_some_and(|r| r.open && (by_name || r.automatic)),
        }
    }

    /// Whether something in this pool may go to the request without being asked for by name.
    fn pool_suits(&self, pool: Option<&str>, request: &Request) -> bool {
        if request.pools.is_empty() {
            self.pool_open(pool, false)
        } else {
            pool.is_some_and(|p| request.pools.iter().any(|asked| asked == p)) && self.pool_open(pool, true)
        }
    }

    /// A pod has an address of each family whose blocks may serve it. Where blocks are claimed, a family with
    /// an open pool is waited for: a pod that came before the first block would have no address of it for life.
    fn expects(&self, request: &Request, family: Family) -> bool {
        let suits =
            |b: &OwnBlock| Family::of(b.cidr.addr()) == family && self.pool_suits(b.pool.as_deref(), request);
        self.book.blocks.iter().any(suits) || (self.claims(family) && self.open_pool(request, family))
    }

    fn claims(&self, family: Family) -> bool {
        let given = |b: &OwnBlock| b.origin == Origin::Given && Family::of(b.cidr.addr()) == family;
        self.rules.is_some_and(|rules| rules.shared_out) && !self.book.blocks.iter().any(given)
    }

    fn open_pool(&self, request: &Request, family: Family) -> bool {
        let pools = self.rules.map_or(&[][..], |rules| &rules.pools);
        pools
            .iter()
            .any(|rule| Family::of(rule.cidr.addr()) == family && self.pool_suits(Some(&rule.name), request))
    }

    /// The workload's own address: kept for it here, or on loan for it.
    fn own(&self, request: &Request, family: Family) -> Option<&'a IpAddr> {
        let workload = request.sticky.as_ref()?;
        let asked = |pool: Option<&str>| {
            request.pools.is_empty() || pool.is_some_and(|p| request.pools.iter().any(|asked| asked == p))
        };
        let kept = self.book.kept.iter().find(|(address, of)| {
            let block = self.book.block_of(**address);
            *of == workload
                && Family::of(**address) == family
                && block.is_some_and(|b| b.state == BlockState::Open && asked(b.pool.as_deref()))
        });
        let lent = || {
            self.book.borrowed.iter().find(|(address, loan)| {
                loan.workload.as_ref() == Some(workload)
                    && Family::of(**address) == family
                    && self.book.holder(**address).is_none()
                    && asked(loan.pool.as_deref())
            })
        };
        kept.map(|(address, _)| address)
            .or_else(|| lent().map(|(address, _)| address))
    }

    /// The blocks to search, in order, each list with its turn.
    fn lists(&self, request: &Request, family: Family) -> Vec<(Turn, Vec<IpNet>)> {
        let search = |pool: Option<&String>| {
            let nets = self.book.blocks.iter().filter(|b| {
                b.state == BlockState::Open
                    && Family::of(b.cidr.addr()) == family
                    && self.pool_suits(b.pool.as_deref(), request)
                    && (pool.is_none() || b.pool.as_ref() == pool)
            });
            let pool = pool.cloned();
            (Turn { family, pool }, nets.map(|b| b.cidr).collect::<Vec<_>>())
        };
        if request.pools.is_empty() {
            vec![search(None)]
        } else {
            request.pools.iter().map(|pool| search(Some(pool))).collect()
        }
    }

    /// A new address: the next one in turn.
    fn fresh(&self, request: &Request, family: Family) -> Result<(Option<Turn>, IpAddr), Error> {
        let lists = self.lists(request, family);
        let free = |a: &IpAddr| self.book.holder(*a).is_none() && self.rest(*a).is_none();
        let walk = |turn: &Turn, nets: &[IpNet]| {
            let last = self.book.turns.get(turn).copied();
            blocks::walk(nets, family, last, self.reserved())
        };
        // No more addresses are looked at than are held or rest: a huge block costs nothing.
        for (turn, nets) in &lists {
            if let Some(address) = walk(turn, nets).find(free) {
                return Ok((Some(turn.clone()), address));
            }
        }
        let on_loan = |request: &Request| -> Vec<IpAddr> {
            let loans = self.book.borrowed.iter().filter(|(address, loan)| {
                loan.workload.is_none()
                    && Family::of(**address) == family
                    && self.pool_suits(loan.pool.as_deref(), request)
                    && self.book.holder(**address).is_none()
            });
            loans.map(|(address, _)| *address).collect()
        };
        let on_loan = on_loan(request);
        if let Some(address) = on_loan.iter().find(|a| free(a)) {
            return Ok((None, *address));
        }
        // A full node must not refuse pods for the sake of a rest that is only a courtesy: the address that has
        // rested longest goes out before its time.
        let in_lists = |a: &IpAddr| {
            lists
                .iter()
                .any(|(_, nets)| nets.iter().any(|net| net.contains(a)))
        };
        let not_reserved = |a: &IpAddr| !self.reserved().iter().any(|net| net.contains(a));
        let resting = self.book.cooling.iter().filter(|(address, _)| {
            self.book.holder(**address).is_none()
                && (on_loan.contains(address) || (in_lists(address) && not_reserved(address)))
        });
        let oldest = resting.min_by_key(|(address, cooling)| (cooling.until, **address));
        match oldest {
            Some((address, _)) => {
                let turn = lists
                    .iter()
                    .find(|(_, nets)| nets.iter().any(|net| net.contains(address)));
                Ok((turn.map(|(turn, _)| turn.clone()), *address))
            }
            None => Err(self.no_room(request, family, &lists)),
        }
    }

    fn no_room(&self, request: &Request, family: Family, lists: &[(Turn, Vec<IpNet>)]) -> Error {
        let blocks: Vec<IpNet> = lists.iter().flat_map(|(_, nets)| nets).copied().collect();
        let wants = vec![want(request, family, None)];
        if blocks.is_empty() {
            let pools = request.pools.clone();
            return Error::NoBlocks { pools, wants };
        }
        let within = |a: &&IpAddr| blocks.iter().any(|net| net.contains(*a));
        let pods = self.book.taken.keys().filter(within).count();
        let lent = self.book.lent.keys().filter(within).count();
        let kept = self.book.kept.keys().filter(within).count();
        let node = self.book.node.values().filter(within).count();
        let capacity = blocks
            .iter()
            .fold(0u128, |sum, net| sum.saturating_add(blocks::size(*net)));
        let held = u128::try_from(pods + lent + kept + node).unwrap_or(u128::MAX);
        Error::Full(Box::new(Full {
            family,
            pools: request.pools.clone(),
            capacity,
            pods,
            lent,
            kept,
            reserved: capacity.saturating_sub(held),
            blocks,
            wants,
        }))
    }

    fn wants_of_no_blocks(&self, request: &Request) -> Vec<Want> {
        let families = Family::ALL.into_iter();
        families
            .filter(|family| self.open_pool(request, *family))
            .map(|family| want(request, family, None))
            .collect()
    }

    fn check_wanted(&self, request: &Request, address: IpAddr) -> Result<(), Error> {
        let workload = request.workload();
        match (self.book.block_of(address), self.book.borrowed.get(&address)) {
            (Some(block), _) => {
                if block.state == BlockState::Leaving {
                    let block = block.cidr;
                    return Err(Error::Leaving { address, block });
                }
                if !self.pool_open(block.pool.as_deref(), true) {
                    let pool = block.pool.clone().unwrap_or_default();
                    return Err(Error::PoolClosed { address, pool });
                }
            }
            (None, Some(loan)) => {
                if let Some(of) = loan.workload.as_ref().filter(|of| Some(*of) != workload.as_ref()) {
                    let workload = of.clone();
                    return Err(Error::Kept { address, workload });
                }
            }
            (None, None) => {
                return Err(Error::OutsideBlocks {
                    address,
                    blocks: self.listed(),
                    want: Box::new(want(request, Family::of(address), Some(address))),
                });
            }
        }
        match self.book.holder(address) {
            Some(Holder::Pod(holder)) => {
                let holder = holder.clone();
                return Err(Error::Taken { address, holder });
            }
            Some(Holder::Node) => return Err(Error::Reserved { address }),
            Some(Holder::Lent(lent)) => {
                let borrower = lent.borrower.clone();
                return Err(Error::OnLoan { address, borrower });
            }
            Some(Holder::Kept(of)) if Some(of) != workload.as_deref() => {
                let workload = of.to_owned();
                return Err(Error::Kept { address, workload });
            }
            Some(Holder::Kept(_)) | None => {}
        }
        // The pod that had it may have it back at once: a pod with an address of its own that starts again.
        let had = self.book.cooling.get(&address).and_then(|c| c.workload.as_ref());
        match self.rest(address) {
            Some(rest) if had.is_some() && had != workload.as_ref() => Err(Error::Cooling { address, rest }),
            _ => Ok(()),
        }
    }

    fn listed(&self) -> String {
        let blocks: Vec<String> = self.book.blocks.iter().map(|b| b.cidr.to_string()).collect();
        if blocks.is_empty() {
            "it has none".into()
        } else {
            blocks.join(", ")
        }
    }
}

fn want(request: &Request, family: Family, address: Option<IpAddr>) -> Want {
    Want {
        family,
        pools: request.pools.clone(),
        address,
        workload: request.sticky.clone(),
    }
}

#[cfg(test)]
mod tests;
