//! Odd names, many items, big values, and presence.

use config::fields::ResourceKind;
use futures::StreamExt;
use ipnet::IpNet;

use super::suite::{Suite, ensure, key, number, put, value};
use crate::error::Error;
use crate::key::{Key, Space};
use crate::transaction::{Expect, Write};
use crate::value::Change;

/// Writes, reads, lists and deletes each key; those that begin alike do not get into each other's way.
async fn each(suite: &Suite<'_>, keys: &[Key]) -> Result<(), String> {
    for (number, key) in (0..).zip(keys) {
        suite.must_put(key, number).await?;
    }
    for (number, key) in (0..).zip(keys) {
        let item = suite.must_get(key).await?;
        ensure!(
            self::number(&item) == Some(number),
            "{key} has the value {}",
            item.value
        );
    }
    let listed = suite.ours(keys[0].space()).await?;
    ensure!(
        listed.len() == keys.len(),
        "{} were made, the listing has {listed:?}",
        keys.len()
    );
    for (i, key) in keys.iter().enumerate() {
        suite.delete(key, Expect::Any).await?;
        let left = suite.ours(key.space()).await?.len();
        ensure!(
            left == keys.len() - i - 1,
            "after {key} was deleted {left} are left of {}",
            keys.len() - i
        );
    }
    Ok(())
}

pub(super) async fn odd_names(suite: &Suite<'_>) -> Result<(), String> {
    let long = format!("cf-{}", "x".repeat(250));
    let names = [
        "cf-a",
        "cf-a.b",
        "cf-a-b",
        "cf-a.b.c",
        "cf-aa",
        "cf-0",
        "cf-1.2.3.4",
        long.as_str(),
    ];
    let keys = names.map(|name| Key::resource(ResourceKind::BgpPeer, name));
    each(suite, &keys).await
}

pub(super) async fn odd_records(suite: &Suite<'_>) -> Result<(), String> {
    let net = |text: &str| text.parse::<IpNet>().map_err(|e| format!("{text}: {e}"));
    let keys = [
        Key::Block(net("10.251.0.0/26")?),
        Key::Block(net("10.251.0.0/27")?),
        Key::Block(net("fdcf::/122")?),
        Key::Block(net("fdcf:0:0:1::/122")?),
        Key::Aggregate(net("10.251.0.0/22")?),
        Key::Aggregate(net("10.251.0.0/26")?),
        Key::Loan(net("10.251.0.1/32")?.addr()),
        Key::Loan(net("fdcf::1/128")?.addr()),
        Key::Sticky("cf-ns.db-0".into()),
        Key::Sticky("cf-ns.db-0.x".into()),
    ];
    each(suite, &keys).await?;
    let keys = [
        "10.251.9.1/32",
        "10.251.9.10/32",
        "10.251.9.100/32",
        "fdcf::9/128",
    ];
    let keys = keys.map(|text| net(text).map(|net| Key::Address(net.addr())));
    each(suite, &keys.into_iter().collect::<Result<Vec<_>, _>>()?).await
}

/// More than one page, by listing and by watching from before.
pub(super) async fn many(suite: &Suite<'_>) -> Result<(), String> {
    let (space, count) = (suite.space(), suite.capabilities.many);
    let before = suite.revision(space).await?;
    let keys = (0..count).map(|i| key(space, "many", i));
    let writes = (0..).zip(keys).map(|(number, key)| put(&key, number));
    suite.write_all(writes.collect()).await?;
    let listed = suite.ours(space).await?;
    ensure!(
        listed.len() == count,
        "{count} were made, {} are listed",
        listed.len()
    );
    for (i, item) in listed.iter().enumerate() {
        let wanted = key(space, "many", i);
        ensure!(
            item.key == wanted && number(item) == Some(i as u64),
            "{item:?} instead of {wanted}"
        );
    }
    let mut watch = suite.watch(space, before).await?;
    let mut seen = 0;
    while seen < count {
        seen += suite
            .next(&mut watch)
            .await
            .map_err(|e| format!("{e} after {seen} of {count}"))?
            .changes
            .len();
    }
    ensure!(seen == count, "{count} were made, the watch shows {seen}");
    Ok(())
}

/// A value with so many bytes in all, padded inside a string that every store keeps.
fn sized(key: &Key, bytes: usize) -> String {
    let plain = value(key, 1);
    let head = match key {
        Key::Resource(..) => plain.replacen(
            "\"metadata\":{",
            "\"metadata\":{\"annotations\":{\"pad\":\"\"},",
            1,
        ),
        _ => plain.replacen('{', "{\"pad\":\"\",", 1),
    };
    let pad = "p".repeat(bytes.saturating_sub(head.len()));
    head.replacen("\"pad\":\"\"", &format!("\"pad\":\"{pad}\""), 1)
}

pub(super) async fn big(suite: &Suite<'_>) -> Result<(), String> {
    let space = suite.space();
    let key = key(space, "big", 0);
    let after = suite.revision(space).await?;
    let text = sized(&key, suite.capabilities.takes);
    let written = suite
        .store
        .write(Write::Put(key.clone(), text.clone()), Expect::Absent)
        .await;
    let written = written.map_err(|e| format!("a value of {} bytes: {e}", text.len()))?;
    ensure!(written.is_done(), "a value of {} bytes: {written:?}", text.len());
    let item = suite.must_get(&key).await?;
    ensure!(
        item.value.len() >= text.len(),
        "{} bytes became {}",
        text.len(),
        item.value.len()
    );
    let changes = suite.next(&mut suite.watch(space, after).await?).await?;
    let whole = |change: &Change| matches!(change, Change::Put(item) if item.value.len() >= text.len());
    ensure!(
        changes.changes.iter().any(whole),
        "the watch does not show all {} bytes",
        text.len()
    );
    Ok(())
}

pub(super) async fn too_big(suite: &Suite<'_>) -> Result<(), String> {
    let Some(bytes) = suite.capabilities.refuses else {
        return Ok(());
    };
    let key = key(suite.space(), "too-big", 0);
    let written = suite
        .store
        .write(Write::Put(key.clone(), sized(&key, bytes)), Expect::Any)
        .await;
    ensure!(
        matches!(written, Err(Error::Invalid { .. })),
        "a value of {bytes} bytes: {written:?}"
    );
    ensure!(suite.get(&key).await?.is_none(), "and it is there");
    Ok(())
}

pub(super) async fn presence(suite: &Suite<'_>) -> Result<(), String> {
    let (Some(presence), Some(ttl)) = (suite.store.presence(), suite.capabilities.presence_ttl) else {
        return Ok(());
    };
    let key = Key::Presence("cf-node".into());
    let node = "cf-node".parse().map_err(|e| format!("{e}"))?;
    let after = suite.revision(Space::Ownership).await?;
    let hold = presence
        .hold(&node, value(&key, 5), ttl)
        .await
        .map_err(|e| format!("hold: {e}"))?;
    let mut watch = suite.watch(Space::Ownership, after).await?;
    let appears = suite.next(&mut watch).await?;
    let there =
        |change: &Change| matches!(change, Change::Put(item) if item.key == key && number(item) == Some(5));
    ensure!(
        appears.changes.iter().any(there),
        "the presence appears as {appears:?}"
    );
    drop(hold);
    let gone = async {
        while let Some(Ok(changes)) = watch.next().await {
            if changes.changes.contains(&Change::Deleted(key.clone())) {
                return true;
            }
        }
        false
    };
    let gone = suite
        .within("the end of a presence that was let go", gone)
        .await?;
    ensure!(gone, "the watch ended before the presence did");
    let found = suite.get(&key).await?;
    ensure!(found.is_none(), "let go, and yet there is {found:?}");
    Ok(())
}
