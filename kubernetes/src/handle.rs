//! Following the API server, and speaking to it.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use crate::model::Cluster;
use crate::report::{Note, Report};
use crate::wishes::Wishes;

/// Who speaks, and what is listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of this node's Node.
    pub node: String,
    /// Follow Services and their endpoints.
    pub services: bool,
}

/// The way to Kubernetes. Cheap to clone; what it started ends with the last clone.
#[derive(Clone)]
pub struct Handle {
    cluster: Arc<watch::Sender<Arc<Cluster>>>,
    problems: Arc<watch::Sender<Vec<(String, SystemTime)>>>,
}

/// Starts following. Returns at once; a server that is away is tried again for ever.
pub fn start(client: kube::Client, settings: Settings) -> Handle {
    let _ = (client, settings);
    Handle {
        cluster: Arc::new(watch::channel(Arc::default()).0),
        problems: Arc::new(watch::channel(Vec::new()).0),
    }
}

impl Handle {
    /// What is known.
    pub fn cluster(&self) -> watch::Receiver<Arc<Cluster>> {
        self.cluster.subscribe()
    }

    /// What is wrong with the connection, and since when.
    pub fn problems(&self) -> watch::Receiver<Vec<(String, SystemTime)>> {
        self.problems.subscribe()
    }

    /// What a pod asks for; `None` where Kubernetes has no such pod. Waits a moment for a pod that is not known yet.
    ///
    /// # Errors
    /// In words for the operator: the server is away and the pod is not known, or an annotation makes no sense.
    pub async fn wishes(
        &self,
        namespace: &str,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<Wishes>, WishError> {
        let _ = (namespace, name, uid);
        Ok(None)
    }

    /// What this node is to say from now on.
    pub fn report(&self, report: Report) {
        let _ = report;
    }

    /// Something that happened. Never waits; repetitions are counted, and a flood is cut.
    pub fn note(&self, note: Note) {
        let _ = note;
    }
}

/// Why it is not known what a pod asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// The server is away; trying again may help.
    #[error("{0}")]
    Away(String),
    /// An annotation makes no sense.
    #[error("{0}")]
    Invalid(String),
}
