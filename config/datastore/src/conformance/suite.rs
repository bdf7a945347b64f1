//! What every check uses: keys and values of the suite's own, calls whose errors are texts, and waiting.

use std::net::{IpAddr, Ipv4Addr};
use std::task::Poll;

use config::fields::ResourceKind;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use futures::{Future, StreamExt};

use super::Capabilities;
use crate::error::Error;
use crate::key::{Key, Space};
use crate::transaction::{Expect, Outcome, Transaction, Write};
use crate::value::{Changes, Item, Listing, Revision, Version};
use crate::view::SpaceView;
use crate::{Datastore, Transactional};

/// Names of the suite begin with this.
const MARK: &str = "cf-";

/// Numbers inside values begin here: ten digits each, so that one is never part of another.
const FIRST: u64 = 4_200_000_000;

/// What a watch gives.
pub(super) type Watch = BoxStream<'static, Result<Changes, Error>>;

/// A store under test.
pub(super) struct Suite<'a> {
    pub store: &'a dyn Datastore,
    pub capabilities: &'a Capabilities,
}

/// Fails a check.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}
pub(super) use ensure;

impl Suite<'_> {
    /// The spaces that the store has, smallest first.
    pub fn spaces(&self) -> &'static [Space] {
        match self.capabilities.ownership {
            true => &[Space::Resources, Space::Ownership, Space::Addresses],
            false => &[Space::Resources],
        }
    }

    /// The space for checks that need only one: of records where there are any.
    pub fn space(&self) -> Space {
        match self.capabilities.ownership {
            true => Space::Ownership,
            false => Space::Resources,
        }
    }

    pub fn transactional(&self) -> Result<&dyn Transactional, String> {
        self.store
            .transactional()
            .ok_or_else(|| "no transactions".to_owned())
    }

    pub async fn get(&self, key: &Key) -> Result<Option<Item>, String> {
        self.store.get(key).await.map_err(|e| format!("get {key}: {e}"))
    }

    pub async fn must_get(&self, key: &Key) -> Result<Item, String> {
        self.get(key).await?.ok_or_else(|| format!("{key} is not there"))
    }

    /// Writes the value with a number.
    pub async fn put(&self, key: &Key, number: u64, expect: Expect) -> Result<Outcome, String> {
        let write = put(key, number);
        self.store
            .write(write, expect)
            .await
            .map_err(|e| format!("put {key}: {e}"))
    }

    pub async fn must_put(&self, key: &Key, number: u64) -> Result<Version, String> {
        match self.put(key, number, Expect::Any).await? {
            Outcome::Done(version) => Ok(version),
            Outcome::Conflict => Err(format!("put {key} without a condition: conflict")),
        }
    }

    pub async fn delete(&self, key: &Key, expect: Expect) -> Result<Outcome, String> {
        let write = Write::Delete(key.clone());
        self.store
            .write(write, expect)
            .await
            .map_err(|e| format!("delete {key}: {e}"))
    }

    pub async fn commit(&self, transaction: &Transaction) -> Result<Outcome, String> {
        let done = self.transactional()?.commit(transaction).await;
        done.map_err(|e| format!("{transaction:?}: {e}"))
    }

    pub async fn list(&self, space: Space) -> Result<Listing, String> {
        self.store
            .list(space)
            .await
            .map_err(|e| format!("list {space:?}: {e}"))
    }

    /// What is ours of a space, in the order of the listing.
    pub async fn ours(&self, space: Space) -> Result<Vec<Item>, String> {
        let mut items = self.list(space).await?.items;
        items.retain(|item| is_ours(&item.key));
        Ok(items)
    }

    pub async fn revision(&self, space: Space) -> Result<Revision, String> {
        Ok(self.list(space).await?.revision)
    }

    pub async fn watch(&self, space: Space, after: Revision) -> Result<Watch, String> {
        let begun = self.store.watch(space, after).await;
        begun.map_err(|e| format!("watch {space:?}: {e}"))
    }

    /// The next of a watch, or a failure after the suite's patience.
    pub async fn next(&self, watch: &mut Watch) -> Result<Changes, String> {
        match self.within("the next change", watch.next()).await? {
            Some(changes) => changes.map_err(|e| format!("the watch: {e}")),
            None => Err("the watch ended".into()),
        }
    }

    /// Folds a watch into a view until it says what `done` wants.
    pub async fn follow_until(
        &self,
        view: &mut SpaceView,
        watch: &mut Watch,
        done: impl Fn(&SpaceView) -> bool,
    ) -> Result<(), String> {
        while !done(view) {
            let changes = self.next(watch).await?;
            view.apply(changes);
        }
        Ok(())
    }

    /// `future`, or a failure after the suite's patience.
    pub async fn within<T>(&self, what: &str, future: impl Future<Output = T>) -> Result<T, String> {
        let sleep = (self.capabilities.sleep)(self.capabilities.patience);
        futures::pin_mut!(future);
        match select(future, sleep).await {
            Either::Left((value, _)) => Ok(value),
            Either::Right(_) => Err(format!(
                "{what} did not come within {:?}",
                self.capabilities.patience
            )),
        }
    }

    /// Removes all that is ours, where it can a hundred at a time.
    pub async fn clean(&self) -> Result<(), String> {
        for space in self.spaces() {
            let writes = self
                .ours(*space)
                .await?
                .into_iter()
                .map(|item| Write::Delete(item.key));
            self.write_all(writes.collect()).await?;
        }
        Ok(())
    }

    /// Writes without conditions, together where the store can.
    pub async fn write_all(&self, writes: Vec<Write>) -> Result<(), String> {
        if self.store.transactional().is_some() {
            for chunk in writes.chunks(100) {
                let transaction = Transaction {
                    compare: Vec::new(),
                    write: chunk.to_vec(),
                };
                self.commit(&transaction).await?;
            }
            return Ok(());
        }
        for write in writes {
            let text = format!("{}", write.key());
            let done = self.store.write(write, Expect::Any).await;
            done.map_err(|e| format!("write {text}: {e}"))?;
        }
        Ok(())
    }
}

/// Lets others go on: stores that answer at once would otherwise never interleave.
pub(super) async fn breathe() {
    let mut yielded = false;
    futures::future::poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A key of the suite: the `i`-th of a check in a space.
pub(super) fn key(space: Space, check: &str, i: usize) -> Key {
    let name = format!("{MARK}{check}-{i:05}");
    match space {
        Space::Resources => Key::resource(ResourceKind::BgpPeer, name),
        Space::Ownership => Key::Sticky(name),
        Space::Addresses => Key::Address(address(check, i)),
    }
}

/// The value of a key with a number in it: a valid resource, or a record.
pub(super) fn value(key: &Key, number: u64) -> String {
    let number = FIRST + number;
    match key {
        Key::Resource(kind, name) => {
            let peer = address(name, 0);
            let (kind, name) = (kind.name(), name.as_str());
            serde_json::json!({
                "apiVersion": "roadbed.dev/v1",
                "kind": kind,
                "metadata": { "name": name },
                "spec": { "peerIP": peer.to_string(), "asNumber": number },
            })
            .to_string()
        }
        _ => serde_json::json!({ "node": "cf-node", "number": number }).to_string(),
    }
}

pub(super) fn put(key: &Key, number: u64) -> Write {
    Write::Put(key.clone(), value(key, number))
}

/// The number in a value, however the store has laid the text out.
pub(super) fn number(item: &Item) -> Option<u64> {
    let text: &str = &item.value;
    let digits = text
        .split(|c: char| !c.is_ascii_digit())
        .find(|word| word.len() == 10)?;
    digits.parse::<u64>().ok()?.checked_sub(FIRST)
}

/// An address inside 10.251.0.0/16 that belongs to a text (FNV-1a; names of the suite do not collide).
fn address(text: &str, i: usize) -> IpAddr {
    let hash = text.bytes().fold(2_166_136_261_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(16_777_619)
    });
    let number = hash.wrapping_add(u32::try_from(i).unwrap_or(u32::MAX)) & 0xffff;
    IpAddr::V4(Ipv4Addr::from(0x0afb_0000 | number))
}

fn is_ours(key: &Key) -> bool {
    match key {
        Key::Resource(_, name) | Key::Sticky(name) | Key::Presence(name) => name.starts_with(MARK),
        Key::Block(net) | Key::Aggregate(net) => ours(net.addr()),
        Key::Loan(address) | Key::Address(address) => ours(*address),
    }
}

fn ours(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[..2] == [10, 251],
        IpAddr::V6(v6) => v6.segments()[0] == 0xfdcf,
    }
}
