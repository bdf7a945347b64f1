//! All that the choice of an address depends on, and what the rules say about pools and rests.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;

use crate::blocks::Family;
use crate::lease::Request;
use crate::ledger::Book;
use crate::local::{BlockState, Origin, OwnBlock, Want};
use crate::rules::{COOL_DOWN, LocalRules, PoolRule};

/// All that the choice depends on.
#[derive(Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub book: &'a Book,
    /// `None` until they are known: then everything is open.
    pub rules: Option<&'a LocalRules>,
    /// Not for this request, unless it names them: gateways of its network.
    pub aside: &'a [IpNet],
    pub now: SystemTime,
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
    pub(super) fn pool_open(&self, pool: Option<&str>, by_name: bool) -> bool {
        match (pool, self.rules) {
            (None, _) | (_, None) => true,
            (Some(pool), Some(_)) => self
                .rule(pool)
                .is_some_and(|r| r.open && (by_name || r.automatic)),
        }
    }

    /// Whether something in this pool may go to the request without being asked for by name.
    pub(super) fn pool_suits(&self, pool: Option<&str>, request: &Request) -> bool {
        if request.pools.is_empty() {
            self.pool_open(pool, false)
        } else {
            pool.is_some_and(|p| request.pools.iter().any(|asked| asked == p)) && self.pool_open(pool, true)
        }
    }

    /// A pod has an address of each family whose blocks may serve it. Where blocks are claimed, a family with
    /// an open pool is waited for: a pod that came before the first block would have no address of it for life.
    pub(super) fn expects(&self, request: &Request, family: Family) -> bool {
        let suits =
            |b: &OwnBlock| Family::of(b.cidr.addr()) == family && self.pool_suits(b.pool.as_deref(), request);
        self.book.blocks.iter().any(suits) || (self.claims(family) && self.open_pool(request, family))
    }

    fn claims(&self, family: Family) -> bool {
        let given = |b: &OwnBlock| b.origin == Origin::Given && Family::of(b.cidr.addr()) == family;
        self.rules.is_some_and(|rules| rules.shared_out) && !self.book.blocks.iter().any(given)
    }

    pub(super) fn open_pool(&self, request: &Request, family: Family) -> bool {
        let pools = self.rules.map_or(&[][..], |rules| &rules.pools);
        pools
            .iter()
            .any(|rule| Family::of(rule.cidr.addr()) == family && self.pool_suits(Some(&rule.name), request))
    }

    /// The workload's own address: kept for it here, or on loan for it.
    pub(super) fn own(&self, request: &Request, family: Family) -> Option<&'a IpAddr> {
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

    pub(super) fn wants_of_no_blocks(&self, request: &Request) -> Vec<Want> {
        let families = Family::ALL.into_iter();
        families
            .filter(|family| self.open_pool(request, *family))
            .map(|family| want(request, family, None))
            .collect()
    }
}

pub(super) fn want(request: &Request, family: Family, address: Option<IpAddr>) -> Want {
    Want {
        family,
        pools: request.pools.clone(),
        address,
        workload: request.sticky.clone(),
    }
}
