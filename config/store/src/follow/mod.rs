//! Following a cluster's store: list, then watch, for ever.
//!
//! Each space has a task of its own (`space`) that keeps a `SpaceView` up to date and tells whether the store
//! answers; a silent watch is not trusted, small reads check on it (`doubt`). `load` turns every new view of the
//! resources into a state. Errors are met with pauses that grow and differ from node to node.
//!
//! ```text
//! list ─► SpaceView ◄─ watch ─► watch<SpaceView> ─► load_with ─► StoreState
//!              └─ check (get) ─► Contact
//! ```

mod doubt;
mod load;
mod space;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use config::Rules;
use datastore::{Datastore, Space};
use tokio::sync::{Notify, watch};

use crate::contact::{Contact, Reach};
use crate::handle::{Handle, Inner};
use crate::last_good::Memory;
use crate::publish::Publisher;

/// How long the followers wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a start waits for the first answer.
    pub first_look: Duration,
    /// A single question that takes longer is given up.
    pub limit: Duration,
    /// The first pause after an error; it doubles up to `retry_max`, and up to as much again is added by chance.
    pub retry_min: Duration,
    /// The longest pause.
    pub retry_max: Duration,
    /// How long a watch may be silent before the store is asked whether it is still there.
    pub check: Duration,
    /// When everything is listed again whatever the watch says.
    pub relist: Duration,
    /// After a change, how long further ones are waited for; at most ten times that.
    pub quiet: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            first_look: Duration::from_secs(5),
            limit: Duration::from_secs(30),
            retry_min: Duration::from_millis(200),
            retry_max: Duration::from_secs(10),
            check: Duration::from_secs(15),
            relist: Duration::from_secs(900),
            quiet: Duration::from_millis(20),
        }
    }
}

/// What the followers share.
struct Shared {
    reach: Mutex<Reach>,
    contact: watch::Sender<Contact>,
}

impl Shared {
    fn tell(&self, what: impl FnOnce(&mut Reach) -> &Contact) {
        // A panic while it was held leaves it as usable as before.
        let mut reach = self
            .reach
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let next = what(&mut reach);
        self.contact.send_if_modified(|contact| {
            let changed = (contact.away_since, &contact.problem) != (next.away_since, &next.problem)
                || contact.last_seen.is_none() != next.last_seen.is_none();
            contact.clone_from(next);
            changed
        });
    }
}

/// Follows any store without keeping anything on disk, read by the rules of shared blocks. For tests and tools;
/// the agent uses [`crate::open`].
pub async fn follow(store: Arc<dyn Datastore>, kind: &'static str, timing: Timing) -> Handle {
    start(store, kind, Rules { shared_out: true }, Memory::default(), timing).await
}

/// Starts the followers and waits for the first answer, `timing.first_look` at most.
pub(crate) async fn start(
    store: Arc<dyn Datastore>,
    kind: &'static str,
    rules: Rules,
    memory: Memory,
    timing: Timing,
) -> Handle {
    let name = store.describe();
    let location = name.strip_prefix(kind).unwrap_or(&name).trim().to_owned();
    let saved = memory.saved.as_ref().map(|(saved, _)| Arc::new(saved.clone()));
    let (publisher, keeper) = Publisher::start(memory, kind, &location, name.clone());
    let contact = Contact::new(kind, location);
    let shared = Arc::new(Shared {
        reach: Mutex::new(Reach::new(contact.clone())),
        contact: watch::Sender::new(contact),
    });
    let resources = Arc::new(watch::Sender::new(None));
    let ownership = Arc::new(watch::Sender::new(None));
    let wakes = [Arc::new(Notify::new()), Arc::new(Notify::new())];
    let mut tasks = vec![keeper];
    for (wake, (of, view)) in wakes
        .iter()
        .zip([(Space::Resources, &resources), (Space::Ownership, &ownership)])
    {
        let follower = space::Follower {
            store: Arc::clone(&store),
            space: of,
            timing,
            shared: Arc::clone(&shared),
            view: Arc::clone(view),
            wake: Arc::clone(wake),
        };
        tasks.push(tokio::spawn(follower.run()).abort_handle());
    }
    let state = publisher.subscribe();
    let publisher = Arc::new(publisher);
    let loader = load::Loader {
        publisher: Arc::clone(&publisher),
        views: resources.subscribe(),
        contact: shared.contact.subscribe(),
        rules,
        kind,
    };
    tasks.push(tokio::spawn(loader.run()).abort_handle());
    let handle = Handle {
        inner: Arc::new(Inner {
            state,
            contact: shared.contact.subscribe(),
            resources: resources.subscribe(),
            ownership,
            datastore: store,
            saved,
            reload: Box::new(move || wakes.iter().for_each(|wake| wake.notify_one())),
            tasks,
        }),
    };
    let mut states = handle.state();
    let first = states.wait_for(|state| publisher.heard() || state.is_bad());
    if tokio::time::timeout(timing.first_look, first).await.is_err() {
        // Its own answer, good or bad, will tell more.
        let why = format!("{name} has not answered within {} s", timing.first_look.as_secs());
        shared.tell(|reach| reach.lost(Space::Resources, why.clone(), SystemTime::now()));
        publisher.away(&why);
    }
    handle
}
