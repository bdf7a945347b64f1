//! One space, kept up to date.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use datastore::{Changes, Datastore, Error, Item, Key, Space, SpaceView};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::doubt::{Doubt, Verdict};
use super::{Shared, Timing};
use crate::pause::{Pause, seed};

/// Follows one space and publishes every view of it.
pub(super) struct Follower {
    pub(super) store: Arc<dyn Datastore>,
    pub(super) space: Space,
    pub(super) timing: Timing,
    pub(super) shared: Arc<Shared>,
    pub(super) view: Arc<watch::Sender<Option<Arc<SpaceView>>>>,
    pub(super) wake: Arc<Notify>,
}

/// Why a watch is over.
enum End {
    /// The store is away, or refuses us.
    Lost(Error),
    /// It may have missed something, or its history is gone: list anew.
    List(&'static str),
    /// It may be dead, but nothing is missed that a new one from the same revision does not bring.
    Resume,
}

type Check = BoxFuture<'static, (Key, Result<Option<Item>, Error>)>;

impl Follower {
    pub(super) async fn run(self) {
        let mut pause = Pause::new(self.timing.retry_min, self.timing.retry_max, seed());
        let mut view: Option<SpaceView> = None;
        loop {
            match self.round(&mut view, &mut pause).await {
                End::Lost(error) => self.lost(&error),
                End::List(why) => {
                    tracing::info!(space = ?self.space, "{why}: listed anew");
                    view = None;
                }
                End::Resume => tracing::info!(space = ?self.space, "the store is back, watching on"),
            }
            tokio::select! {
                () = tokio::time::sleep(pause.next()) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    fn seen(&self) {
        self.shared
            .tell(|reach| reach.seen(self.space, SystemTime::now()));
    }

    fn lost(&self, error: &Error) {
        tracing::debug!(space = ?self.space, %error, "not answered");
        self.shared
            .tell(|reach| reach.lost(self.space, error.to_string(), SystemTime::now()));
    }

    /// A question that took too long is one that was not answered.
    async fn within<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match timeout(self.timing.limit, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Unavailable {
                store: self.store.describe(),
                detail: format!("no answer within {} s", self.timing.limit.as_secs()),
            }),
        }
    }

    /// Lists where nothing is known, watches from there, until that ends.
    async fn round(&self, view: &mut Option<SpaceView>, pause: &mut Pause) -> End {
        let mut current = match view.take() {
            // A new watch may look alive while nobody answers: ask.
            Some(known) => {
                let key = Doubt::default().key(self.space, &known);
                if let Err(error) = self.within(self.store.get(&key)).await {
                    *view = Some(known);
                    return End::Lost(error);
                }
                known
            }
            None => match self.within(self.store.list(self.space)).await {
                Ok(listing) => {
                    let listed = SpaceView::from(listing);
                    self.publish(&listed);
                    listed
                }
                Err(error) => return End::Lost(error),
            },
        };
        self.seen();
        let watching = self.store.watch(self.space, current.revision.clone());
        let end = match self.within(watching).await {
            Ok(stream) => self.watch(stream, &mut current, pause).await,
            Err(error) => Self::ended(error),
        };
        *view = Some(current);
        end
    }

    fn ended(error: Error) -> End {
        match error {
            Error::Compacted { .. } => End::List("the history is gone"),
            error => End::Lost(error),
        }
    }

    async fn watch(
        &self,
        mut stream: BoxStream<'static, Result<Changes, Error>>,
        view: &mut SpaceView,
        pause: &mut Pause,
    ) -> End {
        let mut doubt = Doubt::default();
        let mut settle = Settle::new(self.timing.quiet);
        let mut check: Option<Check> = None;
        let mut check_at = Instant::now() + self.timing.check;
        let mut away = false;
        let mut relist = pin!(tokio::time::sleep(spread(self.timing.relist)));
        loop {
            let publish_at = settle.due();
            tokio::select! {
                next = stream.next() => match next {
                    Some(Ok(changes)) => {
                        let empty = changes.changes.is_empty();
                        view.apply(changes);
                        doubt.heard();
                        pause.reset();
                        self.seen();
                        away = false;
                        check_at = Instant::now() + self.timing.check;
                        if !empty {
                            settle.touched(Instant::now());
                        }
                    }
                    ended => {
                        if publish_at.is_some() {
                            self.publish(view);
                        }
                        return ended.and_then(Result::err).map_or_else(|| End::Lost(self.closed()), Self::ended);
                    }
                },
                () = sleep_until(publish_at.unwrap_or(check_at)), if publish_at.is_some() => {
                    settle.done();
                    self.publish(view);
                }
                () = sleep_until(check_at), if check.is_none() => {
                    check = Some(self.check(doubt.key(self.space, view)));
                }
                (key, found) = answered(&mut check), if check.is_some() => {
                    check = None;
                    check_at = Instant::now() + self.timing.check;
                    match found {
                        Ok(_) if away => return End::Resume,
                        Ok(found) => {
                            pause.reset();
                            self.seen();
                            match doubt.compare(&key, found.as_ref(), view) {
                                Verdict::Fine => {}
                                Verdict::Again(after) => check_at = Instant::now() + after.min(self.timing.check),
                                Verdict::Dead => return End::List("the watch missed a change"),
                            }
                        }
                        Err(error) => {
                            self.lost(&error);
                            away = true;
                            check_at = Instant::now() + pause.next();
                        }
                    }
                }
                () = self.wake.notified() => return End::List("asked to read again"),
                () = &mut relist => return End::List("a while has passed"),
            }
        }
    }

    fn closed(&self) -> Error {
        Error::Unavailable {
            store: self.store.describe(),
            detail: "the watch was closed".to_owned(),
        }
    }

    fn check(&self, key: Key) -> Check {
        let (store, limit) = (Arc::clone(&self.store), self.timing.limit);
        Box::pin(async move {
            let found = match timeout(limit, store.get(&key)).await {
                Ok(found) => found,
                Err(_) => Err(Error::Unavailable {
                    store: store.describe(),
                    detail: format!("no answer within {} s", limit.as_secs()),
                }),
            };
            (key, found)
        })
    }

    /// Those who wait are only woken by a view that differs.
    fn publish(&self, view: &SpaceView) {
        self.view.send_if_modified(|published| {
            let same = published.as_ref().is_some_and(|old| old.items == view.items);
            *published = Some(Arc::new(view.clone()));
            !same
        });
    }
}

/// The answer to a question that is under way; never, where there is none.
async fn answered(check: &mut Option<Check>) -> (Key, Result<Option<Item>, Error>) {
    match check {
        Some(check) => check.await,
        None => std::future::pending().await,
    }
}

/// Up to a quarter more, so that nodes do not list together.
fn spread(time: Duration) -> Duration {
    let share = u32::try_from(seed() % 256).unwrap_or_default();
    time + time / 1024 * share
}

/// When what came in a burst is published: after a quiet moment, but not put off for ever. Pure.
struct Settle {
    quiet: Duration,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Settle {
    fn new(quiet: Duration) -> Settle {
        Settle {
            quiet,
            first: None,
            last: None,
        }
    }

    fn touched(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    fn due(&self) -> Option<Instant> {
        let (first, last) = (self.first?, self.last?);
        Some((last + self.quiet).min(first + self.quiet * 10))
    }

    fn done(&mut self) {
        *self = Settle::new(self.quiet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_settle_but_not_for_ever() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut settle = Settle::new(Duration::from_millis(20));
        assert_eq!(settle.due(), None);
        settle.touched(at(0));
        settle.touched(at(15));
        assert_eq!(settle.due(), Some(at(35)));
        (1..50).for_each(|n| settle.touched(at(n * 15)));
        assert_eq!(settle.due(), Some(at(200)));
        settle.done();
        assert_eq!(settle.due(), None);
    }
}
