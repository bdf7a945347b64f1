//! From settings to a store: [`open`] for the agent, [`connect`] for the command line.

use std::path::Path;
use std::sync::Arc;

use config::Rules;
use datastore::Datastore;

use crate::error::Error;
use crate::etcd::EtcdStore;
use crate::file::{self, FileStore};
use crate::follow;
use crate::handle::Handle;
use crate::kubernetes::KubeStore;
use crate::last_good::Memory;

/// `file`, `etcd` or `kubernetes`.
pub fn kind_of(settings: &config::Datastore) -> &'static str {
    match settings {
        config::Datastore::File { .. } => "file",
        config::Datastore::Etcd(_) => "etcd",
        config::Datastore::Kubernetes(_) => "kubernetes",
    }
}

/// The rules by which resources of this store are read.
pub fn rules_of(settings: &config::Datastore) -> Rules {
    Rules {
        shared_out: !matches!(settings, config::Datastore::File { .. }),
    }
}

/// Starts to follow a store. A store that is away, or whose resources are bad, is no error: the state says so, and
/// starts from the last good resources under `state_dir` (none for callers that keep nothing).
///
/// Waits for the first answer of the store, a few seconds at most. To be called within a tokio runtime.
///
/// # Errors
/// Settings that no store can be had from: a path that is no file's, certificates that cannot be read.
pub async fn open(settings: &config::Datastore, state_dir: Option<&Path>) -> Result<Handle, Error> {
    let (kind, rules) = (kind_of(settings), rules_of(settings));
    let memory = Memory::open(state_dir, kind, rules).await;
    match settings {
        config::Datastore::File { path } => file::start(path, file::Timing::default(), memory),
        _ => {
            let store = connect(settings).await?;
            Ok(follow::start(store, kind, rules, memory, follow::Timing::default()).await)
        }
    }
}

/// The bare store. Nothing is followed; a store that is away shows it with the first call.
///
/// # Errors
/// As for [`open`].
pub async fn connect(settings: &config::Datastore) -> Result<Arc<dyn Datastore>, Error> {
    match settings {
        config::Datastore::File { path } => Ok(Arc::new(FileStore::new(path)?)),
        config::Datastore::Etcd(settings) => Ok(Arc::new(EtcdStore::connect(settings)?)),
        config::Datastore::Kubernetes(settings) => Ok(Arc::new(KubeStore::connect(settings).await?)),
    }
}
