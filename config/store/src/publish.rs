//! From what was loaded to those who follow: the one place where states are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use config::{Loaded, Problem};
use datastore::SpaceView;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::last_good::{self, Memory};
use crate::state::{Origin, StoreState};

/// Publishes states, and hands what is good to the keeper on disk.
pub(crate) struct Publisher {
    state: Arc<watch::Sender<Arc<StoreState>>>,
    good: watch::Sender<Option<Arc<SpaceView>>>,
    /// Whether the store has said anything itself, good or bad.
    heard: AtomicBool,
    name: String,
}

impl Publisher {
    /// Starts from what the disk remembers. `name` is the store's in messages about the whole of it.
    pub(crate) fn start(
        memory: Memory,
        kind: &'static str,
        location: &str,
        name: String,
    ) -> (Publisher, AbortHandle) {
        let state = Arc::new(watch::Sender::new(Arc::new(memory.state(SystemTime::now()))));
        let (good, goods) = watch::channel(None);
        let keeper = last_good::keep(memory, kind, location.to_owned(), goods, Arc::clone(&state));
        let publisher = Publisher {
            state,
            good,
            heard: AtomicBool::new(false),
            name,
        };
        (publisher, tokio::spawn(keeper).abort_handle())
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<StoreState>> {
        self.state.subscribe()
    }

    /// Whether the store itself has said anything yet.
    pub(crate) fn heard(&self) -> bool {
        self.heard.load(Ordering::Acquire)
    }

    /// The store's own word. `view` is what it was loaded from; none where it could not be had.
    pub(crate) fn publish(&self, loaded: Loaded, view: Option<Arc<SpaceView>>) {
        self.heard.store(true, Ordering::Release);
        self.send(loaded);
        let fit = {
            let state = self.state.borrow();
            !state.is_bad() && state.origin == Origin::Live
        };
        if let Some(view) = view.filter(|_| fit) {
            self.good.send_replace(Some(view));
        }
    }

    /// The store has not said anything since the start, and this is why. Once it has, that is for the contact
    /// to tell: the state is then what the store said last.
    pub(crate) fn away(&self, why: &str) {
        if self.heard() {
            return;
        }
        let fix = match self.state.borrow().origin {
            Origin::LastGood { .. } => {
                "this node runs on the last good resources that it kept; make the datastore reachable"
            }
            Origin::Live => "nothing was kept from an earlier run; make the datastore reachable",
        };
        self.send(Loaded {
            intent: None,
            problems: vec![Problem::whole_file(&self.name, why, fix)],
        });
    }

    fn send(&self, loaded: Loaded) {
        let changed = self.state.send_if_modified(|state| {
            let next = state.after(loaded, &self.name, SystemTime::now());
            let changed = **state != next;
            if changed {
                *state = Arc::new(next);
            }
            changed
        });
        if changed {
            report(&self.name, &self.state.borrow());
        }
    }
}

fn report(store: &str, state: &StoreState) {
    for problem in &state.problems {
        if problem.is_error() {
            tracing::error!("{problem}")
        } else {
            tracing::warn!("{problem}")
        }
    }
    if state.is_bad() {
        tracing::error!(%store, revision = state.revision, "resources refused, the last good state stays");
    } else {
        tracing::info!(%store, revision = state.revision, "resources read");
    }
}
