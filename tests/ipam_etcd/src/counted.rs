//! A store that counts what it is asked, and takes the time of claims.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use config::NodeName;
use datastore::{
    Answer, Changes, Datastore, Error, Expect, Hold, Item, Key, Listing, Outcome, Presence, Revision, Space,
    Transaction, Transactional, Write,
};
use futures::FutureExt;
use futures::stream::BoxStream;

/// The numbers of one store or of several.
#[derive(Default)]
pub struct Counts {
    /// Reads of one key.
    pub gets: AtomicU64,
    /// Readings of a whole space.
    pub lists: AtomicU64,
    /// Writes of one key.
    pub writes: AtomicU64,
    /// Transactions.
    pub commits: AtomicU64,
    claims: Mutex<Claims>,
}

#[derive(Default)]
struct Claims {
    times: Vec<Duration>,
    sample: Option<Transaction>,
}

impl Counts {
    /// How long each claim took that was carried out.
    pub fn claim_times(&self) -> Vec<Duration> {
        self.claims
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .times
            .clone()
    }

    /// One claim as it was sent.
    pub fn sample(&self) -> Option<Transaction> {
        self.claims
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sample
            .clone()
    }

    /// All operations together.
    pub fn operations(&self) -> u64 {
        let all = [&self.gets, &self.lists, &self.writes, &self.commits];
        all.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn committed(&self, transaction: &Transaction, outcome: &Result<Outcome, Error>, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let claims = matches!(transaction.write.as_slice(), [Write::Put(Key::Block(_), _), ..]);
        if claims && matches!(outcome, Ok(Outcome::Done(_))) {
            let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
            claims.times.push(took);
            claims.sample.get_or_insert_with(|| transaction.clone());
        }
    }
}

/// The store.
pub struct Counted {
    inner: Arc<dyn Datastore>,
    counts: Arc<Counts>,
}

impl Counted {
    /// A store that counts what it hands to `inner`, which has to be a transactional one with presence.
    pub fn new(inner: Arc<dyn Datastore>, counts: Arc<Counts>) -> Self {
        Counted { inner, counts }
    }
}

impl Datastore for Counted {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
        self.counts.gets.fetch_add(1, Ordering::Relaxed);
        self.inner.get(key)
    }

    fn list(&self, space: Space) -> Answer<'_, Listing> {
        self.counts.lists.fetch_add(1, Ordering::Relaxed);
        self.inner.list(space)
    }

    fn watch(&self, space: Space, after: Revision) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>> {
        self.inner.watch(space, after)
    }

    fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome> {
        self.counts.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.write(write, expect)
    }

    fn transactional(&self) -> Option<&dyn Transactional> {
        Some(self)
    }

    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }
}

impl Transactional for Counted {
    fn commit(&self, transaction: &Transaction) -> Answer<'_, Outcome> {
        let store = self.inner.transactional().expect("the store is transactional");
        let transaction = transaction.clone();
        async move {
            let begun = Instant::now();
            let outcome = store.commit(&transaction).await;
            self.counts.committed(&transaction, &outcome, begun.elapsed());
            outcome
        }
        .boxed()
    }
}

impl Presence for Counted {
    fn hold(&self, node: &NodeName, value: String, ttl: Duration) -> Answer<'_, Hold> {
        let store = self.inner.presence().expect("the store has presence");
        store.hold(node, value, ttl)
    }
}

/// The middle of some times; zero for none.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
