//! Following the API server: one watch for each kind, what they brought put together, published in steps.
//!
//! `kube`'s watcher lists, watches from there with bookmarks, and lists again after `410 Gone`; what it brings goes
//! through [`convert`] into [`known`], and from there, at most every [`Pace::publish`], out as one value. What was
//! known stays when the server is away, until a whole new list is there (law 4). That a server is back shows in
//! its answers and not in changes, which may be rare: [`client`] watches the answers.

mod client;
pub mod known;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use backon::BackoffBuilder;
use futures::StreamExt;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::error;
use crate::model::convert::{self, Slice};
use crate::model::{Cluster, Namespace, ObjectName, Pod, Service};
use crate::node::NodeView;
use crate::pace::Pace;
use crate::problems::Problems;
use known::{Kind, Known, Table};

/// A list that brings nothing for so long is begun anew.
const LIST: Duration = Duration::from_secs(60);

/// After so long without an error the next one is the first again.
const CALM: Duration = Duration::from_secs(60);

/// What the tasks share.
pub struct Shared {
    /// Name of this node's Node.
    pub node_name: String,
    /// What is known.
    known: Mutex<Known>,
    changed: Notify,
    /// As it is published.
    pub cluster: watch::Sender<Arc<Cluster>>,
    /// This node's Node, as soon as it changes.
    pub node: watch::Sender<Option<NodeView>>,
    /// What is wrong.
    pub problems: Problems,
    /// How fast things go.
    pub pace: Pace,
}

impl Shared {
    /// Nothing is known yet; these kinds are to be.
    pub fn new(node_name: String, pace: Pace, kinds: impl IntoIterator<Item = Kind>) -> Arc<Self> {
        let known = Known {
            wanted: kinds.into_iter().collect(),
            ..Known::default()
        };
        Arc::new(Shared {
            node_name,
            known: Mutex::new(known),
            changed: Notify::new(),
            cluster: watch::Sender::default(),
            node: watch::Sender::default(),
            problems: Problems::new(),
            pace,
        })
    }

    /// Changes what is known; published if `change` says that something is new.
    pub fn change(&self, change: impl FnOnce(&mut Known) -> bool) {
        let mut known = self.known();
        if !change(&mut known) {
            return;
        }
        self.node.send_if_modified(|node| {
            let differs = *node != known.node;
            if differs {
                node.clone_from(&known.node);
            }
            differs
        });
        self.changed.notify_one();
    }

    /// What is known, at this moment.
    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what is known, a burst of changes at once.
    pub async fn publish(self: Arc<Self>) {
        loop {
            self.changed.notified().await;
            self.publish_now();
            tokio::time::sleep(self.pace.publish).await;
        }
    }

    /// Publishes what is known at this moment. What is known stays held meanwhile: an older state never comes after a
    /// newer one.
    pub fn publish_now(&self) {
        let known = self.known();
        let now = known.cluster();
        self.cluster.send_if_modified(|cluster| {
            let differs = **cluster != now;
            if differs {
                *cluster = Arc::new(now);
            }
            differs
        });
    }
}

/// Follows one kind, for ever.
pub async fn follow(shared: Arc<Shared>, client: kube::Client, kind: Kind) {
    let client = client::observed(client, shared.clone(), kind);
    let node = shared.node_name.clone();
    match kind {
        Kind::Services => {
            let way = Way {
                kind,
                key: |service: &core::Service| convert::name(&service.metadata),
                value: convert::service,
                table: |known| -> &mut dyn Table<ObjectName, Service> { &mut known.services },
            };
            let api = Api::<core::Service>::all(client);
            way.follow(&shared, || watcher(api.clone(), cached()).boxed())
                .await
        }
        Kind::Endpoints => {
            let way = Way {
                kind,
                key: |slice: &EndpointSlice| convert::name(&slice.metadata),
                value: convert::slice,
                table: |known| -> &mut dyn Table<ObjectName, Slice> { &mut known.slices },
            };
            let api = Api::<EndpointSlice>::all(client);
            // As kube-proxy does: those of headless Services, which nodes do not serve, stay where they are.
            let served = cached().labels("!service.kubernetes.io/headless");
            way.follow(&shared, || watcher(api.clone(), served.clone()).boxed())
                .await
        }
        Kind::Pods => {
            let way = Way {
                kind,
                key: |pod: &PartialObjectMeta<core::Pod>| convert::name(&pod.metadata),
                value: |pod| Some(convert::pod(&pod.metadata)),
                table: |known| -> &mut dyn Table<ObjectName, Pod> { &mut known.pods },
            };
            let api = Api::<PartialObjectMeta<core::Pod>>::all(client);
            let ours = cached().fields(&format!("spec.nodeName={node}"));
            way.follow(&shared, || watcher(api.clone(), ours.clone()).boxed())
                .await
        }
        Kind::Namespaces => {
            let way = Way {
                kind,
                key: |namespace: &PartialObjectMeta<core::Namespace>| convert::name(&namespace.metadata).name,
                value: |namespace| Some(convert::namespace(&namespace.metadata)),
                table: |known| -> &mut dyn Table<String, Namespace> { &mut known.namespaces },
            };
            let api = Api::<PartialObjectMeta<core::Namespace>>::all(client);
            way.follow(&shared, || watcher(api.clone(), cached()).boxed())
                .await
        }
        Kind::Node => {
            let way = Way {
                kind,
                key: |node: &core::Node| convert::name(&node.metadata).name,
                value: |node| Some(NodeView::of(node)),
                table: |known| -> &mut dyn Table<String, NodeView> { &mut known.node },
            };
            let api = Api::<core::Node>::all(client);
            let own = Config::default().fields(&format!("metadata.name={node}"));
            way.follow(&shared, || watcher(api.clone(), own.clone()).boxed())
                .await
        }
    }
}

/// Lists may come from the server's cache: a thousand nodes that start at once are no load for etcd, and the watch
/// brings what is newer.
fn cached() -> Config {
    Config::default().any_semantic()
}

/// How objects of a kind get into what is known.
struct Way<T, K, V> {
    kind: Kind,
    key: fn(&T) -> K,
    /// None: it is as if the object were not there.
    value: fn(&T) -> Option<V>,
    table: fn(&mut Known) -> &mut dyn Table<K, V>,
}

type Stream<T> = futures::stream::BoxStream<'static, watcher::Result<Event<T>>>;

impl<T, K: Ord, V> Way<T, K, V>
where
    T: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    async fn follow(&self, shared: &Shared, start: impl Fn() -> Stream<T>) {
        let mut stream = start();
        let mut list: Option<BTreeMap<K, V>> = None;
        let mut backoff = Backoff::new(&shared.pace);
        loop {
            let next = match list {
                Some(_) => tokio::time::timeout(LIST, stream.next()).await,
                None => Ok(stream.next().await),
            };
            let problem = match next {
                Ok(Some(Ok(event))) => {
                    self.take(shared, event, &mut list);
                    continue;
                }
                Ok(Some(Err(error))) => {
                    // As an answer, not as an event: kube's watcher would ask for the same history for ever.
                    if error::is_gone_at_start(&error) {
                        stream = start();
                    }
                    error::of_watch(&error)
                }
                Ok(None) => None,
                Err(_) => {
                    stream = start();
                    Some(error::silence())
                }
            };
            if let Some(problem) = problem {
                shared.problems.set(self.kind.name(), problem, SystemTime::now());
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    fn take(&self, shared: &Shared, event: Event<T>, list: &mut Option<BTreeMap<K, V>>) {
        match event {
            Event::Init => *list = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                if let (Some(list), Some(value)) = (list, (self.value)(&object)) {
                    list.insert((self.key)(&object), value);
                }
            }
            Event::InitDone => {
                let all = list.take().unwrap_or_default();
                self.change(shared, |known| {
                    let changed = (self.table)(known).replace(all);
                    known.listed.insert(self.kind) | changed
                });
            }
            Event::Apply(object) => {
                let (key, value) = ((self.key)(&object), (self.value)(&object));
                self.change(shared, |known| match value {
                    Some(value) => (self.table)(known).put(key, value),
                    None => (self.table)(known).remove(&key),
                });
            }
            Event::Delete(object) => {
                let key = (self.key)(&object);
                self.change(shared, |known| (self.table)(known).remove(&key));
            }
        }
    }

    /// What comes of a kind that nobody wants any more is dropped.
    fn change(&self, shared: &Shared, change: impl FnOnce(&mut Known) -> bool) {
        shared.change(|known| known.wanted.contains(&self.kind) && change(known));
    }
}

/// Pauses that grow, with jitter so that nodes do not come back in step.
struct Backoff {
    pauses: backon::ExponentialBackoff,
    builder: backon::ExponentialBuilder,
    last: Option<Instant>,
    longest: Duration,
}

impl Backoff {
    fn new(pace: &Pace) -> Self {
        let builder = backon::ExponentialBuilder::default()
            .with_min_delay(pace.retry.0)
            .with_max_delay(pace.retry.1)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        Backoff {
            pauses: builder.build(),
            builder,
            last: None,
            longest: pace.retry.1,
        }
    }

    fn next(&mut self) -> Duration {
        let now = Instant::now();
        if self
            .last
            .replace(now)
            .is_some_and(|last| now.duration_since(last) > CALM)
        {
            self.pauses = self.builder.build();
        }
        self.pauses.next().unwrap_or(self.longest)
    }
}
