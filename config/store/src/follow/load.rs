//! Every new view of the resources into a state; and, until the store has said anything, why it has not.

use std::sync::Arc;

use config::{Rules, load_with};
use datastore::SpaceView;
use tokio::sync::watch;

use crate::contact::Contact;
use crate::last_good::sources_of;
use crate::publish::Publisher;

pub(super) struct Loader {
    pub(super) publisher: Arc<Publisher>,
    pub(super) views: watch::Receiver<Option<Arc<SpaceView>>>,
    pub(super) contact: watch::Receiver<Contact>,
    pub(super) rules: Rules,
    /// The first word of the names of the sources.
    pub(super) kind: &'static str,
}

impl Loader {
    pub(super) async fn run(mut self) {
        loop {
            let changed = tokio::select! {
                changed = self.views.changed() => changed,
                changed = self.contact.changed(), if !self.publisher.heard() => changed,
            };
            if changed.is_err() {
                return;
            }
            let view = self.views.borrow_and_update().clone();
            match view {
                Some(view) => self.load(view).await,
                None => {
                    let problem = self.contact.borrow_and_update().problem.clone();
                    if let Some(why) = problem {
                        self.publisher.away(&why);
                    }
                }
            }
        }
    }

    /// Loads on a thread for heavy work: a large cluster takes its time.
    async fn load(&self, view: Arc<SpaceView>) {
        let (rules, kind, items) = (self.rules, self.kind, Arc::clone(&view));
        let loaded = tokio::task::spawn_blocking(move || load_with(&sources_of(&items, kind), rules)).await;
        match loaded {
            Ok(loaded) => self.publisher.publish(loaded, Some(view)),
            Err(_) => tracing::error!("loading resources failed; the last good state stays"),
        }
    }
}
