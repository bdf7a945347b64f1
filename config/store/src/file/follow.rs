//! The file datastore as the agent follows it: what is at the path, loaded as a whole, published.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use config::{Loaded, Problem};
use datastore::{Datastore, Space, SpaceView};
use tokio::sync::watch;

use super::eyes::{Eyes, Seen, Timing};
use super::store::FileStore;
use super::texts::Texts;
use crate::contact::{Contact, Reach};
use crate::error::Error;
use crate::handle::{Handle, Inner};
use crate::last_good::Memory;
use crate::publish::Publisher;
use crate::state::StoreState;

/// Reads the path and follows it from then on. What is wrong with the text is in the state; that the file is not
/// there yet, too.
pub(crate) fn start(path: &Path, timing: Timing, memory: Memory) -> Result<Handle, Error> {
    let store = FileStore::with_timing(path, timing)?;
    let location = path.display().to_string();
    let saved = memory.saved.as_ref().map(|(saved, _)| Arc::new(saved.clone()));
    let (publisher, keeper) = Publisher::start(memory, "file", &location, location.clone());
    let eyes = Eyes::open(path, timing);
    let reload = Box::new(eyes.nudge());
    let contact = Contact::new("file", &location);
    let (resources, view) = watch::channel(None);
    let mut task = Task {
        path: path.to_owned(),
        eyes,
        state: publisher.subscribe(),
        publisher,
        reach: Reach::new(contact.clone()),
        contact: watch::Sender::new(contact),
        resources,
    };
    let first = judge(task.eyes.seen().clone(), &task.path);
    task.publish(first);
    Ok(Handle {
        inner: Arc::new(Inner {
            state: task.state.clone(),
            contact: task.contact.subscribe(),
            resources: view,
            ownership: Arc::new(watch::Sender::new(None)),
            datastore: Arc::new(store) as Arc<dyn Datastore>,
            saved,
            reload,
            tasks: vec![keeper, tokio::spawn(task.run()).abort_handle()],
        }),
    })
}

struct Task {
    path: PathBuf,
    eyes: Eyes,
    publisher: Publisher,
    state: watch::Receiver<Arc<StoreState>>,
    reach: Reach,
    contact: watch::Sender<Contact>,
    resources: watch::Sender<Option<Arc<SpaceView>>>,
}

/// What became of a reading.
struct Judged {
    loaded: Loaded,
    /// The documents one by one; none where they cannot be told apart.
    view: Option<SpaceView>,
    /// Why there was nothing to read.
    unreadable: Option<String>,
}

fn judge(seen: Seen, path: &Path) -> Judged {
    match seen {
        Ok(sources) => Judged {
            loaded: config::load(&sources),
            view: Texts::read(&sources, path).ok().map(|texts| texts.view()),
            unreadable: None,
        },
        Err(problem) => Judged {
            unreadable: Some(problem.to_string()),
            loaded: Loaded {
                intent: None,
                problems: vec![problem],
            },
            view: None,
        },
    }
}

impl Task {
    async fn run(mut self) {
        loop {
            let seen = self.eyes.next().await.clone();
            let path = self.path.clone();
            let judged = tokio::task::spawn_blocking(move || judge(seen, &path)).await;
            let judged = judged.unwrap_or_else(|_| Judged {
                loaded: Loaded {
                    intent: None,
                    problems: vec![Problem::whole_file(
                        &self.path.display().to_string(),
                        "loading it failed",
                        "report this, with the file",
                    )],
                },
                view: None,
                unreadable: None,
            });
            self.publish(judged);
        }
    }

    fn publish(&mut self, judged: Judged) {
        let now = SystemTime::now();
        let contact = match judged.unreadable {
            Some(why) => self.reach.lost(Space::Resources, why, now),
            None => self.reach.seen(Space::Resources, now),
        };
        self.contact.send_replace(contact.clone());
        let good = judged.loaded.intent.is_some();
        let view = judged.view.map(Arc::new);
        self.publisher.publish(judged.loaded, view.clone());
        if let Some(view) = view.filter(|_| good && !self.state.borrow().is_bad()) {
            self.resources.send_replace(Some(view));
        }
    }
}
