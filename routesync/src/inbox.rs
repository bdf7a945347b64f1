//! Wishes on their way to the task: what came since it last looked, folded into one.
//!
//! A complete wish takes the place of all before it, a change is folded into the complete wish that waits or joins the changes
//! that wait; so what waits is never more than one wish large, however many came.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::model::{DesiredFib, DesiredNexthops, DesiredRoute, RouteKey};

/// Changes to a wish by key: `None` takes a route out of it.
pub(crate) type Changes = BTreeMap<RouteKey, Option<DesiredRoute>>;

/// What came since the last look.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The newest generation; 0 before the first wish.
    pub generation: u64,
    /// A complete wish.
    pub complete: Option<DesiredFib>,
    /// Changes to the wish that was complete before; empty where there is a new one.
    pub changes: Changes,
    /// Whether orphans may be swept, where that was said.
    pub sweep: Option<bool>,
    /// A complete wish for sets of hops.
    pub nexthops: Option<Arc<DesiredNexthops>>,
    /// Whether the wish has a route, all of the above taken into account.
    pub questions: Vec<(RouteKey, oneshot::Sender<bool>)>,
}

impl News {
    fn publish(&mut self, desired: DesiredFib) {
        self.sweep = Some(desired.sweep);
        self.complete = Some(normalized(desired));
        self.changes.clear();
    }

    fn update(&mut self, changes: impl IntoIterator<Item = (RouteKey, Option<DesiredRoute>)>, sweep: bool) {
        self.sweep = Some(sweep);
        for (key, route) in changes {
            let key = key.normalized();
            match (&mut self.complete, route) {
                (Some(complete), Some(route)) => drop(complete.routes.insert(key, route)),
                (Some(complete), None) => drop(complete.routes.remove(&key)),
                (None, route) => drop(self.changes.insert(key, route)),
            }
        }
        if let Some(complete) = &mut self.complete {
            complete.sweep = sweep;
        }
    }
}

fn normalized(desired: DesiredFib) -> DesiredFib {
    if desired.routes.keys().all(|key| *key == key.normalized()) {
        return desired;
    }
    let routes = desired.routes.into_iter();
    DesiredFib {
        routes: routes.map(|(key, route)| (key.normalized(), route)).collect(),
        sweep: desired.sweep,
    }
}

/// Shared by the handles and the task.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<News>);

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, News> {
        // Nothing that runs under the lock leaves a half-made state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, put: impl FnOnce(&mut News)) -> u64 {
        let mut news = self.lock();
        put(&mut news);
        news.generation += 1;
        news.generation
    }

    /// Takes in a complete wish; its generation.
    pub fn publish(&self, desired: DesiredFib) -> u64 {
        self.next(|news| news.publish(desired))
    }

    /// Takes in changes to the last complete wish; their generation.
    pub fn update(&self, changes: Vec<(RouteKey, Option<DesiredRoute>)>, sweep: bool) -> u64 {
        self.next(|news| news.update(changes, sweep))
    }

    /// Takes in a complete wish for sets of hops; its generation.
    pub fn publish_nexthops(&self, desired: DesiredNexthops) -> u64 {
        let desired = Arc::new(desired);
        self.next(|news| news.nexthops = Some(desired))
    }

    /// Asks whether a route is wanted; the answer comes after all that waits now.
    pub fn ask(&self, key: RouteKey) -> oneshot::Receiver<bool> {
        let (answer, receiver) = oneshot::channel();
        self.lock().questions.push((key, answer));
        receiver
    }

    /// All that came since the last call.
    pub fn take(&self) -> News {
        let mut news = self.lock();
        let generation = news.generation;
        std::mem::replace(
            &mut news,
            News {
                generation,
                ..News::default()
            },
        )
    }
}
