//! CNI DEL: the link goes before its lease, for a released address may be given out at once; the reconciler takes the
//! host route away with the lease. What is not there is a success.

use config::api::ApiError;
use config::api::cni::{CniDel, CniDeleted};
use ipam::Owner;

use super::Pods;
use super::link::{forget_rules, in_kernel};

impl Pods {
    /// CNI DEL, of an interface of ours or of another plugin's with an address of ours.
    pub async fn del(&self, request: CniDel) -> Result<CniDeleted, ApiError> {
        let owner = Owner::new(request.container_id, request.ifname);
        let _held = self
            .turns
            .take(&attach::host_ifname(&owner.container_id, &owner.ifname))
            .await;
        let deleted = self.unplug(&owner).await?;
        // One of the same attachment that waits on disk is carried out with it.
        self.forget_queued(&owner);
        Ok(deleted)
    }

    /// Removes link and lease; whose turn it is calls it.
    pub(super) async fn unplug(&self, owner: &Owner) -> Result<CniDeleted, ApiError> {
        let host_ifname = attach::host_ifname(&owner.container_id, &owner.ifname);
        let link = host_ifname.clone();
        in_kernel(move || attach::remove(&link)).await?;
        let lease = self.release(owner).await?;
        if let Some(lease) = lease.as_ref().filter(|lease| !lease.is_address_only()) {
            forget_rules(lease).await;
        }
        let released = lease.map_or_else(Vec::new, |lease| lease.addresses);
        self.touch();
        tracing::info!(addresses = ?released, interface = %host_ifname, "pod unplugged");
        Ok(CniDeleted { released })
    }
}
