//! Giving addresses to pods, and taking them back.

use std::net::IpAddr;
use std::time::SystemTime;

use super::state::{Draft, Ipam};
use ipnet::IpNet;

use crate::assign::{Choice, Situation, choose};
use crate::error::Error;
use crate::lease::{Lease, Owner, Request, whole_millis};
use crate::ledger::{Cooling, Op};

impl Ipam {
    /// Gives the owner one address of each family that the rules have for it; on disk when this returns. An
    /// owner that has a lease gets it again, as it is. A workload of its own address gets that one.
    ///
    /// # Errors
    /// No block, no free address, a wanted address that cannot be had ([`Error::wants`] says what would help),
    /// a new ledger that does not know yet what was given out before, a disk that fails.
    pub fn assign(&self, request: &Request, now: SystemTime) -> Result<Lease, Error> {
        self.change(now, |draft| draft.assign(request, &[]))
    }

    /// Takes the owner's lease back and returns it; `None` where it has none. On disk when this returns. Its
    /// addresses rest before they are given again; those of a workload of its own are kept for it.
    ///
    /// # Errors
    /// A disk that fails. A new ledger that does not know yet what was given out before: the lease may be among
    /// that, and would come back.
    pub fn release(&self, owner: &Owner, now: SystemTime) -> Result<Option<Lease>, Error> {
        self.change(now, |draft| match draft.release(owner) {
            None if draft.book.fresh => Err(Error::Recovering),
            released => Ok(released),
        })
    }
}

impl Draft<'_> {
    pub(super) fn assign(&mut self, request: &Request, aside: &[IpNet]) -> Result<Lease, Error> {
        match self.book.leases.get(&request.owner).cloned() {
            Some(held) => self.again(held, request),
            None => Ok(self.grant(request, self.choose(request, aside)?)),
        }
    }

    /// What a request gets that has no lease yet.
    pub(super) fn choose(&self, request: &Request, aside: &[IpNet]) -> Result<Choice, Error> {
        match self.book.fresh {
            true => Err(Error::Recovering),
            false => choose(
                Situation {
                    aside,
                    ..self.situation()
                },
                request,
            ),
        }
    }

    pub(super) fn grant(&mut self, request: &Request, choice: Choice) -> Lease {
        let pool = |a: &IpAddr| -> Option<String> {
            match self.book.block_of(*a) {
                Some(block) => block.pool.clone(),
                None => self.book.borrowed.get(a).and_then(|loan| loan.pool.clone()),
            }
        };
        let lease = Lease {
            owner: request.owner.clone(),
            network: request.network.clone(),
            pod: request.pod.clone(),
            pools: choice
                .addresses
                .iter()
                .filter_map(|a| Some((*a, pool(a)?)))
                .collect(),
            addresses: choice.addresses,
            host_ifname: request.host_ifname.clone(),
            netns: request.netns.clone(),
            sticky: request.sticky.clone(),
            created_at: whole_millis(self.now),
        };
        self.settle_rest();
        for &address in &lease.addresses {
            if self.book.kept.contains_key(&address) {
                self.put(Op::Unkeep(address));
            }
            self.end_rest(address);
        }
        for (turn, address) in choice.turns {
            self.put(Op::Turn(turn, address));
        }
        self.put(Op::PutLease(lease.clone()));
        lease
    }

    /// A repeated request: the same addresses. What else the runtime says about the pod may have changed (a
    /// container that was started again has another namespace), and is kept up to date.
    pub(super) fn again(&mut self, held: Lease, request: &Request) -> Result<Lease, Error> {
        if let Some(&asked) = request.wanted.iter().find(|a| !held.addresses.contains(a)) {
            let addresses: Vec<String> = held.addresses.iter().map(IpAddr::to_string).collect();
            return Err(Error::HasAnother {
                owner: held.owner,
                held: addresses.join(", "),
                asked,
            });
        }
        let mut current = held.clone();
        current.network.clone_from(&request.network);
        current.pod.clone_from(&request.pod);
        current.netns.clone_from(&request.netns);
        current.host_ifname.clone_from(&request.host_ifname);
        current.sticky.clone_from(&request.sticky);
        if current != held {
            self.put(Op::PutLease(current.clone()));
        }
        Ok(current)
    }

    fn release(&mut self, owner: &Owner) -> Option<Lease> {
        let lease = self.book.leases.get(owner)?.clone();
        self.settle_rest();
        self.put(Op::RemoveLease(owner.clone()));
        for &address in &lease.addresses {
            let ours = self.book.block_of(address).is_some();
            match &lease.sticky {
                Some(workload) if ours => self.put(Op::Keep(address, workload.clone())),
                _ => self.rest(address, lease.workload()),
            }
        }
        self.release_gateways(&lease);
        Some(lease)
    }

    /// Lets an address rest, where it may be given again at all.
    pub(super) fn rest(&mut self, address: IpAddr, workload: Option<String>) {
        let cool_down = self.situation().cool_down();
        if cool_down.is_zero() || !self.book.may_use(address) {
            return;
        }
        let until = whole_millis(self.now + cool_down);
        self.put(Op::Cool(address, Cooling { until, workload }));
    }

    pub(super) fn end_rest(&mut self, address: IpAddr) {
        if self.book.cooling.contains_key(&address) {
            self.put(Op::Uncool(address));
        }
    }

    /// Forgets rests that are over, and shortens those that end later than a rest that began now: the clock
    /// was set back, or the cool-down is shorter than it was.
    fn settle_rest(&mut self) {
        let latest = whole_millis(self.now + self.situation().cool_down());
        let mut ops = Vec::new();
        for (address, cooling) in &self.book.cooling {
            if cooling.until <= self.now {
                ops.push(Op::Uncool(*address));
            } else if cooling.until > latest {
                let workload = cooling.workload.clone();
                ops.push(Op::Cool(
                    *address,
                    Cooling {
                        until: latest,
                        workload,
                    },
                ));
            }
        }
        ops.into_iter().for_each(|op| self.put(op));
    }
}
