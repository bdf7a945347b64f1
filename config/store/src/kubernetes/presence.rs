//! Holding and following leases.
//!
//! A hold is a task that renews its lease three times within its duration, through outages as well, until the hold is
//! dropped or the lease belongs to a later hold. Renewals are not watched, they would be events for every agent;
//! leases are listed from time to time instead, and only those that came or went are told.

use std::collections::BTreeMap;
use std::time::Duration;

use config::NodeName;
use datastore::{Answer, Change, Error, Hold, Item, Key, Presence};
use futures::FutureExt;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::core::Request;
use serde_json::Value;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::KubeStore;
use super::error::Call;
use super::kinds::Kind;
use super::lease::{self, Holding};
use super::object::text_of;
use super::transport::Transport;

/// The shortest duration of a lease.
const SHORTEST: Duration = Duration::from_secs(5);

/// Rounds against others that write the same lease.
const ROUNDS: usize = 4;

impl Presence for KubeStore {
    fn hold(&self, node: &NodeName, value: String, ttl: Duration) -> Answer<'_, Hold> {
        let holding = Holding {
            key: Key::Presence(node.to_string()),
            value,
            ttl: ttl.max(SHORTEST),
            since: Timestamp::now(),
        };
        let transport = self.transport.clone();
        async move {
            transport.renew(&holding, true).await?;
            let task = tokio::spawn(keep(transport, holding));
            Ok(Hold::new(Renewal(task.abort_handle())))
        }
        .boxed()
    }
}

/// Ends the renewal with the hold.
struct Renewal(AbortHandle);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep(transport: Transport, holding: Holding) {
    loop {
        sleep(holding.ttl / 3).await;
        match transport.renew(&holding, false).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::debug!(%error, "the lease of this node is not renewed yet"),
        }
    }
}

impl Transport {
    /// Makes or renews a lease; takes it from an earlier holding only where asked to. Says whether it is held.
    async fn renew(&self, holding: &Holding, take: bool) -> Result<bool, Error> {
        let name = Kind::object_name(&holding.key);
        for _ in 0..ROUNDS {
            let (path, params) = (Kind::Lease.path(), PostParams::default());
            let mut object = holding.object(Timestamp::now());
            let there = self.object(Kind::Lease, &name).await?;
            let (verb, request) = match there {
                None => ("create", Request::new(path).create(&params, body(&object))),
                Some(there) if !take && !holding.is(&there) => return Ok(false),
                Some(there) => {
                    object["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"].clone();
                    (
                        "update",
                        Request::new(path).replace(&name, &params, body(&object)),
                    )
                }
            };
            let request =
                request.map_err(|error| self.says.invalid(error.to_string(), "use another name"))?;
            let call = Call::new(verb, Kind::Lease, Some(&name));
            if matches!(self.call(&call, request).await?.code, 200 | 201) {
                return Ok(true);
            }
        }
        let call = Call::new("update", Kind::Lease, Some(&name));
        Err(self.says.lost(&call, "others write it all the time"))
    }

    /// Who is present.
    pub async fn present(&self) -> Result<Vec<Item>, Error> {
        let (leases, _) = self.objects(Kind::Lease, None).await?;
        let now = Timestamp::now();
        Ok(leases
            .iter()
            .filter_map(|object| lease::item(object, now))
            .collect())
    }
}

fn body(object: &Value) -> Vec<u8> {
    object.to_string().into_bytes()
}

/// What was told about presence.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<Key, Option<Item>>);

impl Told {
    /// What is new in a list of leases at this moment. A lease that does not count any more is told as well when
    /// nothing was told of it before: the listener may have listed it when it did.
    pub fn news(&mut self, leases: &[Value], now: Timestamp) -> Vec<Change> {
        let named = leases.iter().filter_map(|object| {
            let key = Kind::Lease.key(&text_of(&object["metadata"]["name"])).ok()?;
            Some((key, lease::item(object, now)))
        });
        let mut current: BTreeMap<Key, Option<Item>> = named.collect();
        for key in self.0.keys() {
            current.entry(key.clone()).or_default();
        }
        let changed = current
            .iter()
            .filter(|(key, item)| self.0.get(*key) != Some(*item));
        let changes = changed.map(|(key, item)| match item {
            Some(item) => Change::Put(item.clone()),
            None => Change::Deleted(key.clone()),
        });
        let changes = changes.collect();
        self.0 = current;
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_and_went_is_told() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let lease = |node: &str, since: i64, renewed: i64| {
            let (key, value) = (Key::Presence(node.into()), "{}".to_owned());
            Holding {
                key,
                value,
                ttl: Duration::from_secs(5),
                since: at(since),
            }
            .object(at(renewed))
        };
        let mut told = Told::default();
        let mut news = |leases: &[Value], now: i64| {
            let word = |change: &Change| match change {
                Change::Put(item) => format!("+{}", item.key.name()),
                Change::Deleted(key) => format!("-{}", key.name()),
            };
            told.news(leases, at(now))
                .iter()
                .map(word)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(news(&[lease("a", 100, 100), lease("old", 1, 1)], 100), "+a -old");
        assert_eq!(news(&[lease("a", 100, 105), lease("old", 1, 1)], 105), "");
        assert_eq!(news(&[lease("a", 100, 105), lease("b", 106, 106)], 106), "+b");
        assert_eq!(
            news(&[lease("a", 107, 107), lease("b", 106, 106)], 107),
            "+a",
            "another holding"
        );
        assert_eq!(news(&[lease("a", 107, 107)], 108), "-b");
        assert_eq!(news(&[lease("a", 107, 107)], 117), "-a");
        assert_eq!(news(&[], 118), "");
    }
}
