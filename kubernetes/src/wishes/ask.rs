//! From the name of a pod to its wishes: what the watch has brought, or else a question to the server.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use kube::Api;
use tokio::time::{Instant, timeout_at};

use super::{Wishes, of};
use crate::error;
use crate::follow::Shared;
use crate::model::{Namespace, ObjectName, Pod, convert};

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

/// Knows the pods, or asks for them.
pub(crate) struct Asker {
    shared: Arc<Shared>,
    client: kube::Client,
}

impl Asker {
    pub fn new(shared: Arc<Shared>, client: kube::Client) -> Self {
        Asker { shared, client }
    }

    /// As [`crate::Handle::wishes`].
    pub async fn wishes(
        &self,
        namespace: &str,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<Wishes>, WishError> {
        let name = ObjectName::new(namespace, name);
        let until = Instant::now() + self.shared.pace.pod;
        let known = self.shared.known().pods.get(&name).cloned();
        let is_it = |pod: &Pod| uid.is_none_or(|uid| pod.uid == uid);
        let pod = match known.filter(is_it) {
            Some(pod) => Some(pod),
            None => self.pod(&name, until).await?.filter(is_it),
        };
        let Some(pod) = pod else {
            return Ok(None);
        };
        let known = self.shared.known().namespaces.get(namespace).cloned();
        let around = match known {
            Some(around) => around,
            None => self.namespace(namespace, until).await?.unwrap_or_default(),
        };
        of(&name, &pod, &around).map(Some).map_err(WishError::Invalid)
    }

    async fn pod(&self, name: &ObjectName, until: Instant) -> Result<Option<Pod>, WishError> {
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), &name.namespace);
        let asked = self.ask(until, || api.get_metadata_opt(&name.name)).await;
        let found = asked.map_err(|what| WishError::Away(format!("pod {name} is not known: {what}")))?;
        Ok(found.map(|pod| convert::pod(&pod.metadata)))
    }

    async fn namespace(&self, name: &str, until: Instant) -> Result<Option<Namespace>, WishError> {
        let api: Api<core::Namespace> = Api::all(self.client.clone());
        let asked = self.ask(until, || api.get_metadata_opt(name)).await;
        let found =
            asked.map_err(|what| WishError::Away(format!("namespace {name} is not known: {what}")))?;
        Ok(found.map(|namespace| convert::namespace(&namespace.metadata)))
    }

    /// Asks until there is an answer, or no time any more.
    async fn ask<T, F>(&self, until: Instant, request: impl Fn() -> F) -> Result<T, String>
    where
        F: Future<Output = kube::Result<T>>,
    {
        let mut what = error::silence();
        loop {
            match timeout_at(until, request()).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(error)) => what = error::says(&error),
                Err(_) => return Err(what),
            }
            let pause = self.shared.pace.retry.0.min(self.shared.pace.pod / 4);
            if Instant::now() + pause >= until {
                return Err(what);
            }
            tokio::time::sleep(pause).await;
        }
    }
}
