//! Work on the links of pods, from the tasks of the agent.

use config::api::{ApiError, ErrorKind};
use ipam::Lease;

use super::answer::link_error;

/// Link work blocks on netlink for a few milliseconds: it runs on a thread for such work.
pub(super) async fn in_kernel<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, attach::Error> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|e| link_error(&e)),
        Err(error) => Err(ApiError::new(
            ErrorKind::Internal,
            format!("link work failed inside: {error}"),
            "",
        )),
    }
}

/// Rules do not vanish with the interface: a pod that loses one of several networks would keep them. They lead to
/// a table that is empty now, so what fails here is no reason to keep the address.
pub(super) async fn forget_rules(lease: &Lease) {
    let (netns, link) = (lease.netns.clone(), lease.host_ifname.clone());
    if let Err(error) = in_kernel(move || attach::forget(netns.as_ref(), &link)).await {
        tracing::warn!(%error, interface = %lease.host_ifname, "rules of an interface that is gone stay in its pod");
    }
}
