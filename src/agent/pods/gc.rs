//! CNI GC: gives back everything of a network that the runtime does not list, and pod links that no lease has.
//!
//! An attachment whose turn is taken is being added or deleted at this moment: it is left to the next GC. The same holds
//! for what was added after the call came.

use std::collections::BTreeSet;

use config::api::ApiError;
use config::api::cni::{CniAttachment, CniCollected, CniGc};
use ipam::{Lease, Owner};

use super::Pods;
use super::link::in_kernel;

impl Pods {
    /// CNI GC of one network.
    pub async fn gc(&self, request: CniGc) -> Result<CniCollected, ApiError> {
        let valid: BTreeSet<Owner> = (request.valid.into_iter())
            .map(|attachment| Owner::new(attachment.container_id, attachment.ifname))
            .collect();
        let mut collected = CniCollected::default();
        for lease in not_listed(self.ipam.leases(), &request.network, &valid) {
            let attachment = CniAttachment {
                container_id: lease.owner.container_id.clone(),
                ifname: lease.owner.ifname.clone(),
            };
            match self.collect(&lease).await {
                Ok(true) => collected.removed.push(attachment),
                Ok(false) => {
                    tracing::debug!(owner = %lease.owner, "left to the next GC: it is being changed")
                }
                Err(error) => collected.failed.push(format!("{}: {error}", lease.owner)),
            }
        }
        // While a ledger is new, it is not known which links have a pod.
        if !self.ipam.is_fresh() {
            self.collect_strays(&valid, &mut collected.failed).await;
        }
        let (removed, failed) = (collected.removed.len(), collected.failed.len());
        tracing::info!(
            network = request.network,
            valid = valid.len(),
            removed,
            failed,
            "collected what no pod needs"
        );
        Ok(collected)
    }

    /// False where it is being changed.
    async fn collect(&self, lease: &Lease) -> Result<bool, ApiError> {
        let owner = &lease.owner;
        let name = attach::host_ifname(&owner.container_id, &owner.ifname);
        let Some(_held) = self.turns.take_if_free(&name) else {
            return Ok(false);
        };
        if self.ipam.lease(owner).as_ref() != Some(lease) {
            return Ok(false);
        }
        self.unplug(owner).await?;
        self.forget_queued(owner);
        Ok(true)
    }

    /// Pod links that no lease has, of whatever network they were: without a lease there is no route to them.
    async fn collect_strays(&self, valid: &BTreeSet<Owner>, failed: &mut Vec<String>) {
        let links = match in_kernel(attach::list).await {
            Ok(links) => links,
            Err(error) => return failed.push(error.to_string()),
        };
        let listed: BTreeSet<String> = (valid.iter())
            .map(|owner| attach::host_ifname(&owner.container_id, &owner.ifname))
            .collect();
        for link in links.into_iter().filter(|link| !listed.contains(link)) {
            let Some(_held) = self.turns.take_if_free(&link) else {
                continue;
            };
            if self.ipam.leases().iter().any(|lease| lease.host_ifname == link) {
                continue;
            }
            let name = link.clone();
            match in_kernel(move || attach::remove(&name)).await {
                Ok(()) => tracing::warn!(link, "a pod link that no lease has is removed"),
                Err(error) => failed.push(format!("link {link}: {error}")),
            }
        }
    }
}

fn not_listed(leases: Vec<Lease>, network: &str, valid: &BTreeSet<Owner>) -> Vec<Lease> {
    let of_network = leases.into_iter().filter(|lease| lease.network == network);
    // The gateway of a bridge goes with the last of its pods.
    of_network
        .filter(|lease| !lease.owner.is_gateway() && !valid.contains(&lease.owner))
        .collect()
}
