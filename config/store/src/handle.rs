//! What the rest of the agent holds of a datastore, whichever it is.

use std::sync::Arc;

use datastore::{Datastore, SpaceView};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::contact::Contact;
use crate::last_good::Saved;
use crate::state::StoreState;

/// A followed datastore; its tasks stop when the last clone of its handle is dropped.
#[derive(Clone)]
pub struct Handle {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) state: watch::Receiver<Arc<StoreState>>,
    pub(crate) contact: watch::Receiver<Contact>,
    pub(crate) resources: watch::Receiver<Option<Arc<SpaceView>>>,
    /// Kept whole, so that a receiver of a store without ownership waits for ever and does not see an end.
    pub(crate) ownership: Arc<watch::Sender<Option<Arc<SpaceView>>>>,
    pub(crate) datastore: Arc<dyn Datastore>,
    pub(crate) saved: Option<Arc<Saved>>,
    pub(crate) reload: Box<dyn Fn() + Send + Sync>,
    pub(crate) tasks: Vec<AbortHandle>,
}

impl Handle {
    /// The state, now and after every change.
    pub fn state(&self) -> watch::Receiver<Arc<StoreState>> {
        self.inner.state.clone()
    }

    /// Whether the store is in reach. `last_seen` moves without notice; every other change is notified.
    pub fn contact(&self) -> watch::Receiver<Contact> {
        self.inner.contact.clone()
    }

    /// The store itself, to read and write.
    pub fn datastore(&self) -> Arc<dyn Datastore> {
        Arc::clone(&self.inner.datastore)
    }

    /// The raw resources. None until the store has given them; with kind `file`, the documents of the last good text.
    pub fn resources(&self) -> watch::Receiver<Option<Arc<SpaceView>>> {
        self.inner.resources.clone()
    }

    /// Who owns what. None until the store has given it; with kind `file`, for ever.
    pub fn ownership(&self) -> watch::Receiver<Option<Arc<SpaceView>>> {
        self.inner.ownership.subscribe()
    }

    /// What an earlier run kept of the resources, as it was found at the start.
    pub fn saved(&self) -> Option<Arc<Saved>> {
        self.inner.saved.clone()
    }

    /// Reads again soon, without waiting for an event.
    pub fn reload(&self) {
        (self.inner.reload)();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
