//! One suite for all datastores: what [`Datastore`] promises, checked against a real one.
//!
//! [`check`] runs every check that the store can be asked for and panics with the name of each that failed and what
//! was seen. Which apply follows from the store itself ([`Datastore::transactional`], [`Datastore::presence`]) and
//! from [`Capabilities`], which also bring what the suite cannot have without a runtime: a way to wait. The suite works
//! beside other data, but on names of its own (`cf-...`, 10.251.0.0/16), and removes what it made.

mod basic;
mod limits;
mod suite;
#[cfg(test)]
mod tests;
mod transactions;
mod watches;

use std::time::Duration;

use futures::future::BoxFuture;

use crate::Datastore;
use suite::Suite;

/// Waits for a time.
pub type Sleep = fn(Duration) -> BoxFuture<'static, ()>;

/// Makes the store forget its history up to now.
pub type Compact = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What the suite has to know about a store.
pub struct Capabilities {
    /// It has the spaces `Ownership` and `Addresses`, not only `Resources`.
    pub ownership: bool,
    /// Makes it forget its history; without this, compaction is not checked.
    pub compact: Option<Compact>,
    /// The time to live to ask for when presence is checked; without it, it is not (it takes as long as that).
    pub presence_ttl: Option<Duration>,
    /// A value of so many bytes is taken.
    pub takes: usize,
    /// A value of so many bytes is refused, before it is sent.
    pub refuses: Option<usize>,
    /// So many items make more than one page.
    pub many: usize,
    /// Waits.
    pub sleep: Sleep,
    /// After so long, something that should happen has not.
    pub patience: Duration,
}

impl Capabilities {
    /// A store with all spaces.
    pub fn everything(sleep: Sleep) -> Self {
        Capabilities {
            ownership: true,
            compact: None,
            presence_ttl: None,
            takes: 1_000_000,
            refuses: None,
            many: 1_500,
            sleep,
            patience: Duration::from_secs(20),
        }
    }

    /// A store that holds resources alone.
    pub fn resources_only(sleep: Sleep) -> Self {
        Capabilities {
            ownership: false,
            many: 200,
            takes: 100_000,
            ..Capabilities::everything(sleep)
        }
    }
}

/// What a check needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Ownership,
    Transactions,
    Compaction,
    Presence,
    Refusal,
}

type Check = for<'a> fn(&'a Suite<'a>) -> BoxFuture<'a, Result<(), String>>;

/// All checks in the order in which they are run.
const CHECKS: &[(&str, Need, Check)] = &[
    ("what is not there is none", Need::Nothing, |s| {
        Box::pin(basic::absent(s))
    }),
    ("a value comes back", Need::Nothing, |s| {
        Box::pin(basic::comes_back(s))
    }),
    ("a write where nothing may be", Need::Nothing, |s| {
        Box::pin(basic::expect_absent(s))
    }),
    ("a write over a known version", Need::Nothing, |s| {
        Box::pin(basic::expect_version(s))
    }),
    ("deletion on a condition", Need::Nothing, |s| {
        Box::pin(basic::delete(s))
    }),
    ("versions and incarnations", Need::Nothing, |s| {
        Box::pin(basic::lives(s))
    }),
    ("a listing is complete and sorted", Need::Nothing, |s| {
        Box::pin(basic::listing(s))
    }),
    ("spaces are apart", Need::Ownership, |s| {
        Box::pin(basic::spaces(s))
    }),
    ("of many creators one wins", Need::Nothing, |s| {
        Box::pin(basic::one_creator(s))
    }),
    ("no increment is lost", Need::Nothing, |s| {
        Box::pin(basic::increments(s))
    }),
    ("a watch sees what happens in order", Need::Nothing, |s| {
        Box::pin(watches::in_order(s))
    }),
    ("a watch goes on from a revision", Need::Nothing, |s| {
        Box::pin(watches::resumes(s))
    }),
    ("a watch misses nothing under writers", Need::Nothing, |s| {
        Box::pin(watches::misses_nothing(s))
    }),
    ("history that is gone is said so", Need::Compaction, |s| {
        Box::pin(watches::compacted(s))
    }),
    ("a transaction is all or nothing", Need::Transactions, |s| {
        Box::pin(transactions::all_or_nothing(s))
    }),
    ("each comparison of a transaction", Need::Transactions, |s| {
        Box::pin(transactions::comparisons(s))
    }),
    ("what was not written since", Need::Transactions, |s| {
        Box::pin(transactions::unwritten(s))
    }),
    ("no watch splits a transaction", Need::Transactions, |s| {
        Box::pin(transactions::never_split(s))
    }),
    ("a key is not written twice", Need::Transactions, |s| {
        Box::pin(transactions::twice(s))
    }),
    ("odd names", Need::Nothing, |s| Box::pin(limits::odd_names(s))),
    ("odd names of records", Need::Ownership, |s| {
        Box::pin(limits::odd_records(s))
    }),
    ("many items", Need::Nothing, |s| Box::pin(limits::many(s))),
    ("a big value", Need::Nothing, |s| Box::pin(limits::big(s))),
    ("a value that is too big", Need::Refusal, |s| {
        Box::pin(limits::too_big(s))
    }),
    ("presence lasts as long as its holder", Need::Presence, |s| {
        Box::pin(limits::presence(s))
    }),
];

/// Runs all checks that apply.
///
/// # Panics
/// If one fails, with the names of all that failed.
pub async fn check(store: &dyn Datastore, capabilities: &Capabilities) {
    let failed = run(store, capabilities).await;
    let name = store.describe();
    assert!(
        failed.is_empty(),
        "{name} does not conform:\n{}",
        failed.join("\n")
    );
}

/// Runs all checks that apply; a line for each that failed.
pub async fn run(store: &dyn Datastore, capabilities: &Capabilities) -> Vec<String> {
    let suite = Suite { store, capabilities };
    let mut failed = Vec::new();
    for (name, need, check) in CHECKS {
        if !applies(*need, store, capabilities) {
            continue;
        }
        if let Err(e) = check(&suite).await {
            failed.push(format!("{name}: {e}"));
        }
        if let Err(e) = suite.clean().await {
            failed.push(format!("{name}: cleaning up: {e}"));
        }
    }
    failed
}

fn applies(need: Need, store: &dyn Datastore, capabilities: &Capabilities) -> bool {
    match need {
        Need::Nothing => true,
        Need::Ownership => capabilities.ownership,
        Need::Transactions => store.transactional().is_some(),
        Need::Compaction => capabilities.compact.is_some(),
        Need::Presence => store.presence().is_some() && capabilities.presence_ttl.is_some(),
        Need::Refusal => capabilities.refuses.is_some(),
    }
}

/// A [`Sleep`] for suites without a runtime: a thread that wakes the task.
pub fn thread_sleep(time: Duration) -> BoxFuture<'static, ()> {
    let (done, wait) = futures::channel::oneshot::channel::<()>();
    std::thread::spawn(move || {
        std::thread::sleep(time);
        drop(done);
    });
    Box::pin(async move {
        // The sender ends without a message: that is the signal.
        let _ = wait.await;
    })
}
