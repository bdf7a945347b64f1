//! Whether an address that is asked for by name may be had, and if not, why.

use std::net::IpAddr;

use super::situation::{Situation, want};
use crate::blocks::Family;
use crate::error::Error;
use crate::lease::Request;
use crate::ledger::Holder;
use crate::local::BlockState;

impl Situation<'_> {
    pub(super) fn check_wanted(&self, request: &Request, address: IpAddr) -> Result<(), Error> {
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
