//! The search for an address that nobody asked for by name: in turn, on loan, or before its rest is over.

use std::net::IpAddr;

use ipnet::IpNet;

use super::situation::{Situation, want};
use crate::blocks::{self, Family};
use crate::error::{Error, Full};
use crate::lease::Request;
use crate::ledger::Turn;
use crate::local::BlockState;

impl Situation<'_> {
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
    pub(super) fn fresh(&self, request: &Request, family: Family) -> Result<(Option<Turn>, IpAddr), Error> {
        let lists = self.lists(request, family);
        let avoid = [self.reserved(), self.aside].concat();
        let free = |a: &IpAddr| self.book.holder(*a).is_none() && self.rest(*a).is_none();
        let walk = |turn: &Turn, nets: &[IpNet]| {
            let last = self.book.turns.get(turn).copied();
            blocks::walk(nets, family, last, &avoid)
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
        let not_reserved = |a: &IpAddr| !avoid.iter().any(|net| net.contains(a));
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
}
