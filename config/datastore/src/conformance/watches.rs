//! Watching: order, resumption, completeness under writers, and history that is gone.

use futures::future::{join, join_all};

use super::basic::contents;
use super::suite::{Suite, Watch, breathe, ensure, key, number};
use crate::error::Error;
use crate::key::{Key, Space};
use crate::transaction::Expect;
use crate::value::{Change, Revision};
use crate::view::SpaceView;

/// What happened, in short: the key, and its number or that it is gone.
type Event = (Key, Option<u64>);

/// Reads so many events, with the revision after each.
async fn events(
    suite: &Suite<'_>,
    watch: &mut Watch,
    count: usize,
) -> Result<Vec<(Event, Revision)>, String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let changes = suite
            .next(watch)
            .await
            .map_err(|e| format!("{e}; seen so far: {seen:?}"))?;
        for change in changes.changes {
            let event = match change {
                Change::Put(item) => (item.key.clone(), number(&item)),
                Change::Deleted(key) => (key, None),
            };
            seen.push((event, changes.revision.clone()));
        }
    }
    Ok(seen)
}

/// Writes, deletes and rewrites; what a watch has to show.
async fn story(suite: &Suite<'_>, space: Space) -> Result<Vec<Event>, String> {
    let (a, b) = (key(space, "story", 0), key(space, "story", 1));
    suite.must_put(&a, 1).await?;
    suite.must_put(&b, 2).await?;
    suite.must_put(&a, 3).await?;
    suite.delete(&b, Expect::Any).await?;
    suite.must_put(&b, 4).await?;
    Ok(vec![
        (a.clone(), Some(1)),
        (b.clone(), Some(2)),
        (a, Some(3)),
        (b.clone(), None),
        (b, Some(4)),
    ])
}

/// One key's part of a story. Stores with one history for each kind of key keep order for each key.
fn of(key: &Key, story: &[Event]) -> Vec<Event> {
    story.iter().filter(|(k, _)| k == key).cloned().collect()
}

pub(super) async fn in_order(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let before = key(*space, "before", 0);
        suite.must_put(&before, 9).await?;
        let after = suite.revision(*space).await?;
        let mut early = suite.watch(*space, after.clone()).await?;
        let told = story(suite, *space).await?;
        let mut late = suite.watch(*space, after).await?;
        for watch in [&mut early, &mut late] {
            let seen: Vec<Event> = events(suite, watch, told.len())
                .await?
                .into_iter()
                .map(|(e, _)| e)
                .collect();
            for (key, _) in &told {
                let (seen, told) = (of(key, &seen), of(key, &told));
                ensure!(seen == told, "{key}: seen {seen:?}, happened {told:?}");
            }
        }
    }
    Ok(())
}

pub(super) async fn resumes(suite: &Suite<'_>) -> Result<(), String> {
    for space in suite.spaces() {
        let after = suite.revision(*space).await?;
        let mut watch = suite.watch(*space, after).await?;
        let told = story(suite, *space).await?;
        let seen = events(suite, &mut watch, told.len()).await?;
        drop(watch);
        let (first, middle) = &seen[1];
        let repeated = seen
            .iter()
            .take_while(|(_, revision)| revision == middle)
            .count()
            .max(2);
        let mut rest = suite.watch(*space, middle.clone()).await?;
        let marker = key(*space, "story", 7);
        suite.must_put(&marker, 7).await?;
        let wanted: Vec<Event> = seen[repeated..].iter().map(|(e, _)| e.clone()).collect();
        let again = events(suite, &mut rest, wanted.len() + 1).await?;
        let again: Vec<Event> = again.into_iter().map(|(e, _)| e).collect();
        let expected = [wanted, vec![(marker, Some(7))]].concat();
        ensure!(
            again == expected,
            "after {first:?} came {again:?} and not {expected:?}"
        );
    }
    Ok(())
}

/// Writers of many keys while a listing and a watch from it are folded into a view.
pub(super) async fn misses_nothing(suite: &Suite<'_>) -> Result<(), String> {
    const WRITERS: usize = 6;
    const EACH: u64 = 25;
    for space in suite.spaces() {
        let writer = |w: usize| async move {
            let (mine, turns) = (key(*space, "busy", w), key(*space, "busy", w + WRITERS));
            for number in 0..EACH {
                breathe().await;
                suite.must_put(&mine, number).await?;
                match number % 2 {
                    0 => drop(suite.must_put(&turns, number).await?),
                    _ => drop(suite.delete(&turns, Expect::Any).await?),
                }
            }
            suite.must_put(&mine, 1000).await.map(drop)
        };
        let watcher = async {
            // In the middle of it all.
            while suite.ours(*space).await?.is_empty() {
                breathe().await;
            }
            let listing = suite.list(*space).await?;
            let mut watch = suite.watch(*space, listing.revision.clone()).await?;
            let mut view = SpaceView::from(listing);
            let ended = |view: &SpaceView| {
                let last = |w| view.items.get(&key(*space, "busy", w)).and_then(number) == Some(1000);
                let turns = (0..WRITERS).all(|w| view.items.contains_key(&key(*space, "busy", w + WRITERS)));
                (0..WRITERS).all(last) && turns
            };
            suite.follow_until(&mut view, &mut watch, ended).await?;
            Ok::<_, String>(view)
        };
        let (written, view) = join(join_all((0..WRITERS).map(writer)), watcher).await;
        written.into_iter().collect::<Result<(), _>>()?;
        let view = view?;
        let seen: Vec<_> = view
            .items
            .values()
            .map(|item| (item.key.clone(), number(item)))
            .collect();
        let there = contents(suite, *space).await?;
        let missing: Vec<_> = there.iter().filter(|event| !seen.contains(event)).collect();
        ensure!(
            missing.is_empty(),
            "{space:?}: the watch did not show {missing:?}"
        );
    }
    Ok(())
}

pub(super) async fn compacted(suite: &Suite<'_>) -> Result<(), String> {
    let Some(compact) = &suite.capabilities.compact else {
        return Ok(());
    };
    let space = suite.space();
    let after = suite.revision(space).await?;
    let told = story(suite, space).await?;
    let current = suite.watch(space, suite.revision(space).await?).await?;
    compact().await;
    let ended = match suite.store.watch(space, after).await {
        Err(e) => Some(Err(e)),
        Ok(mut watch) => {
            suite
                .within(
                    "the end of a watch into the past",
                    futures::StreamExt::next(&mut watch),
                )
                .await?
        }
    };
    let said = matches!(ended, Some(Err(Error::Compacted { .. })));
    ensure!(said, "a watch from before the compaction gives {ended:?}");
    let listing = suite.list(space).await?;
    let mut watch = suite.watch(space, listing.revision).await?;
    let mut current = current;
    let marker = told[0].0.clone();
    suite.must_put(&marker, 77).await?;
    for (watch, which) in [
        (&mut watch, "begun after"),
        (&mut current, "that was up to date before"),
    ] {
        let seen = events(suite, watch, 1)
            .await
            .map_err(|e| format!("a watch {which} the compaction: {e}"))?;
        ensure!(
            seen[0].0 == (marker.clone(), Some(77)),
            "a watch {which} the compaction shows {seen:?}"
        );
    }
    Ok(())
}
