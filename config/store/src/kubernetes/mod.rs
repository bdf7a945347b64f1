//! Kubernetes as the datastore: resources and records are custom resources of group `roadbed.dev`, and Nodes are
//! read from Kubernetes itself with what ours of the same name adds.
//!
//! A key becomes an object by [`kinds`] and [`object`]; a Node is merged by [`node`]; [`list`] and [`watch`] read
//! whole spaces, [`write`] changes one key over the `resourceVersion` that was seen; [`transport`] bounds each
//! request in time and attempts, and [`error`] says what went wrong. [`lease`] and [`presence`] are
//! who is alive; [`access`] are the rights that all this needs;
//! [`crds`] are the definitions that
//! `deploy/crds` is made from.
//!
//! The API server changes one object at a time: [`KubeStore`] is a [`Datastore`] and not
//! [`datastore::Transactional`]. What is different from etcd else: a space is not one moment but one for each kind,
//! writing what is there already is no new version, and the core half of a Node cannot be written from here.

pub mod access;
mod connect;
pub mod crds;
mod error;
mod fold;
pub mod kinds;
mod lease;
mod list;
mod node;
mod object;
mod presence;
mod revision;
mod transport;
mod watch;
mod write;

pub use connect::client;
pub use transport::Timing;

use config::KubernetesSettings;
use datastore::{
    Answer, Changes, Datastore, Error, Expect, Item, Key, Listing, Outcome, Presence, Revision, Space, Write,
};
use futures::FutureExt;
use futures::stream::BoxStream;
use serde_json::Value;

use transport::Transport;

/// The store. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub struct KubeStore {
    transport: Transport,
}

impl KubeStore {
    /// A store by these settings. Does not wait for the server: one that is away shows it with the first call. To be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is no usable kubeconfig, or no service account outside of one.
    pub async fn connect(settings: &KubernetesSettings) -> Result<Self, Error> {
        Self::connect_with(settings, Timing::default()).await
    }

    /// The same with other limits of time.
    ///
    /// # Errors
    /// As for [`KubeStore::connect`].
    pub async fn connect_with(settings: &KubernetesSettings, timing: Timing) -> Result<Self, Error> {
        let transport = connect::transport(settings, timing).await?;
        Ok(KubeStore { transport })
    }

    /// Writes the status of a resource: its status subresource, and nothing else of it. A Node's is that of our
    /// custom resource.
    ///
    /// # Errors
    /// As for [`Datastore::write`]; where there is no such object, [`Outcome::Conflict`].
    pub async fn write_status(&self, key: &Key, status: &Value) -> Result<Outcome, Error> {
        self.transport.status(key, status).await
    }
}

impl Datastore for KubeStore {
    fn describe(&self) -> String {
        self.transport.says.store.clone()
    }

    fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
        let key = key.clone();
        async move { self.transport.item(&key).await }.boxed()
    }

    fn list(&self, space: Space) -> Answer<'_, Listing> {
        self.transport.space(space).boxed()
    }

    fn watch(&self, space: Space, after: Revision) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>> {
        watch::watch(self.transport.clone(), space, after).boxed()
    }

    fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome> {
        self.transport.write(write, expect).boxed()
    }

    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }
}
