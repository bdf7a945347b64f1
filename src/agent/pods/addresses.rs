//! An address for a pod: from the ledger, and where its blocks have none, by waiting for a block or a loan.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use config::api::{ApiError, ErrorKind};
use datastore::Key;
use ipam::cluster::StickyRecord;
use ipam::keeper::KeeperStatus;
use ipam::local::Want;
use ipam::{Ipam, Lease, Owner, Request};
use tokio::sync::watch;

use super::Pods;
use super::answer::ledger_error;
use super::wishes::Wanted;

/// How long ADD waits for a block or a loan that it asked for.
const BLOCK_DEADLINE: Duration = Duration::from_secs(10);
/// How long ADD waits for the datastore to say which addresses a workload had.
const RECORD_DEADLINE: Duration = Duration::from_secs(1);
/// How long what an ADD asked for stays asked for.
const WANT_LASTS: Duration = Duration::from_secs(60);

impl Pods {
    /// An address from the ledger, as `take` takes it there. Where another block or a loan would help, it is asked for,
    /// and the ledger is asked again when it has changed.
    pub(super) async fn assign<T: Send + 'static>(
        &self,
        mut wanted: Wanted,
        take: impl Fn(&Ipam, &Request, SystemTime) -> Result<T, ipam::Error> + Clone + Send + 'static,
    ) -> Result<T, ApiError> {
        let deadline = Instant::now() + BLOCK_DEADLINE;
        let (mut changes, mut keeper) = (self.changes(), self.keeper.get().cloned());
        let mut registered: BTreeSet<Want> = BTreeSet::new();
        loop {
            changes.mark_unchanged();
            if let Some(keeper) = &mut keeper {
                keeper.mark_unchanged();
            }
            let (asked, take) = (wanted.request.clone(), take.clone());
            let assigned = self
                .blocking(move |ipam| Ok(take(ipam, &asked, SystemTime::now())))
                .await?;
            let error = match assigned {
                Ok(taken) => {
                    // Who else waits for the same registers it again when the ledger changes, as it did just now.
                    let over = SystemTime::now();
                    registered.into_iter().for_each(|want| self.ipam.want(want, over));
                    return Ok(taken);
                }
                Err(error) => error,
            };
            let wants = error.wants();
            let hopeless = self.hopeless(&wants);
            let lost = hopeless.is_some() || self.is_lost(&error, wanted.request.sticky.as_deref());
            if lost && wanted.follows && !wanted.request.wanted.is_empty() {
                // The pod asked for the address that it had, whichever that was: it works with a new one as well.
                tracing::warn!(workload = wanted.request.sticky, %error, hopeless, "the pod's address does not follow it");
                wanted.request.wanted.clear();
                continue;
            }
            if let Some(why) = hopeless {
                return Err(ApiError::new(ErrorKind::TryLater, format!("{error}: {why}"), ""));
            }
            let waits = !wants.is_empty() || matches!(error, ipam::Error::Recovering);
            if !self.shared_out || !waits || Instant::now() >= deadline {
                return Err(ledger_error(&error));
            }
            for want in wants {
                // Longer than this call: the runtime tries again, and finds the block then.
                self.ipam.want(want.clone(), SystemTime::now() + WANT_LASTS);
                registered.insert(want);
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = judged(&mut keeper) => {}
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
        }
    }

    /// Why no block and no loan will come, if those who decide about them said so.
    fn hopeless(&self, wants: &[Want]) -> Option<String> {
        let status = self.keeper.get()?.borrow().clone();
        let known = status.hopeless.iter().find(|h| wants.contains(&h.want))?;
        Some(known.why.clone())
    }

    /// An address that a workload had does not come back to it by waiting: its pool was closed, or it is another's now.
    /// What an earlier pod of the workload has still is waited for.
    fn is_lost(&self, error: &ipam::Error, workload: Option<&str>) -> bool {
        match error {
            ipam::Error::PoolClosed { .. } | ipam::Error::Reserved { .. } | ipam::Error::Kept { .. } => true,
            ipam::Error::Taken { holder, .. } => {
                let lease = self.ipam.lease(holder);
                lease.is_some_and(|lease| lease.sticky.as_deref() != workload)
            }
            _ => false,
        }
    }

    /// The addresses that follow a workload, as the datastore remembers them. What is followed of it may be a moment
    /// old, or minutes while a watch is broken: a workload that is not known is asked for by itself.
    pub(super) async fn following(&self, workload: &str) -> Vec<IpAddr> {
        let key = Key::Sticky(workload.to_owned());
        let value = match self.followed(&key) {
            Some(value) => Some(value),
            None => self.asked(&key).await,
        };
        addresses(value)
    }

    /// Whether addresses are known to follow a workload. Nobody is asked: this is for when others are away.
    pub(super) fn is_followed(&self, workload: &str) -> bool {
        !addresses(self.followed(&Key::Sticky(workload.to_owned()))).is_empty()
    }

    /// A record as it is followed.
    fn followed(&self, key: &Key) -> Option<Arc<str>> {
        let view = self.records.get()?.borrow().clone()?;
        view.items.get(key).map(|item| item.value.clone())
    }

    /// A record that is asked for; none where the datastore does not answer soon: it may be away for long, and the pod
    /// is to come up with another address then.
    async fn asked(&self, key: &Key) -> Option<Arc<str>> {
        let store = self.store.get()?;
        match tokio::time::timeout(RECORD_DEADLINE, store.get(key)).await {
            Ok(Ok(item)) => item.map(|item| item.value),
            Ok(Err(error)) => {
                tracing::warn!(%key, %error, "not known whether the pod has an address of its own");
                None
            }
            Err(_) => {
                tracing::warn!(%key, "not known whether the pod has an address of its own: the datastore is silent");
                None
            }
        }
    }

    pub(super) async fn release(&self, owner: &Owner) -> Result<Option<Lease>, ApiError> {
        let owner = owner.clone();
        self.blocking(move |ipam| ipam.release(&owner, SystemTime::now()))
            .await
    }

    /// Ledger writes wait for the disk: they run on a thread for such work.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ipam) -> Result<T, ipam::Error> + Send + 'static,
    ) -> Result<T, ApiError> {
        let ipam = self.ipam.clone();
        match tokio::task::spawn_blocking(move || work(&ipam)).await {
            Ok(outcome) => outcome.map_err(|e| ledger_error(&e)),
            Err(error) => Err(ApiError::new(
                ErrorKind::Internal,
                format!("the ledger failed inside: {error}"),
                "",
            )),
        }
    }
}

/// What a record of a workload says; none where there is none that can be read.
fn addresses(record: Option<Arc<str>>) -> Vec<IpAddr> {
    let record = record.and_then(|text| StickyRecord::parse(&text).ok());
    record.map_or_else(Vec::new, |record| record.addresses)
}

/// Those who decide about blocks said something new; never, where there are none.
async fn judged(keeper: &mut Option<watch::Receiver<Arc<KeeperStatus>>>) {
    let changed = match keeper {
        Some(keeper) => keeper.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use ipam::local::LedgerStep;

    use super::*;

    /// What asks for this address as that of a workload.
    fn wanted(container: &str, address: IpAddr, workload: &str, follows: bool) -> Wanted {
        let request = Request {
            owner: Owner::new(container, "eth0"),
            network: "pods".into(),
            pod: None,
            netns: "/run/netns/x".into(),
            host_ifname: attach::host_ifname(container, "eth0"),
            wanted: vec![address],
            pools: Vec::new(),
            sticky: Some(workload.into()),
        };
        Wanted {
            request,
            follows,
            mac: None,
        }
    }

    #[tokio::test]
    async fn a_workload_whose_address_is_anothers_now_gets_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let pods = Pods::open(dir.path(), false).unwrap();
        let block = "10.0.0.0/29".parse().unwrap();
        pods.ipam
            .set_given(vec![(block, None)], SystemTime::now())
            .unwrap();
        pods.ipam.apply(&[LedgerStep::Known], SystemTime::now()).unwrap();
        let take = |ipam: &Ipam, request: &Request, now| ipam.assign(request, now);
        let address = "10.0.0.5".parse().unwrap();
        let first = pods.assign(wanted("a", address, "shop.a", false), take).await;
        assert_eq!(first.unwrap().addresses, [address]);
        // Asked for by name, it is that one or none; an earlier pod of the same workload is waited for.
        for (workload, follows) in [("shop.b", false), ("shop.a", true)] {
            let refused = pods
                .assign(wanted("b", address, workload, follows), take)
                .await
                .unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
        }
        let other = pods.assign(wanted("b", address, "shop.b", true), take).await;
        assert_ne!(other.unwrap().addresses, [address]);
    }
}
