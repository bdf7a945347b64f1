//! How a transaction of the decision is carried to the store: the difference between stores as a type.
//!
//! On a [`Transactional`] store every comparison and every write happen at one moment. On a store that writes
//! one key at a time (Kubernetes) the other comparisons are reads done before the write: the written key itself
//! is still compared by the store, so a block can never get two owners, but the pool or the node may change
//! between the read and the write. `ipam check` finds what such a race leaves behind.

use datastore::{Compare, Datastore, Error, Expect, Item, Outcome, Transaction, Transactional};

/// A store as the keeper uses it.
#[derive(Clone, Copy)]
pub enum Claims<'a> {
    /// Commits several keys at once.
    Atomic(&'a dyn Transactional),
    /// Writes one key at a time.
    OneKey(&'a dyn Datastore),
}

impl<'a> Claims<'a> {
    /// What this store can do.
    pub fn of(store: &'a dyn Datastore) -> Self {
        match store.transactional() {
            Some(atomic) => Claims::Atomic(atomic),
            None => Claims::OneKey(store),
        }
    }

    /// Whether several keys are committed at once.
    pub fn is_atomic(&self) -> bool {
        matches!(self, Claims::Atomic(_))
    }

    /// Carries a transaction out.
    ///
    /// # Errors
    /// As the store's; [`Error::Invalid`] where a store of single keys is asked for what it cannot do.
    pub async fn commit(&self, transaction: &Transaction) -> Result<Outcome, Error> {
        match self {
            Claims::Atomic(store) => store.commit(transaction).await,
            Claims::OneKey(store) => one_key(*store, transaction).await,
        }
    }
}

/// Reads what else has to hold, then writes the one key under its own condition.
async fn one_key(store: &dyn Datastore, transaction: &Transaction) -> Result<Outcome, Error> {
    let [write] = transaction.write.as_slice() else {
        return Err(refused(store, "several keys at once were asked for"));
    };
    let mut expect = Expect::Any;
    for compare in &transaction.compare {
        let key = match compare {
            Compare::Absent(key) | Compare::Version(key, _) | Compare::Incarnation(key, _) => key,
            Compare::Unwritten(..) => return Err(refused(store, "a whole space was to be compared")),
        };
        let own = key == write.key();
        match compare {
            Compare::Absent(_) if own => expect = Expect::Absent,
            Compare::Version(_, version) if own => expect = Expect::Version(version.clone()),
            _ => {
                let item = store.get(key).await?;
                if !holds(compare, item.as_ref()) {
                    return Ok(Outcome::Conflict);
                }
                if own && expect == Expect::Any {
                    expect = item.map_or(Expect::Absent, |item| Expect::Version(item.version));
                }
            }
        }
    }
    store.write(write.clone(), expect).await
}

fn holds(compare: &Compare, item: Option<&Item>) -> bool {
    match (compare, item) {
        (Compare::Absent(_), found) => found.is_none(),
        (Compare::Version(_, version), Some(item)) => item.version == *version,
        (Compare::Incarnation(_, incarnation), Some(item)) => item.incarnation == *incarnation,
        _ => false,
    }
}

fn refused(store: &dyn Datastore, detail: &str) -> Error {
    Error::Invalid {
        store: store.describe(),
        detail: format!("it writes one key at a time, and {detail}"),
        fix: "use etcd as the datastore for this".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use datastore::{Answer, Changes, Incarnation, Key, Listing, Memory, Revision, Space, Version, Write};
    use futures::stream::BoxStream;

    use super::*;

    /// A store that writes one key at a time.
    struct Single(Memory);

    impl Datastore for Single {
        fn describe(&self) -> String {
            "single".to_owned()
        }
        fn get(&self, key: &Key) -> Answer<'_, Option<Item>> {
            self.0.get(key)
        }
        fn list(&self, space: Space) -> Answer<'_, Listing> {
            self.0.list(space)
        }
        fn watch(
            &self,
            space: Space,
            after: Revision,
        ) -> Answer<'_, BoxStream<'static, Result<Changes, Error>>> {
            self.0.watch(space, after)
        }
        fn write(&self, write: Write, expect: Expect) -> Answer<'_, Outcome> {
            self.0.write(write, expect)
        }
    }

    fn key(name: &str) -> Key {
        Key::Sticky(name.to_owned())
    }

    fn put(name: &str) -> Transaction {
        Transaction::default().then(Write::Put(key(name), "{}".to_owned()))
    }

    async fn commit(store: &Memory, transaction: Transaction) -> Result<Outcome, Error> {
        let single = Single(store.clone());
        let claims = Claims::of(&single);
        assert!(!claims.is_atomic() && Claims::of(store).is_atomic());
        claims.commit(&transaction).await
    }

    #[tokio::test]
    async fn other_keys_are_read_and_the_written_one_is_compared_by_the_store() {
        let store = Memory::new();
        commit(&store, put("pool")).await.unwrap();
        let pool = store.get_now(&key("pool")).unwrap().unwrap();
        let claim = put("block")
            .when(Compare::Version(key("pool"), pool.version.clone()))
            .when(Compare::Incarnation(key("pool"), pool.incarnation.clone()))
            .when(Compare::Absent(key("block")));
        assert!(commit(&store, claim.clone()).await.unwrap().is_done());
        assert_eq!(
            commit(&store, claim.clone()).await,
            Ok(Outcome::Conflict),
            "it is there"
        );
        let block = store.get_now(&key("block")).unwrap().unwrap();
        let again = put("block").when(Compare::Version(key("block"), block.version.clone()));
        assert!(commit(&store, again.clone()).await.unwrap().is_done());
        assert_eq!(
            commit(&store, again).await,
            Ok(Outcome::Conflict),
            "it was written since"
        );
        for wrong in [
            Compare::Version(key("pool"), Version::new("other")),
            Compare::Incarnation(key("pool"), Incarnation::new("other")),
            Compare::Incarnation(key("none"), pool.incarnation.clone()),
            Compare::Absent(key("pool")),
        ] {
            let outcome = commit(&store, put("more").when(wrong.clone())).await;
            assert_eq!(outcome, Ok(Outcome::Conflict), "{wrong:?}");
        }
        assert_eq!(store.get_now(&key("more")), Ok(None));
    }

    #[tokio::test]
    async fn what_a_store_of_single_keys_cannot_do_is_refused() {
        let store = Memory::new();
        let two = put("a").then(Write::Delete(key("b")));
        assert!(matches!(commit(&store, two).await, Err(Error::Invalid { .. })));
        let whole = put("a").when(Compare::Unwritten(Space::Ownership, Revision::new("1")));
        assert!(matches!(commit(&store, whole).await, Err(Error::Invalid { .. })));
    }
}
