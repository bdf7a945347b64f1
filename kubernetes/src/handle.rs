//! What others hold of this crate: the tasks that follow and speak, behind one handle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use crate::follow::known::Kind;
use crate::follow::{self, Shared};
use crate::model::Cluster;
use crate::pace::Pace;
use crate::report::{Note, Report};
use crate::speak;
use crate::wishes::{Asker, WishError, Wishes};

/// So many things that happened wait to be counted.
const NOTES: usize = 1024;

/// Who speaks, and what is listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of this node's Node.
    pub node: String,
    /// Follow Services and their endpoints; [`Handle::follow_services`] changes it.
    pub services: bool,
}

/// The way to Kubernetes. Cheap to clone; what it started ends with the last clone.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    client: kube::Client,
    asker: Asker,
    reports: watch::Sender<Report>,
    notes: mpsc::Sender<Note>,
    tasks: Mutex<Tasks>,
    runtime: tokio::runtime::Handle,
}

#[derive(Default)]
struct Tasks {
    lasting: Vec<AbortHandle>,
    services: Vec<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.lasting.drain(..).chain(tasks.services.drain(..)) {
            task.abort();
        }
    }
}

/// Starts following. Returns at once; a server that is away is tried again for ever. To be called within a tokio runtime.
pub fn start(client: kube::Client, settings: Settings) -> Handle {
    start_at(client, settings, Pace::default())
}

/// The same at another pace.
pub fn start_at(client: kube::Client, settings: Settings, pace: Pace) -> Handle {
    let kinds = [Kind::Pods, Kind::Namespaces, Kind::Node];
    let shared = Shared::new(settings.node, pace, kinds);
    let runtime = tokio::runtime::Handle::current();
    let (reports, notes) = (watch::Sender::<Report>::default(), mpsc::channel(NOTES));
    let mut lasting = vec![
        runtime.spawn(shared.clone().publish()),
        runtime.spawn(speak::node::run(
            shared.clone(),
            client.clone(),
            reports.subscribe(),
        )),
        runtime.spawn(speak::bgp::run(
            shared.clone(),
            client.clone(),
            reports.subscribe(),
        )),
        runtime.spawn(speak::events::run(shared.clone(), client.clone(), notes.1)),
    ];
    lasting.extend(kinds.map(|kind| runtime.spawn(follow::follow(shared.clone(), client.clone(), kind))));
    let lasting = lasting.iter().map(|task| task.abort_handle()).collect();
    let handle = Handle(Arc::new(Inner {
        asker: Asker::new(shared.clone(), client.clone()),
        shared,
        client,
        reports,
        notes: notes.0,
        tasks: Mutex::new(Tasks {
            lasting,
            services: Vec::new(),
        }),
        runtime,
    }));
    handle.follow_services(settings.services);
    handle
}

impl Handle {
    /// What is known.
    pub fn cluster(&self) -> watch::Receiver<Arc<Cluster>> {
        self.0.shared.cluster.subscribe()
    }

    /// What is wrong with the connection, and since when.
    pub fn problems(&self) -> watch::Receiver<Vec<(String, SystemTime)>> {
        self.0.shared.problems.subscribe()
    }

    /// Follows Services and their endpoints from now on, or no more: then they are forgotten. On a change to yes
    /// [`Cluster::synced`] is false until they are listed, in what [`Handle::cluster`] says from the return of this on.
    pub fn follow_services(&self, on: bool) {
        let Inner {
            shared,
            client,
            tasks,
            ..
        } = &*self.0;
        let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if on != tasks.services.is_empty() {
            return;
        }
        tasks.services.drain(..).for_each(|task| task.abort());
        shared.change(|known| {
            known.follow_services(on);
            true
        });
        shared.publish_now();
        for kind in [Kind::Services, Kind::Endpoints] {
            match on {
                true => {
                    let task = follow::follow(shared.clone(), client.clone(), kind);
                    tasks.services.push(self.0.runtime.spawn(task).abort_handle());
                }
                false => shared.problems.clear(kind.name()),
            }
        }
    }

    /// What a pod asks for; `None` where Kubernetes has no such pod. A pod that is not known yet is asked for, for two
    /// seconds at most.
    ///
    /// # Errors
    /// In words for the operator: the server is away and the pod is not known, or an annotation makes no sense.
    pub async fn wishes(
        &self,
        namespace: &str,
        name: &str,
        uid: Option<&str>,
    ) -> Result<Option<Wishes>, WishError> {
        self.0.asker.wishes(namespace, name, uid).await
    }

    /// What this node is to say from now on.
    pub fn report(&self, report: Report) {
        self.0.reports.send_if_modified(|known| {
            let differs = *known != report;
            *known = report;
            differs
        });
    }

    /// Something that happened. Never waits; repetitions are counted, and a flood is cut.
    pub fn note(&self, note: Note) {
        if self.0.notes.try_send(note).is_err() {
            tracing::debug!("too much happens at once for Events");
        }
    }
}
