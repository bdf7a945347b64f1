//! Why no ADD would succeed now (CNI STATUS), as far as addresses are concerned.

use ipam::Family;
use ipam::local::{BlockState, BlockUse};

use super::{Pods, rules};

impl Pods {
    /// Each reason in words; none where an ADD can succeed. `away`: the datastore is out of reach, so nothing new can be
    /// claimed there.
    pub fn not_available(&self, away: bool) -> Vec<String> {
        if self.ipam.is_out_of_order() {
            return vec!["the ledger of addresses cannot be written; look at the disk of stateDir".into()];
        }
        if self.ipam.is_fresh() {
            return vec![
                "the ledger of addresses is new and waits for what the datastore remembers of this node"
                    .into(),
            ];
        }
        let Some((intent, node)) = self.known_intent() else {
            return vec!["the agent has no configuration for this node yet; see `roadbed status`".into()];
        };
        let uses = self.local().blocks;
        let open: Vec<&BlockUse> = uses
            .iter()
            .filter(|b| b.block.state == BlockState::Open)
            .collect();
        if !self.shared_out {
            return match open.is_empty() {
                true => vec!["this node has no pod subnets; give its Node podCIDRs".into()],
                false => full(&open),
            };
        }
        let blocks = self.ipam.blocks();
        let missing = rules::families_without_block(&intent, &node, &blocks);
        let mut reasons: Vec<String> = (missing.iter())
            .filter_map(|family| {
                Some(format!(
                    "this node has no {family} block, and {}",
                    self.no_claim(*family, away)?
                ))
            })
            .collect();
        if away {
            reasons.extend(full(&open));
        }
        reasons
    }

    /// Why no block of a family can be claimed; `None` where nothing stands in the way.
    fn no_claim(&self, family: Family, away: bool) -> Option<String> {
        if away {
            return Some("the datastore is away".into());
        }
        let status = self.keeper.get()?.borrow().clone();
        let plain = |want: &ipam::local::Want| {
            want.family == family && want.address.is_none() && want.pools.is_empty()
        };
        let hopeless = status.hopeless.iter().find(|h| plain(&h.want));
        hopeless.map(|h| h.why.clone())
    }
}

/// Families whose blocks are all in use, where no further one can be had.
fn full(open: &[&BlockUse]) -> Vec<String> {
    let of = |block: &&&BlockUse, family: Family| Family::of(block.block.cidr.addr()) == family;
    let full = |family: &Family| {
        let mut blocks = open.iter().filter(|b| of(b, *family)).peekable();
        blocks.peek().is_some() && blocks.all(|b| b.used >= b.size)
    };
    let full = Family::ALL.into_iter().filter(full);
    full.map(|family| format!("every {family} address of this node's blocks is in use"))
        .collect()
}
