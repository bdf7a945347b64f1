//! etcd as a datastore, by its v3 API (3.4 and later).
//!
//! A call goes through `calls` (several attempts) to a connection of `pool`, which reads certificates and password
//! anew (`tls`) whenever it connects; `errors` says what a failure means. `keys` lays keys out, `translate` turns
//! writes into etcd's transactions and its pairs into items. `watch` follows a space across lost connections,
//! `lease` keeps presence keys. All reads are linearizable: they show every write that was acknowledged before.
//!
//! Versions are mod revisions, incarnations create revisions, revisions of a space the store's.

mod calls;
mod errors;
mod keys;
mod lease;
mod pool;
mod timing;
mod tls;
mod translate;
mod watch;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use config::NodeName;
use config::agent_file::EtcdSettings;
use datastore::{
    Answer, Changes, Datastore, Error, Expect, Hold, Item, Key, Listing, Outcome, Presence, Revision, Space,
    Transaction, Transactional, Write,
};
use etcd_client::{GetOptions, GetResponse, ResponseHeader};
use futures::stream::BoxStream;

pub use timing::Timing;

use calls::Kind;
use errors::Trouble;
use keys::{Layout, end_of};
use pool::Pool;

/// Keys of one page of a listing. With values of the usual few hundred bytes a page is far below a megabyte.
const PAGE: i64 = 1000;

/// How often a listing begins anew when its revision was compacted away between two pages.
const LISTINGS: usize = 3;

/// The longest message that is taken. etcd sends what a page or a step of a watch holds, however long.
const LONGEST: usize = i32::MAX as usize;

/// etcd. Clones share connections.
#[derive(Clone)]
pub struct EtcdStore {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool,
    layout: Layout,
    name: String,
    /// Somebody was told of keys that are not ours.
    warned: AtomicBool,
}

impl EtcdStore {
    /// A store that connects when it is first asked, so that one that is away is no error here. It begins with
    /// any of the members, so that the nodes of a cluster are spread over them.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the settings name no endpoint.
    pub fn connect(settings: &EtcdSettings) -> Result<EtcdStore, Error> {
        let store = EtcdStore::with_timing(settings, Timing::default())?;
        // The standard library's hash keys are the one source of chance that is needed here.
        store
            .shared
            .pool
            .begin_at(RandomState::new().build_hasher().finish());
        Ok(store)
    }

    /// [`EtcdStore::connect`] with other limits; it begins with the first member.
    pub fn with_timing(settings: &EtcdSettings, timing: Timing) -> Result<EtcdStore, Error> {
        let name = name(settings);
        if settings.endpoints.is_empty() {
            return Err(Error::Invalid {
                store: name,
                detail: "there is no endpoint".into(),
                fix: "set datastore.endpoints".into(),
            });
        }
        let shared = Shared {
            pool: Pool::new(settings.clone(), timing),
            layout: Layout::new(&settings.prefix),
            name,
            warned: AtomicBool::new(false),
        };
        Ok(EtcdStore {
            shared: Arc::new(shared),
        })
    }

    fn error(&self, trouble: Trouble) -> Error {
        trouble.into_error(&self.shared.name)
    }

    /// Reads a range: `(first key, end, at most, at revision)`.
    async fn range(
        &self,
        from: Vec<u8>,
        end: Option<Vec<u8>>,
        limit: i64,
        at: i64,
    ) -> Result<GetResponse, Trouble> {
        let read = |live: pool::Live| {
            let mut options = GetOptions::new().with_limit(limit).with_revision(at);
            if let Some(end) = &end {
                options = options.with_range(end.clone());
            }
            let from = from.clone();
            let mut client = live.client.kv_client().max_decoding_message_size(LONGEST);
            async move { client.get(from, Some(options)).await }
        };
        self.shared.pool.call(Kind::Repeatable, read).await
    }

    async fn get_item(&self, key: Key) -> Result<Option<Item>, Error> {
        let path = self.shared.layout.path(&key);
        let found = self
            .range(path.into_bytes(), None, 1, 0)
            .await
            .map_err(|t| self.error(t))?;
        let Some(pair) = found.kvs().first() else {
            return Ok(None);
        };
        Ok(Some(translate::item(key, pair)))
    }

    async fn list_space(&self, space: Space) -> Result<Listing, Error> {
        let mut last = Trouble::Compacted;
        for _ in 0..LISTINGS {
            match self.list_once(space).await {
                Err(Trouble::Compacted) => {
                    last = Trouble::Away("it compacts faster than a listing is read".into())
                }
                done => return done.map_err(|t| self.error(t)),
            }
        }
        Err(self.error(last))
    }

    /// All pages at the revision of the first.
    async fn list_once(&self, space: Space) -> Result<Listing, Trouble> {
        let prefix = self.shared.layout.prefix(space);
        let (mut from, end) = (prefix.clone().into_bytes(), end_of(&prefix));
        let (mut items, mut revision) = (Vec::new(), 0);
        loop {
            let page = self.range(from, Some(end.clone()), PAGE, revision).await?;
            if revision == 0 {
                revision = page.header().map_or(0, ResponseHeader::revision);
            }
            items.extend(page.kvs().iter().filter_map(|pair| self.item_of(space, pair)));
            match page.kvs().last() {
                // The next key after a key is the key with a zero byte after it.
                Some(pair) if page.more() => from = [pair.key(), &[0]].concat(),
                _ => break,
            }
        }
        items.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Listing {
            items,
            revision: Revision::new(revision.to_string()),
        })
    }

    /// A pair of a range as an item; what others put under keys that are not ours is left out, and told once.
    fn item_of(&self, space: Space, pair: &etcd_client::KeyValue) -> Option<Item> {
        self.key_of(space, pair.key())
            .map(|key| translate::item(key, pair))
    }

    fn key_of(&self, space: Space, path: &[u8]) -> Option<Key> {
        let key = self.shared.layout.parse(space, path);
        if key.is_none() {
            self.warn_once(path);
        }
        key
    }

    fn warn_once(&self, path: &[u8]) {
        if !self.shared.warned.swap(true, Ordering::Relaxed) {
            let path = String::from_utf8_lossy(path);
            tracing::warn!(store = %self.shared.name, %path, "a key under our prefix is not ours and is left out");
        }
    }

    async fn commit_it(&self, transaction: Transaction) -> Result<Outcome, Error> {
        let request = translate::transaction(&self.shared.layout, &transaction).map_err(|t| self.error(t))?;
        let send = |live: pool::Live| {
            let request = request.clone();
            let mut client = live.client.kv_client();
            async move { client.txn(request).await }
        };
        let answer = self
            .shared
            .pool
            .call(Kind::Once, send)
            .await
            .map_err(|t| self.error(t))?;
        Ok(translate::outcome(&answer))
    }
}

impl Datastore for EtcdStore {
    fn describe(&self) -> String {
        self.shared.name.clone()
    }

    fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
        Box::pin(self.get_item(key.clone()))
    }

    fn list(&self, space: Space) -> Answer<'_, Listing> {
        Box::pin(self.list_space(space))
    }

    fn watch(&self, space: Space, after: Revision) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>> {
        Box::pin(watch::begin(self.clone(), space, after))
    }

    fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome> {
        Box::pin(self.commit_it(translate::single(write, expect)))
    }

    fn transactional(&self) -> Option<&dyn Transactional> {
        Some(self)
    }

    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }
}

impl Transactional for EtcdStore {
    fn commit(&self, transaction: &Transaction) -> Answer<'_, Outcome> {
        Box::pin(self.commit_it(transaction.clone()))
    }
}

impl Presence for EtcdStore {
    fn hold(&self, node: &NodeName, value: String, ttl: Duration) -> Answer<'_, Hold> {
        Box::pin(lease::hold(
            self.clone(),
            Key::Presence(node.to_string()),
            value,
            ttl,
        ))
    }
}

/// `etcd https://a:2379,https://b:2379`, with the prefix where it is not the usual one, and nothing that may be
/// written into a URL beside it.
fn name(settings: &EtcdSettings) -> String {
    let clean = |url: &String| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.clone(),
    };
    let endpoints: Vec<String> = settings.endpoints.iter().map(clean).collect();
    let place = match settings.prefix == EtcdSettings::DEFAULT_PREFIX {
        true => String::new(),
        false => format!(" under {}", settings.prefix),
    };
    format!("etcd {}{place}", endpoints.join(","))
}
