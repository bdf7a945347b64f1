//! Addresses for interfaces that other plugins make, with their gateways.
//!
//! A bridge has an address itself, and its pods have it as their gateway. It is one of the block's: the first after
//! the block's own, or the next one that nobody holds. It has a lease of its own, for each network and block, made with
//! the first pod of the network in the block and gone with the last.
//!
//! Such a bridge makes the block a subnet: the last address of one of IPv4 is its broadcast address, which no pod and no
//! gateway can have (RFC 1122 section 3.2.1.3).

use std::net::IpAddr;
use std::time::SystemTime;

use ipnet::IpNet;

use super::state::{Draft, Ipam};
use crate::blocks::{self, Family};
use crate::error::Error;
use crate::lease::{Lease, Owner, Request, whole_millis};
use crate::ledger::Op;

/// The gateway of a network in one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway {
    /// The block.
    pub block: IpNet,
    /// The address of the bridge in there.
    pub address: IpAddr,
}

impl Ipam {
    /// As [`Ipam::assign`], and never one of the addresses `aside` to who does not ask for them by name: gateways
    /// that are not in our hands.
    ///
    /// # Errors
    /// As [`Ipam::assign`].
    pub fn assign_beside(
        &self,
        request: &Request,
        aside: &[IpAddr],
        now: SystemTime,
    ) -> Result<Lease, Error> {
        let aside: Vec<IpNet> = aside.iter().map(|address| IpNet::from(*address)).collect();
        self.change(now, |draft| draft.assign(request, &aside))
    }

    /// As [`Ipam::assign`], with the gateway of each address, in their order.
    ///
    /// # Errors
    /// As [`Ipam::assign`]; a block with no room for a gateway, an address in no block of ours.
    pub fn assign_with_gateways(
        &self,
        request: &Request,
        now: SystemTime,
    ) -> Result<(Lease, Vec<Gateway>), Error> {
        self.change(now, |draft| draft.assign_with_gateways(request))
    }
}

impl Draft<'_> {
    fn assign_with_gateways(&mut self, request: &Request) -> Result<(Lease, Vec<Gateway>), Error> {
        if let Some(held) = self.book.leases.get(&request.owner).cloned() {
            let gateways = self.gateways(&request.network, &held.addresses)?;
            let lease = self.again(held, request)?;
            self.hold(&lease, &gateways);
            return Ok((lease, gateways));
        }
        let own = self.book.blocks.iter().map(|block| block.cidr);
        let aside = own.flat_map(|block| [second(block), blocks::broadcast(block)]);
        let aside: Vec<IpNet> = aside.flatten().map(IpNet::from).collect();
        let choice = self.choose(request, &aside)?;
        let gateways = self.gateways(&request.network, &choice.addresses)?;
        let lease = self.grant(request, choice);
        self.hold(&lease, &gateways);
        Ok((lease, gateways))
    }

    /// The gateways that these addresses have, or will have.
    fn gateways(&self, network: &str, addresses: &[IpAddr]) -> Result<Vec<Gateway>, Error> {
        addresses.iter().map(|a| self.gateway(network, *a)).collect()
    }

    fn gateway(&self, network: &str, address: IpAddr) -> Result<Gateway, Error> {
        let no = |why: &str| Error::NoGateway {
            address,
            why: why.into(),
        };
        let block = self.book.block_of(address).map(|block| block.cidr);
        let block = block.ok_or_else(|| no("it is in no block of this node"))?;
        if blocks::broadcast(block) == Some(address) {
            return Err(no(&format!("it is the broadcast address of block {block}")));
        }
        if let Some(held) = self.book.leases.get(&Owner::gateway(network, block))
            && let Some(&address) = held.addresses.first()
        {
            return Ok(Gateway { block, address });
        }
        let situation = self.situation();
        let walk = || {
            let family = Family::of(block.addr());
            let mut avoid = situation.reserved().to_vec();
            avoid.push(IpNet::from(block.network()));
            avoid.extend(blocks::broadcast(block).map(IpNet::from));
            let free = |a: &IpAddr| *a != address && self.book.holder(*a).is_none();
            blocks::walk(&[block], family, Some(block.network()), &avoid).filter(free)
        };
        let rested = walk().find(|a| situation.rest(*a).is_none());
        let found = rested.or_else(|| walk().next());
        found
            .map(|address| Gateway { block, address })
            .ok_or_else(|| no(&format!("every other address of block {block} is in use")))
    }

    fn hold(&mut self, lease: &Lease, gateways: &[Gateway]) {
        for gateway in gateways {
            let owner = Owner::gateway(&lease.network, gateway.block);
            if self.book.leases.contains_key(&owner) {
                continue;
            }
            self.end_rest(gateway.address);
            let pool = self
                .book
                .block(&gateway.block)
                .and_then(|block| block.pool.clone());
            self.put(Op::PutLease(Lease {
                owner,
                network: lease.network.clone(),
                pod: None,
                addresses: vec![gateway.address],
                host_ifname: String::new(),
                netns: String::new(),
                sticky: None,
                pools: pool.map(|pool| (gateway.address, pool)).into_iter().collect(),
                created_at: whole_millis(self.now),
            }));
        }
    }

    /// The gateways of a network that went with the last of its pods in a block.
    pub(super) fn release_gateways(&mut self, gone: &Lease) {
        if !gone.is_address_only() || gone.owner.is_gateway() {
            return;
        }
        let of_network = |lease: &&Lease| lease.network == gone.network && lease.is_address_only();
        let (gateways, pods): (Vec<&Lease>, Vec<&Lease>) = (self.book.leases.values())
            .filter(of_network)
            .partition(|lease| lease.owner.is_gateway());
        let block = |lease: &Lease| lease.owner.ifname.parse::<IpNet>().ok();
        let unused = gateways.into_iter().filter(|gateway| {
            let inside = |pod: &&Lease| {
                let block = block(gateway);
                block.is_none_or(|block| pod.addresses.iter().any(|a| block.contains(a)))
            };
            !pods.iter().any(inside)
        });
        let unused: Vec<Lease> = unused.cloned().collect();
        for gateway in unused {
            self.put(Op::RemoveLease(gateway.owner));
            gateway.addresses.into_iter().for_each(|a| self.rest(a, None));
        }
    }
}

/// The address after a block's own; none in a block of a single address.
fn second(block: IpNet) -> Option<IpAddr> {
    blocks::walk(&[block], Family::of(block.addr()), Some(block.network()), &[])
        .next()
        .filter(|second| *second != block.network())
}

#[cfg(test)]
mod tests;
