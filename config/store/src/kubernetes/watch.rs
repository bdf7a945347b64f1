//! Watching a space: one watch for each of its kinds, in one stream.
//!
//! A watch that ends or breaks is opened again from the last mark, which events and bookmarks move on; only one that
//! cannot be opened for a while, or whose mark is too old, ends the stream. Changes of one kind come in order;
//! between kinds there is none.

use datastore::{Changes, Error, Revision, Space};
use futures::future::try_join;
use futures::stream::{self, BoxStream, StreamExt};
use k8s_openapi::jiff::Timestamp;
use kube::api::{WatchEvent, WatchParams};
use kube::core::Request;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::error::Call;
use super::fold::{Fold, Seen};
use super::kinds::Kind;
use super::list::OUR_NODE;
use super::object::text_of;
use super::presence::Told;
use super::revision::Marks;
use super::transport::Transport;

/// A watch that stood this long was a good one.
const GOOD: Duration = Duration::from_secs(5);

type Events = BoxStream<'static, Result<WatchEvent<Value>, kube::Error>>;

/// The watch of one kind.
struct Feed {
    transport: Transport,
    kind: Kind,
    mark: String,
    open: Option<(Events, Instant)>,
    waits: Box<dyn Iterator<Item = Duration> + Send>,
    over: bool,
}

/// Starts to watch.
pub async fn watch(
    transport: Transport,
    space: Space,
    after: Revision,
) -> Result<BoxStream<'static, Result<Changes, Error>>, Error> {
    let kinds = Kind::of_space(space);
    let marks =
        Marks::parse(&after).filter(|marks| kinds.iter().all(|kind| marks.get(&kind.resource()).is_some()));
    let Some(marks) = marks else {
        // Another version of the program may have watched other kinds: list again.
        return Err(transport.says.compacted(after.as_str()));
    };
    let mark = |kind: Kind| marks.get(&kind.resource()).unwrap_or_default().to_owned();
    let mut fold = Fold::new(marks.clone());
    if kinds.contains(&OUR_NODE) {
        let (core, ours) = (mark(Kind::CoreNode), mark(OUR_NODE));
        let lists = try_join(
            transport.objects(Kind::CoreNode, Some(&core)),
            transport.objects(OUR_NODE, Some(&ours)),
        );
        let ((core, _), (ours, _)) = lists.await?;
        fold.know(core, ours);
    }
    let feeds = kinds.into_iter().map(|kind| {
        let waits = Box::new(transport.timing.waits());
        let feed = Feed {
            transport: transport.clone(),
            kind,
            mark: mark(kind),
            open: None,
            waits,
            over: false,
        };
        stream::unfold(feed, |mut feed| async move {
            if feed.over {
                return None;
            }
            let next = feed.next().await;
            feed.over = next.is_err();
            Some((next, feed))
        })
        .boxed()
    });
    let mut feeds: Vec<_> = feeds.collect();
    if space == Space::Ownership {
        feeds.push(presence(transport.clone()));
    }
    let events = stream::select_all(feeds);
    let changes = stream::unfold((events, fold, false), |(mut events, mut fold, over)| async move {
        if over {
            return None;
        }
        let changes = match events.next().await? {
            Ok(seen) => Ok(fold.fold(seen)),
            Err(error) => Err(error),
        };
        let over = changes.is_err();
        Some((changes, (events, fold, over)))
    });
    Ok(changes.boxed())
}

/// So much longer is the pause between two looks at the leases for each that there is, once that is more than usual:
/// what all agents together ask of the server grows with their number, not with its square.
const FOR_EACH_LEASE: Duration = Duration::from_millis(60);

/// Who came and went, looked at from time to time. What fails in passing is looked at again: the watches beside it
/// notice a server that is away.
fn presence(transport: Transport) -> BoxStream<'static, Result<Seen, Error>> {
    let begin = (transport, Told::default(), Duration::ZERO);
    stream::unfold(begin, |(transport, mut told, mut wait)| async move {
        loop {
            sleep(wait).await;
            wait = transport.timing.presence;
            // From the server's cache: every node asks for the leases of all.
            let news = match transport.objects(Kind::Lease, Some("0")).await {
                Ok((leases, _)) => {
                    let nodes = u32::try_from(leases.len()).unwrap_or(u32::MAX);
                    wait = wait.max(FOR_EACH_LEASE.saturating_mul(nodes));
                    told.news(&leases, Timestamp::now())
                }
                Err(error) if error.is_transient() => continue,
                Err(error) => return Some((Err(error), (transport, told, wait))),
            };
            if !news.is_empty() {
                return Some((Ok(Seen::Present(news)), (transport, told, wait)));
            }
        }
    })
    .boxed()
}

impl Feed {
    /// The next thing that happens, through lost connections.
    async fn next(&mut self) -> Result<Seen, Error> {
        let idle = self.transport.timing.watch_idle;
        loop {
            let (events, since) = match self.open.as_mut() {
                Some(open) => open,
                None => {
                    let events = self.reopen().await?;
                    self.open.insert((events, Instant::now()))
                }
            };
            let event = timeout(idle, events.next()).await;
            let stood = since.elapsed() >= GOOD;
            let trouble = match event {
                Ok(Some(Ok(event))) => match self.seen(event) {
                    Ok(seen) => {
                        self.waits = Box::new(self.transport.timing.waits());
                        return Ok(seen);
                    }
                    Err(error) => error,
                },
                Ok(Some(Err(error))) => self.transport.says.watch(&self.call(), &error),
                Ok(None) => self.transport.says.lost(&self.call(), "the watch ended"),
                Err(_) => self
                    .transport
                    .says
                    .lost(&self.call(), "nothing was heard for too long"),
            };
            self.open = None;
            if stood {
                self.waits = Box::new(self.transport.timing.waits());
            }
            self.rest(trouble).await?;
        }
    }

    /// Waits before the next attempt, if there is one.
    async fn rest(&mut self, trouble: Error) -> Result<(), Error> {
        let wait = self.waits.next().filter(|_| trouble.is_transient());
        let Some(wait) = wait else {
            return Err(match trouble {
                Error::Compacted { store, .. } => Error::Compacted {
                    store,
                    revision: self.mark.clone(),
                },
                other => other,
            });
        };
        tracing::debug!(resource = self.kind.resource(), %trouble, "the watch is opened again");
        sleep(wait).await;
        Ok(())
    }

    async fn reopen(&mut self) -> Result<Events, Error> {
        loop {
            match attempt(&self.transport, self.kind, &self.mark).await {
                Ok(events) => return Ok(events),
                Err(trouble) => self.rest(trouble).await?,
            }
        }
    }

    fn seen(&mut self, event: WatchEvent<Value>) -> Result<Seen, Error> {
        let (kind, put, object) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (self.kind, true, object),
            WatchEvent::Deleted(object) => (self.kind, false, object),
            WatchEvent::Bookmark(bookmark) => {
                self.mark = bookmark.metadata.resource_version;
                return Ok(Seen::Mark(self.kind, self.mark.clone()));
            }
            WatchEvent::Error(status) => return Err(self.transport.says.watch_status(&self.call(), &status)),
        };
        self.mark = text_of(&object["metadata"]["resourceVersion"]);
        let mark = self.mark.clone();
        Ok(if put {
            Seen::Put(kind, mark, object)
        } else {
            Seen::Gone(kind, mark, object)
        })
    }

    fn call(&self) -> Call {
        Call::new("watch", self.kind, None)
    }
}

/// Opens the watch of a kind.
async fn attempt(transport: &Transport, kind: Kind, mark: &str) -> Result<Events, Error> {
    let (timing, says, call) = (&transport.timing, &transport.says, Call::new("watch", kind, None));
    let params =
        WatchParams::default().timeout(u32::try_from(timing.watch.as_secs()).unwrap_or(290).clamp(1, 290));
    let request = Request::new(kind.path()).watch(&params, mark);
    let request = request.map_err(|error| says.invalid(error.to_string(), "report this"))?;
    match timeout(timing.request, transport.client.request_events::<Value>(request)).await {
        Err(_) => Err(says.lost(&call, "no answer")),
        Ok(Err(error)) => Err(says.watch(&call, &error)),
        Ok(Ok(events)) => Ok(events.boxed()),
    }
}
