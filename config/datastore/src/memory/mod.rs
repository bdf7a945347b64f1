//! A datastore in memory with the meaning of etcd: the reference that the real ones are held against, and what
//! model tests run on.
//!
//! Everything happens at once and in order, under one lock: the `*_now` methods need no executor, so that a model
//! test is deterministic. The traits are the same calls as futures that are ready. Each call first asks a
//! [`FaultPlan`] whether it is to fail, so that a test decides what goes wrong and when: an answer that is lost
//! after the write, a store that is away, a store that is full.

mod fault;
mod follow;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::NodeName;
use futures::future::{BoxFuture, ready};
use futures::stream::BoxStream;

use crate::error::Error;
use crate::key::{Key, Space};
use crate::transaction::{Compare, Expect, Outcome, Transaction, Write};
use crate::value::{Changes, Item, Listing, Revision, Version};
use crate::{Answer, Datastore, Hold, Presence, Transactional};

pub use fault::{Call, Fault, FaultPlan};
use state::State;

/// A datastore in memory. Clones are the same store.
#[derive(Clone, Default)]
pub struct Memory {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    plan: Mutex<Option<FaultPlan>>,
}

/// What it is called in messages.
const NAME: &str = "memory";

impl Memory {
    /// An empty store where nothing fails.
    pub fn new() -> Self {
        Memory::default()
    }

    /// From now on asks `plan` before each call.
    pub fn set_faults(&self, plan: impl FnMut(&Call<'_>) -> Fault + Send + 'static) {
        *self.lock_plan() = Some(Box::new(plan));
    }

    /// From now on nothing fails.
    pub fn clear_faults(&self) {
        *self.lock_plan() = None;
    }

    /// [`Datastore::get`], at once.
    pub fn get_now(&self, key: &Key) -> Result<Option<Item>, Error> {
        self.read(&Call::Get(key), |state| Ok(state.get(key)))
    }

    /// [`Datastore::list`], at once.
    pub fn list_now(&self, space: Space) -> Result<Listing, Error> {
        self.read(&Call::List(space), |state| Ok(state.list(space)))
    }

    /// What [`Datastore::watch`] would yield so far: one [`Changes`] for each transaction.
    ///
    /// # Errors
    /// [`Error::Compacted`] where the history is gone.
    pub fn changes_now(&self, space: Space, after: &Revision) -> Result<Vec<Changes>, Error> {
        let after = number(after.as_str())?;
        self.read(&Call::Watch(space), |state| state.changes(space, after))
    }

    /// [`Datastore::write`], at once.
    pub fn write_now(&self, write: &Write, expect: &Expect) -> Result<Outcome, Error> {
        let transaction = single(write, expect);
        self.change(&Call::Write(write, expect), |state| state.commit(&transaction))
    }

    /// [`Transactional::commit`], at once.
    pub fn commit_now(&self, transaction: &Transaction) -> Result<Outcome, Error> {
        self.change(&Call::Commit(transaction), |state| state.commit(transaction))
    }

    /// Forgets the history before the present revision: watches that still need it end with [`Error::Compacted`].
    pub fn compact(&self) {
        self.lock().compact();
    }

    /// Ends every watch there is with [`Error::Unavailable`], as a restart of the store would where the client
    /// does not resume.
    pub fn break_watches(&self) {
        self.lock().break_watches();
    }

    /// The presence of a node runs out though its holder lives, as when it was cut off for longer than its time to
    /// live. [`Memory::renew`] is the holder coming back.
    pub fn expire(&self, node: &NodeName) {
        self.lock().expire(&Key::Presence(node.to_string()));
    }

    /// Writes the presence keys again whose holders live.
    pub fn renew(&self) {
        self.lock().renew();
    }

    /// [`Presence::hold`], at once. The time to live is not measured: letting go ends the key.
    pub fn hold_now(&self, node: &NodeName, value: String) -> Result<Hold, Error> {
        let key = Key::Presence(node.to_string());
        let mut number = 0;
        self.change(&Call::Hold(node), |state| {
            number = state.hold(key.clone(), value.into());
            Ok(Outcome::Done(Version::new(state.revision().to_string())))
        })?;
        let shared = Arc::clone(&self.shared);
        Ok(Hold::new(Holder { shared, key, number }))
    }

    fn read<T>(&self, call: &Call<'_>, f: impl FnOnce(&State) -> Result<T, Error>) -> Result<T, Error> {
        match self.fault(call) {
            Fault::None | Fault::Full | Fault::FullAfter => f(&self.lock()),
            Fault::Refused => Err(refused()),
            // Reading changes nothing: a lost answer is the same as none.
            Fault::Unavailable | Fault::Lost | Fault::LostBefore => Err(unavailable()),
        }
    }

    fn change(
        &self,
        call: &Call<'_>,
        f: impl FnOnce(&mut State) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        match self.fault(call) {
            Fault::None => f(&mut self.lock()),
            Fault::Unavailable => Err(unavailable()),
            Fault::Refused => Err(refused()),
            Fault::Full => Err(full()),
            Fault::FullAfter => f(&mut self.lock()).and_then(|_| Err(full())),
            Fault::LostBefore => Err(lost()),
            Fault::Lost => f(&mut self.lock()).and_then(|_| Err(lost())),
        }
    }

    fn fault(&self, call: &Call<'_>) -> Fault {
        match self.lock_plan().as_mut() {
            Some(plan) => plan(call),
            None => Fault::None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }

    fn lock_plan(&self) -> MutexGuard<'_, Option<FaultPlan>> {
        lock(&self.shared.plan)
    }
}

impl Datastore for Memory {
    fn describe(&self) -> String {
        NAME.into()
    }

    fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
        answer(self.get_now(key))
    }

    fn list(&self, space: Space) -> Answer<'_, Listing> {
        answer(self.list_now(space))
    }

    fn watch(&self, space: Space, after: Revision) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>> {
        // Only whether the call itself fails is asked here; what changes is seen by the stream.
        let begun = number(after.as_str()).and_then(|after| self.read(&Call::Watch(space), |_| Ok(after)));
        answer(begun.map(|after| follow::stream(Arc::clone(&self.shared), space, after)))
    }

    fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome> {
        answer(self.write_now(&write, &expect))
    }

    fn transactional(&self) -> Option<&dyn Transactional> {
        Some(self)
    }

    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }
}

impl Transactional for Memory {
    fn commit(&self, transaction: &Transaction) -> Answer<'_, Outcome> {
        answer(self.commit_now(transaction))
    }
}

impl Presence for Memory {
    fn hold(&self, node: &NodeName, value: String, _ttl: Duration) -> Answer<'_, Hold> {
        answer(self.hold_now(node, value))
    }
}

/// Lets go of a presence key when it is dropped.
struct Holder {
    shared: Arc<Shared>,
    key: Key,
    number: u64,
}

impl Drop for Holder {
    fn drop(&mut self) {
        lock(&self.shared.state).let_go(&self.key, self.number);
    }
}

fn answer<'a, T: Send + 'a>(result: Result<T, Error>) -> BoxFuture<'a, Result<T, Error>> {
    Box::pin(ready(result))
}

/// A write of one key as a transaction.
fn single(write: &Write, expect: &Expect) -> Transaction {
    let key = write.key().clone();
    let compare = match expect {
        Expect::Any => Vec::new(),
        Expect::Absent => vec![Compare::Absent(key)],
        Expect::Version(version) => vec![Compare::Version(key, version.clone())],
    };
    Transaction {
        compare,
        write: vec![write.clone()],
    }
}

/// The number in a mark of ours.
fn number(mark: &str) -> Result<u64, Error> {
    mark.parse().map_err(|_| Error::Invalid {
        store: NAME.into(),
        detail: format!("`{mark}` is no revision of this store"),
        fix: "use the marks that it gave".into(),
    })
}

fn unavailable() -> Error {
    Error::Unavailable {
        store: NAME.into(),
        detail: "the test says that it is away".into(),
    }
}

fn lost() -> Error {
    Error::Unknown {
        store: NAME.into(),
        detail: "the test lost the answer".into(),
    }
}

fn full() -> Error {
    Error::Full {
        store: NAME.into(),
        detail: "the test says that it is full".into(),
    }
}

fn refused() -> Error {
    Error::Refused {
        store: NAME.into(),
        detail: "the test says that it refuses".into(),
        fix: "clear the faults".into(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
