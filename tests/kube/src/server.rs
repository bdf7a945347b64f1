//! The server as a thing that tests start, stop and break.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use serde_json::json;
use tokio::sync::{oneshot, watch};

use crate::api::handle;
use crate::faults::{Fail, Faults};
use crate::resource::Resource;
use crate::rights::Rights;
use crate::state::State;

/// What wakes watches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signal {
    pub revision: u64,
    pub bookmarks: u64,
    pub drops: u64,
}

#[derive(Debug)]
pub struct Inner {
    pub state: State,
    pub faults: Faults,
    pub rights: Rights,
    pub gone_as_status: bool,
    pub body_limit: usize,
    pub streaming_lists: bool,
    pub requests: Vec<String>,
}

#[derive(Debug)]
pub struct Shared {
    inner: Mutex<Inner>,
    pub signals: watch::Sender<Signal>,
}

impl Shared {
    pub fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wakes watches if something was written.
    pub fn announce(&self) {
        let revision = self.with(|inner| inner.state.revision);
        self.signals
            .send_if_modified(|signal| std::mem::replace(&mut signal.revision, revision) != revision);
    }
}

/// A running (or stopped) stand-in. It ends when dropped.
#[derive(Debug)]
pub struct Standin {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Standin {
    /// Starts one on a free port of 127.0.0.1 that serves nodes, namespaces (with `default` and `kube-system`), pods, services,
    /// events, config maps, endpoint slices and leases.
    ///
    /// # Panics
    /// Where no port can be bound.
    pub fn start() -> Self {
        let inner = Inner {
            state: State::default(),
            faults: Faults::default(),
            rights: Rights::default(),
            gone_as_status: false,
            body_limit: 3 << 20,
            streaming_lists: true,
            requests: Vec::new(),
        };
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            signals: watch::Sender::new(Signal::default()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let mut standin = Standin {
            shared,
            address,
            running: None,
        };
        for resource in Resource::builtin() {
            standin.install(resource);
        }
        // The history begins somewhere, as after an installation.
        standin.shared.with(|inner| inner.state.revision = 98);
        for name in ["default", "kube-system"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            standin.put(&format!("/api/v1/namespaces/{name}"), namespace);
        }
        standin.serve(listener);
        standin
    }

    fn serve(&mut self, listener: TcpListener) {
        let app = Router::new()
            .fallback(handle)
            .layer(axum::extract::DefaultBodyLimit::disable());
        let app = app.with_state(self.shared.clone());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                listener
                    .set_nonblocking(true)
                    .expect("a socket can be non-blocking");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    served = axum::serve(listener, app) => served.expect("serving goes on"),
                    _ = stopped => {}
                }
            });
            // With the runtime end all connections.
            runtime.shutdown_timeout(Duration::from_millis(100));
        });
        self.running = Some((stop, thread));
    }

    /// Cuts every connection and refuses new ones; the objects stay.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            thread.join().expect("the server ends");
        }
    }

    /// Comes back at the same address.
    ///
    /// # Panics
    /// Where the port was taken by someone else meanwhile.
    pub fn restart(&mut self) {
        self.stop();
        let listener = std::iter::repeat_with(|| TcpListener::bind(self.address))
            .take(200)
            .find_map(|bound| {
                bound
                    .map_err(|_| std::thread::sleep(Duration::from_millis(20)))
                    .ok()
            });
        self.serve(listener.expect("the port is free again"));
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The text of a kubeconfig for it, with this bearer token.
    pub fn kubeconfig(&self, token: &str) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": self.url()}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        })
        .to_string()
    }

    /// Serves a type of objects from now on.
    pub fn install(&self, resource: Resource) {
        let key = (resource.group.clone(), resource.plural.clone());
        self.shared
            .with(|inner| inner.state.resources.insert(key, resource));
    }

    /// Serves one no more.
    pub fn uninstall(&self, group: &str, plural: &str) {
        self.shared.with(|inner| {
            inner
                .state
                .resources
                .remove(&(group.to_owned(), plural.to_owned()))
        });
    }

    /// From now on lists cannot be had as watches (`sendInitialEvents`), as with servers older than 1.32.
    pub fn refuse_streaming_lists(&self) {
        self.shared.with(|inner| inner.streaming_lists = false);
    }

    /// Forgets the history up to now: older watches and continued lists get `410 Gone`, as the status of the
    /// answer or as an event.
    pub fn compact(&self, as_status: bool) {
        self.shared.with(|inner| {
            inner.state.compacted = inner.state.revision;
            inner.gone_as_status = as_status;
        });
    }

    /// Sends a bookmark to every watch that wants some.
    pub fn bookmark(&self) {
        self.shared.signals.send_modify(|signal| signal.bookmarks += 1);
    }

    /// Ends every watch, as a restarting proxy does.
    pub fn drop_watches(&self) {
        self.shared.signals.send_modify(|signal| signal.drops += 1);
    }

    /// How many watches are open.
    pub fn watches(&self) -> usize {
        self.shared.signals.receiver_count()
    }

    /// From now on only these tokens may do these things.
    pub fn set_rights(&self, rights: Rights) {
        self.shared.with(|inner| inner.rights = rights);
    }

    /// Answers come this much later.
    pub fn delay(&self, delay: Duration) {
        self.shared.with(|inner| inner.faults.delay = delay);
    }

    /// Some requests fail.
    pub fn fail(&self, fail: Fail) {
        self.shared.with(|inner| inner.faults.fail = Some(fail));
    }

    /// The next writes are carried out, and their answers never come.
    pub fn lose_answers(&self, writes: usize) {
        self.shared.with(|inner| inner.faults.lost_answers = writes);
    }

    /// The requests so far, as `GET /path?query`; forgotten with that.
    pub fn requests(&self) -> Vec<String> {
        self.shared.with(|inner| std::mem::take(&mut inner.requests))
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.stop();
    }
}
