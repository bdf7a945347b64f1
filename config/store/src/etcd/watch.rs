//! Following a space. One stream of etcd's after the other, each from the revision where the last one ended, so
//! that a lost connection, a member that died and one that lost its leader show only as a pause.
//!
//! etcd sends the changes of one revision in one message (fragments are not asked for), so that a transaction is never
//! split. What says that a stream is dead: its end, HTTP/2 pings without an answer, another call that found the
//! connection broken, or etcd itself when the member has no leader (`hasleader` is asked for).

use backon::ExponentialBackoff;
use datastore::{Change, Changes, Error, Revision, Space};
use etcd_client::{EventType, GetOptions, ResponseHeader, WatchOptions, WatchResponse, WatchStream};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::Status;

use super::calls::{Kind, pauses};
use super::errors::Trouble;
use super::keys::end_of;
use super::pool::Live;
use super::{EtcdStore, LONGEST, translate};

/// A watch and where it is.
struct Watcher {
    store: EtcdStore,
    space: Space,
    after: i64,
    open: Option<Open>,
    pauses: ExponentialBackoff,
    ended: bool,
}

/// A stream of etcd's that works as far as is known.
struct Open {
    live: Live,
    stream: WatchStream,
    broken: watch::Receiver<bool>,
}

/// What a message means.
enum News {
    Changes(Changes),
    Nothing,
    Lost(Status),
}

/// Begins to watch. A store that is away, and history that is gone, are errors already here.
pub(super) async fn begin(
    store: EtcdStore,
    space: Space,
    after: Revision,
) -> Result<BoxStream<'static, Result<Changes, Error>>, Error> {
    let number = translate::revision(after.as_str()).map_err(|t| store.error(t))?;
    let mut watcher = Watcher {
        pauses: pauses(store.shared.pool.timing.pause),
        store,
        space,
        after: number,
        open: None,
        ended: false,
    };
    let open = watcher.open().await;
    watcher.open = Some(open.map_err(|t| watcher.error(t))?);
    let steps = stream::unfold(watcher, |mut watcher| async move {
        let step = watcher.step().await?;
        Some((step, watcher))
    });
    Ok(steps.boxed())
}

impl Watcher {
    /// The next changes; none after an error.
    async fn step(&mut self) -> Option<Result<Changes, Error>> {
        while !self.ended {
            let Some(open) = &mut self.open else {
                match self.open().await {
                    Ok(open) => self.open = Some(open),
                    Err(trouble) => {
                        if let Some(error) = self.give_up(trouble) {
                            return Some(Err(error));
                        }
                        sleep(self.pauses.next().unwrap_or_default()).await;
                    }
                }
                continue;
            };
            let message = tokio::select! {
                message = open.stream.message() => message,
                _ = open.broken.wait_for(|broken| *broken) => Ok(None),
            };
            let lost = match message.map(|message| message.map(|message| self.news(&message))) {
                Ok(Some(News::Changes(changes))) => return Some(Ok(changes)),
                Ok(Some(News::Nothing)) => continue,
                Ok(Some(News::Lost(status))) => Some(etcd_client::Error::GRpcStatus(status)),
                Ok(None) => None,
                Err(error) => Some(error),
            };
            if let Some(error) = self.lost(lost) {
                return Some(Err(error));
            }
            sleep(self.pauses.next().unwrap_or_default()).await;
        }
        None
    }

    /// The stream is over: the error for the caller if there is no use in another one.
    fn lost(&mut self, error: Option<etcd_client::Error>) -> Option<Error> {
        let open = self.open.take()?;
        let Some(error) = error else {
            tracing::debug!(store = %self.store.shared.name, "a watch lost its connection and goes on elsewhere");
            return None;
        };
        let pool = &self.store.shared.pool;
        let trouble = pool.failure(&open.live, &error);
        tracing::debug!(store = %self.store.shared.name, why = trouble.detail(), "a watch was lost and goes on");
        if matches!(trouble, Trouble::Away(_) | Trouble::Lost(_)) {
            pool.failed(&open.live);
        }
        self.give_up(trouble)
    }

    /// The error that ends the watch; none where trying again helps.
    fn give_up(&mut self, trouble: Trouble) -> Option<Error> {
        match trouble {
            Trouble::Away(_) | Trouble::Lost(_) | Trouble::Token | Trouble::Full(_) => None,
            trouble => {
                self.ended = true;
                Some(self.error(trouble))
            }
        }
    }

    fn error(&self, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Compacted => Error::Compacted {
                store: self.store.shared.name.clone(),
                revision: self.after.to_string(),
            },
            trouble => self.store.error(trouble),
        }
    }

    fn news(&mut self, message: &WatchResponse) -> News {
        if message.canceled() {
            return News::Lost(cancelled(message));
        }
        let last = message
            .events()
            .iter()
            .filter_map(|event| Some(event.kv()?.mod_revision()))
            .max();
        // Messages without a watch's number answer a question of ours; they may overtake changes in etcd 3.4.
        let progress = (!message.created() && message.watch_id() >= 0)
            .then(|| message.header().map(ResponseHeader::revision))
            .flatten();
        let Some(revision) = last.or(progress).filter(|revision| *revision > self.after) else {
            return News::Nothing;
        };
        let after = std::mem::replace(&mut self.after, revision);
        self.pauses = pauses(self.store.shared.pool.timing.pause);
        let new = |event: &&etcd_client::Event| event.kv().is_some_and(|pair| pair.mod_revision() > after);
        let changes = message.events().iter().filter(new);
        News::Changes(Changes {
            changes: changes.filter_map(|event| self.change(event)).collect(),
            revision: Revision::new(revision.to_string()),
        })
    }

    fn change(&self, event: &etcd_client::Event) -> Option<Change> {
        let pair = event.kv()?;
        match event.event_type() {
            EventType::Put => self.store.item_of(self.space, pair).map(Change::Put),
            EventType::Delete => self.store.key_of(self.space, pair.key()).map(Change::Deleted),
        }
    }

    /// A stream from where we are, at whichever member gives one.
    async fn open(&self) -> Result<Open, Trouble> {
        let prefix = self.store.shared.layout.prefix(self.space);
        let after = self.after;
        let operation = |live: Live| open(live, prefix.clone(), after);
        let (open, now) = self.store.shared.pool.call(Kind::Repeatable, operation).await?;
        if now < after {
            // The member is behind, or the store was set back to an earlier state; a linearizable read tells.
            let read = self.store.range(prefix.into_bytes(), None, 1, 0).await?;
            if read.header().is_some_and(|header| header.revision() < after) {
                return Err(Trouble::Compacted);
            }
        }
        Ok(open)
    }
}

/// Opens a stream and waits until etcd has accepted it; with the member's revision.
async fn open(live: Live, prefix: String, after: i64) -> Result<(Open, i64), etcd_client::Error> {
    let end = end_of(&prefix);
    let options = WatchOptions::new()
        .with_range(end.clone())
        .with_start_revision(after.saturating_add(1))
        .with_progress_notify();
    let broken = live.broken();
    let mut client = live.client.watch_client().max_decoding_message_size(LONGEST);
    let mut stream = client.watch(prefix.clone(), Some(options)).await?;
    let Some(first) = stream.message().await? else {
        return Err(Status::unavailable("the watch ended at once").into());
    };
    if first.canceled() {
        let status = cancelled(&first);
        if status.message().contains("permission denied") {
            // An expired token looks like this to a watch; a read says what it is.
            let options = GetOptions::new().with_range(end).with_count_only();
            live.client.kv_client().get(prefix, Some(options)).await?;
            return Err(Status::permission_denied("etcdserver: permission denied").into());
        }
        return Err(status.into());
    }
    let revision = first.header().map_or(i64::MAX, ResponseHeader::revision);
    Ok((Open { live, stream, broken }, revision))
}

/// Why etcd ended a watch, as a call would say it.
fn cancelled(message: &WatchResponse) -> Status {
    match message.compact_revision() {
        0 => Status::unavailable(message.cancel_reason()),
        _ => Status::out_of_range("mvcc: required revision has been compacted"),
    }
}
