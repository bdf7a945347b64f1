//! Presence: a key on a lease that is renewed for as long as its holder lives.
//!
//! A task renews the lease three times within its time to live and looks whether the key is still there. If the lease
//! was lost in an outage, or the key to somebody's hand, both are made anew. When the holder lets go, or dies, the
//! key ends with the lease.

use std::time::Duration;

use datastore::{Error, Hold, Key};
use etcd_client::PutOptions;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::EtcdStore;
use super::calls::{Kind, pauses};
use super::errors::Trouble;
use super::pool::Live;

/// The shortest time to live: an election of a new leader has to fit in.
const SHORTEST: Duration = Duration::from_secs(5);

/// Puts the key there and keeps it.
pub(super) async fn hold(store: EtcdStore, key: Key, value: String, ttl: Duration) -> Result<Hold, Error> {
    let ttl = Duration::from_secs(ttl.max(SHORTEST).as_secs());
    let mut keeper = Keeper {
        path: store.shared.layout.path(&key),
        store,
        value,
        ttl,
        lease: None,
    };
    if let Err(trouble) = keeper.keep().await {
        return Err(keeper.store.error(trouble));
    }
    Ok(Hold::new(Running(tokio::spawn(keeper.run()))))
}

/// Ends the task with the hold.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Keeper {
    store: EtcdStore,
    path: String,
    value: String,
    ttl: Duration,
    lease: Option<i64>,
}

impl Keeper {
    async fn run(mut self) {
        let mut waits = pauses(self.store.shared.pool.timing.pause);
        loop {
            sleep(self.ttl / 3).await;
            while let Err(trouble) = self.keep().await {
                tracing::debug!(store = %self.store.shared.name, why = trouble.detail(), "presence was not renewed");
                sleep(waits.next().unwrap_or_default()).await;
            }
            waits = pauses(self.store.shared.pool.timing.pause);
        }
    }

    /// Renews the lease, or gets a new one, and puts the key there if it is not.
    async fn keep(&mut self) -> Result<(), Trouble> {
        let known = match self.lease {
            Some(lease) if self.renew(lease).await? => Some(lease),
            _ => None,
        };
        let lease = match known {
            Some(lease) => lease,
            None => self.grant().await?,
        };
        self.lease = Some(lease);
        let found = self
            .store
            .range(self.path.clone().into_bytes(), None, 1, 0)
            .await?;
        // A key on another lease is a holder of the same name; when it ends, its key does, and ours follows.
        // What lies there after our own lease was lost ends as well.
        let there = found
            .kvs()
            .first()
            .is_some_and(|pair| known.is_some() && pair.lease() != 0);
        if there { Ok(()) } else { self.put(lease).await }
    }

    /// Whether the lease is still there.
    async fn renew(&self, lease: i64) -> Result<bool, Trouble> {
        let renew = |live: Live| async move {
            match live.client.lease_client().keep_alive(lease).await {
                Ok(_) => Ok(true),
                Err(etcd_client::Error::LeaseKeepAliveError(_)) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.store.shared.pool.call(Kind::Repeatable, renew).await
    }

    async fn grant(&self) -> Result<i64, Trouble> {
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        // One lease too many, granted by an answer that was lost, ends by itself.
        let grant = |live: Live| async move { live.client.lease_client().grant(ttl, None).await };
        Ok(self.store.shared.pool.call(Kind::Repeatable, grant).await?.id())
    }

    async fn put(&mut self, lease: i64) -> Result<(), Trouble> {
        let put = |live: Live| {
            let (path, value) = (self.path.clone(), self.value.clone());
            async move {
                let options = PutOptions::new().with_lease(lease);
                live.client.kv_client().put(path, value, Some(options)).await
            }
        };
        let done = self.store.shared.pool.call(Kind::Repeatable, put).await;
        if done.is_err() {
            // Whatever the reason, the next attempt begins with a lease of its own.
            self.lease = None;
        }
        done.map(drop)
    }
}
