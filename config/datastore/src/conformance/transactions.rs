//! Several keys at once.

use futures::future::join;

use super::basic::contents;
use super::suite::{Suite, ensure, key, number, put};
use crate::error::Error;
use crate::key::Key;
use crate::transaction::{Compare, Expect, Outcome, Transaction, Write};

fn both(a: &Key, b: &Key, number: u64) -> Transaction {
    Transaction::default().then(put(a, number)).then(put(b, number))
}

pub(super) async fn all_or_nothing(suite: &Suite<'_>) -> Result<(), String> {
    let space = suite.space();
    let (a, b, c) = (key(space, "all", 0), key(space, "all", 1), key(space, "all", 2));
    suite.must_put(&c, 0).await?;
    let transaction = both(&a, &b, 1)
        .then(Write::Delete(c.clone()))
        .when(Compare::Absent(a.clone()));
    let Outcome::Done(version) = suite.commit(&transaction).await? else {
        return Err("the condition holds, and yet there was a conflict".into());
    };
    let there = contents(suite, space).await?;
    ensure!(
        there == [(a.clone(), Some(1)), (b.clone(), Some(1))],
        "there is {there:?}"
    );
    for key in [&a, &b] {
        let found = suite.must_get(key).await?.version;
        ensure!(found == version, "the outcome says {version}, {key} says {found}");
    }
    let refused = suite.commit(&transaction).await?;
    ensure!(refused == Outcome::Conflict, "the condition fails: {refused:?}");
    // One condition of two fails: nothing is written, in whatever order they stand.
    let (holds, fails) = (Compare::Absent(c.clone()), Compare::Absent(b.clone()));
    for (one, two) in [(&holds, &fails), (&fails, &holds)] {
        let transaction = both(&a, &c, 2).when(one.clone()).when(two.clone());
        let refused = suite.commit(&transaction).await?;
        ensure!(
            refused == Outcome::Conflict,
            "one of two conditions fails: {refused:?}"
        );
    }
    let there = contents(suite, space).await?;
    ensure!(there == [(a, Some(1)), (b, Some(1))], "conflicts left {there:?}");
    Ok(())
}

pub(super) async fn comparisons(suite: &Suite<'_>) -> Result<(), String> {
    let space = suite.space();
    let (there, gone, target) = (key(space, "cmp", 0), key(space, "cmp", 1), key(space, "cmp", 2));
    suite.must_put(&there, 0).await?;
    let old = suite.must_get(&there).await?;
    suite.delete(&there, Expect::Any).await?;
    suite.must_put(&there, 1).await?;
    let first = suite.must_get(&there).await?;
    suite.must_put(&there, 2).await?;
    let now = suite.must_get(&there).await?;
    let cases = [
        (Compare::Absent(gone.clone()), true),
        (Compare::Absent(there.clone()), false),
        (Compare::Version(there.clone(), now.version.clone()), true),
        (Compare::Version(there.clone(), first.version.clone()), false),
        (Compare::Version(gone.clone(), now.version), false),
        (Compare::Incarnation(there.clone(), first.incarnation), true),
        (Compare::Incarnation(there, old.incarnation.clone()), false),
        (Compare::Incarnation(gone, old.incarnation), false),
    ];
    for (number, (compare, holds)) in (0..).zip(cases) {
        let transaction = Transaction::default()
            .when(compare.clone())
            .then(put(&target, number));
        let outcome = suite.commit(&transaction).await?;
        ensure!(outcome.is_done() == holds, "{compare:?} gives {outcome:?}");
        let written = suite.get(&target).await?.as_ref().and_then(self::number) == Some(number);
        ensure!(
            written == holds,
            "{compare:?} gives {outcome:?}, and it was written: {written}"
        );
    }
    Ok(())
}

pub(super) async fn unwritten(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let (old, new, target) = (
            key(*space, "since", 0),
            key(*space, "since", 1),
            key(*space, "since", 2),
        );
        suite.must_put(&old, 1).await?;
        let since = suite.revision(*space).await?;
        suite.delete(&old, Expect::Any).await?;
        let transaction = Transaction::default()
            .when(Compare::Unwritten(*space, since.clone()))
            .then(put(&target, 1));
        let quiet = suite.commit(&transaction).await?;
        ensure!(
            quiet.is_done(),
            "{space:?} saw nothing but a deletion since {since}: {quiet:?}"
        );
        let busy = suite.commit(&transaction).await?;
        ensure!(
            busy == Outcome::Conflict,
            "{space:?} was written since {since}: {busy:?}"
        );
        let since = suite.revision(*space).await?;
        suite.must_put(&new, 1).await?;
        let transaction = Transaction::default()
            .when(Compare::Unwritten(*space, since.clone()))
            .then(put(&target, 2));
        let busy = suite.commit(&transaction).await?;
        ensure!(
            busy == Outcome::Conflict,
            "{new} was made since {since}: {busy:?}"
        );
    }
    Ok(())
}

/// A watcher that looks after every step sees both keys of each transaction with the same number.
pub(super) async fn never_split(suite: &Suite<'_>) -> Result<(), String> {
    const COUNT: u64 = 60;
    let space = suite.space();
    let (a, b) = (key(space, "split", 0), key(space, "split", 1));
    let after = suite.revision(space).await?;
    let mut watch = suite.watch(space, after.clone()).await?;
    let writer = async {
        for number in 1..=COUNT {
            suite.commit(&both(&a, &b, number)).await?;
        }
        Ok::<(), String>(())
    };
    let reader = async {
        let mut last = 0;
        while last < COUNT {
            let changes = suite.next(&mut watch).await?;
            let items = changes.changes.iter().filter_map(|change| match change {
                crate::Change::Put(item) => Some((item.key.clone(), number(item))),
                crate::Change::Deleted(_) => None,
            });
            let items: Vec<_> = items.collect();
            let numbers = |key: &Key| -> Vec<_> {
                items
                    .iter()
                    .filter(|(k, _)| k == key)
                    .filter_map(|(_, number)| *number)
                    .collect()
            };
            let (of_a, of_b) = (numbers(&a), numbers(&b));
            ensure!(of_a == of_b, "one step of the watch shows {of_a:?} and {of_b:?}");
            last = of_a.last().copied().unwrap_or(last);
        }
        Ok(())
    };
    let (written, read) = join(writer, reader).await;
    written.and(read)?;
    // What lies in the past is not split either.
    let mut watch = suite.watch(space, after).await?;
    let mut seen = 0;
    while seen < 2 * COUNT {
        let changes = suite.next(&mut watch).await?.changes.len() as u64;
        ensure!(
            changes.is_multiple_of(2),
            "the past comes in a step of {changes} changes"
        );
        seen += changes;
    }
    Ok(())
}

pub(super) async fn twice(suite: &Suite<'_>) -> Result<(), String> {
    let key = key(suite.space(), "twice", 0);
    let done = suite.transactional()?.commit(&both(&key, &key, 1)).await;
    ensure!(
        matches!(done, Err(Error::Invalid { .. })),
        "a key was written twice: {done:?}"
    );
    ensure!(suite.get(&key).await?.is_none(), "and it is there");
    Ok(())
}
