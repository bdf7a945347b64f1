//! One key at a time: reading, writing on a condition, versions, lives; listings.

use futures::future::join_all;

use super::suite::{Suite, breathe, ensure, key, number};
use crate::key::Space;
use crate::transaction::{Expect, Outcome};
use crate::value::Version;

pub(super) async fn absent(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let key = key(*space, "absent", 0);
        let found = suite.get(&key).await?;
        ensure!(found.is_none(), "{key} is {found:?}");
    }
    Ok(())
}

pub(super) async fn comes_back(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let key = key(*space, "back", 0);
        let version = suite.must_put(&key, 1).await?;
        let item = suite.must_get(&key).await?;
        ensure!(item.key == key, "asked for {key}, got {}", item.key);
        ensure!(number(&item) == Some(1), "{key} has the value {}", item.value);
        ensure!(
            item.version == version,
            "written as {version}, read as {}",
            item.version
        );
        let listed = suite.ours(*space).await?;
        ensure!(
            listed == [item.clone()],
            "the listing has {listed:?} and not {item:?}"
        );
    }
    Ok(())
}

pub(super) async fn expect_absent(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let key = key(*space, "new", 0);
        let first = suite.put(&key, 1, Expect::Absent).await?;
        ensure!(first.is_done(), "nothing was there, and yet: {first:?}");
        let second = suite.put(&key, 2, Expect::Absent).await?;
        ensure!(second == Outcome::Conflict, "it was there already: {second:?}");
        let item = suite.must_get(&key).await?;
        ensure!(number(&item) == Some(1), "a conflict wrote {}", item.value);
    }
    Ok(())
}

pub(super) async fn expect_version(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let key = key(*space, "over", 0);
        let first = suite.must_put(&key, 1).await?;
        let second = suite.put(&key, 2, Expect::Version(first.clone())).await?;
        let Outcome::Done(second) = second else {
            return Err("the version was right, and yet there was a conflict".into());
        };
        ensure!(first != second, "two writes have the version {first}");
        let stale = suite.put(&key, 3, Expect::Version(first)).await?;
        ensure!(
            stale == Outcome::Conflict,
            "an old version was written over: {stale:?}"
        );
        let item = suite.must_get(&key).await?;
        ensure!(number(&item) == Some(2), "the value is {}", item.value);
        suite.delete(&key, Expect::Any).await?;
        let gone = suite.put(&key, 4, Expect::Version(second)).await?;
        ensure!(gone == Outcome::Conflict, "what is gone has no version: {gone:?}");
        let found = suite.get(&key).await?;
        ensure!(found.is_none(), "a conflict made {found:?}");
    }
    Ok(())
}

pub(super) async fn delete(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let key = key(*space, "delete", 0);
        let none = suite.delete(&key, Expect::Any).await?;
        ensure!(
            none.is_done(),
            "to delete what is not there is no conflict: {none:?}"
        );
        let first = suite.must_put(&key, 1).await?;
        let second = suite.must_put(&key, 2).await?;
        let stale = suite.delete(&key, Expect::Version(first)).await?;
        ensure!(stale == Outcome::Conflict, "deleted by an old version: {stale:?}");
        ensure!(suite.get(&key).await?.is_some(), "a conflict deleted {key}");
        let done = suite.delete(&key, Expect::Version(second.clone())).await?;
        ensure!(done.is_done(), "the version was right: {done:?}");
        ensure!(suite.get(&key).await?.is_none(), "{key} is still there");
        let again = suite.delete(&key, Expect::Version(second)).await?;
        ensure!(
            again == Outcome::Conflict,
            "deleted twice by one version: {again:?}"
        );
    }
    Ok(())
}

/// Versions change with each write; the incarnation lasts from creation to deletion.
pub(super) async fn lives(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let key = key(*space, "lives", 0);
        let mut versions: Vec<Version> = Vec::new();
        let mut incarnations = Vec::new();
        for life in 0..3 {
            for write in 0..3 {
                versions.push(suite.must_put(&key, life * 10 + write).await?);
                let item = suite.must_get(&key).await?;
                ensure!(
                    versions.last() == Some(&item.version),
                    "{item:?} after {versions:?}"
                );
                incarnations.push(item.incarnation);
            }
            suite.delete(&key, Expect::Any).await?;
        }
        for (i, version) in versions.iter().enumerate() {
            ensure!(
                !versions[..i].contains(version),
                "two writes have the version {version}"
            );
        }
        for (i, one) in incarnations.iter().enumerate() {
            for (j, other) in incarnations.iter().enumerate() {
                ensure!(
                    (one == other) == (i / 3 == j / 3),
                    "lives of three writes each: {incarnations:?}"
                );
            }
        }
    }
    Ok(())
}

pub(super) async fn listing(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let keys: Vec<_> = [7, 1, 30, 12, 3]
            .into_iter()
            .map(|i| key(*space, "list", i))
            .collect();
        for (number, key) in (0..).zip(&keys) {
            suite.must_put(key, number).await?;
        }
        suite.delete(&keys[2], Expect::Any).await?;
        let listed = suite.list(*space).await?.items;
        ensure!(
            listed.is_sorted_by(|a, b| a.key < b.key),
            "{space:?} is not sorted by key"
        );
        let listed = suite.ours(*space).await?;
        ensure!(listed.len() == 4, "five were made and one deleted: {listed:?}");
        for item in listed {
            let read = suite.must_get(&item.key).await?;
            ensure!(read == item, "listed as {item:?}, read as {read:?}");
        }
    }
    Ok(())
}

pub(super) async fn spaces(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        suite.must_put(&key(*space, "apart", 0), 1).await?;
    }
    for space in suite.spaces() {
        let listed = suite.list(*space).await?.items;
        let strange = listed.iter().find(|item| item.key.space() != *space);
        ensure!(strange.is_none(), "{space:?} lists {strange:?}");
        let ours = suite.ours(*space).await?.len();
        ensure!(ours == 1, "{space:?} has {ours} of our items and not 1");
    }
    Ok(())
}

pub(super) async fn one_creator(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let key = key(*space, "creator", 0);
        let creators = (0..12).map(|number| suite.put(&key, number, Expect::Absent));
        let outcomes = join_all(creators)
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let won = outcomes.iter().filter(|outcome| outcome.is_done()).count();
        ensure!(won == 1, "{won} of 12 creators of {key} won");
        let winner = outcomes.iter().position(Outcome::is_done);
        let found = number(&suite.must_get(&key).await?);
        ensure!(
            found.map(|n| n as usize) == winner,
            "{winner:?} won, and {found:?} is there"
        );
    }
    Ok(())
}

/// Writers that read, add one, and write if nobody else did in between.
pub(super) async fn increments(suite: &Suite<'_>) -> Result<(), String> {
    const WRITERS: u64 = 5;
    const EACH: u64 = 6;
    let key = key(suite.space(), "count", 0);
    suite.must_put(&key, 0).await?;
    let writer = || async {
        for _ in 0..EACH {
            loop {
                let item = suite.must_get(&key).await?;
                breathe().await;
                let next = number(&item).ok_or_else(|| format!("the value is {}", item.value))? + 1;
                if suite
                    .put(&key, next, Expect::Version(item.version))
                    .await?
                    .is_done()
                {
                    break;
                }
            }
        }
        Ok::<(), String>(())
    };
    let all = join_all((0..WRITERS).map(|_| writer()));
    suite
        .within("the end of the writers", all)
        .await?
        .into_iter()
        .collect::<Result<(), _>>()?;
    let counted = number(&suite.must_get(&key).await?);
    ensure!(
        counted == Some(WRITERS * EACH),
        "{} increments make {counted:?}",
        WRITERS * EACH
    );
    Ok(())
}

/// All that the suite has in a space, as key and number.
pub(super) async fn contents(
    suite: &Suite<'_>,
    space: Space,
) -> Result<Vec<(crate::Key, Option<u64>)>, String> {
    let items = suite.ours(space).await?;
    Ok(items
        .into_iter()
        .map(|item| (item.key.clone(), number(&item)))
        .collect())
}
