//! Secrets with passwords: each is followed by its name, in the namespace of the agent, and nothing else is read of them.
//!
//! A right is needed for those names alone (`resourceNames`). What was known stays while the server is away; a Secret
//! that has been deleted is known to be gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1 as core;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Pause after an error of the server: the rights may be granted any minute.
const RETRY: Duration = Duration::from_secs(5);

/// The Secret that the manifests let nodes read; others need a Role of their own.
pub const DEFAULT_SECRET: &str = "roadbed-bgp-passwords";

/// What is known of a Secret. Its data are in no formatting of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// It was read: value by key.
    Known(BTreeMap<String, Vec<u8>>),
    /// There is none of that name.
    Missing,
    /// It could not be read yet, for this reason.
    Unread(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Known(data) => f.debug_tuple("Known").field(&data.keys()).finish(),
            Secret::Missing => f.write_str("Missing"),
            Secret::Unread(why) => f.debug_tuple("Unread").field(why).finish(),
        }
    }
}

/// Secrets by name; one that is absent has not been answered for yet.
pub type Secrets = BTreeMap<String, Secret>;

/// Follows those that are wanted. What it started ends with it.
pub struct Follower {
    client: Client,
    runtime: tokio::runtime::Handle,
    known: Arc<watch::Sender<Arc<Secrets>>>,
    tasks: Mutex<BTreeMap<String, AbortHandle>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        tasks.values().for_each(AbortHandle::abort);
    }
}

impl Follower {
    /// Nothing is wanted yet. To be called within a tokio runtime.
    pub fn new(client: Client) -> Self {
        Follower {
            client,
            runtime: tokio::runtime::Handle::current(),
            known: Arc::default(),
            tasks: Mutex::default(),
        }
    }

    /// What is known.
    pub fn known(&self) -> watch::Receiver<Arc<Secrets>> {
        self.known.subscribe()
    }

    /// These are wanted from now on; the others are forgotten.
    pub fn want(&self, names: &BTreeSet<String>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|name, task| {
            let wanted = names.contains(name);
            if !wanted {
                task.abort();
                self.known.send_modify(|known| {
                    Arc::make_mut(known).remove(name);
                });
            }
            wanted
        });
        for name in names {
            tasks.entry(name.clone()).or_insert_with(|| {
                let api = Api::namespaced(self.client.clone(), self.client.default_namespace());
                let follow = follow(api, name.clone(), self.known.clone());
                self.runtime.spawn(follow).abort_handle()
            });
        }
    }
}

async fn follow(api: Api<core::Secret>, name: String, known: Arc<watch::Sender<Arc<Secrets>>>) {
    let put = |secret: Secret| {
        known.send_if_modified(|known| {
            let differs = known.get(&name) != Some(&secret);
            if differs {
                Arc::make_mut(known).insert(name.clone(), secret);
            }
            differs
        });
    };
    loop {
        let mut stream = std::pin::pin!(watch_object(api.clone(), &name));
        while let Some(news) = stream.next().await {
            match news {
                Ok(Some(secret)) => put(Secret::Known(data(secret))),
                Ok(None) => put(Secret::Missing),
                Err(error) => {
                    // What was known is better than nothing.
                    if !matches!(known.borrow().get(&name), Some(Secret::Known(_))) {
                        put(Secret::Unread(error.to_string()));
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

fn data(secret: core::Secret) -> BTreeMap<String, Vec<u8>> {
    let data = secret.data.unwrap_or_default();
    data.into_iter().map(|(key, value)| (key, value.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_shows_keys_and_no_values() {
        let data = BTreeMap::from([("tor".to_owned(), b"swordfish".to_vec())]);
        let text = format!("{:?}", Secret::Known(data));
        assert!(
            text.contains("tor") && !text.contains("115") && !text.contains("sword"),
            "{text}"
        );
    }
}
