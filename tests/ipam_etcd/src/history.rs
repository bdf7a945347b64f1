//! The independent witness: follows every revision of the ownership and address spaces with a plain etcd client
//! and judges the sequence of records, key by key.
//!
//! It shares no code with the product but the spelling of keys: records are read as JSON. A block may change its
//! owner only over a deletion, no two blocks may overlap, and the mirror's record of an address may pass from
//! one node to another only over a deletion, or when the other node is dead.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use datastore::Key;
use etcd_client::{Client, EventType, WatchOptions};
use ipnet::IpNet;
use serde_json::Value;

/// No word from a member for so long: another one is asked.
const SILENCE: Duration = Duration::from_secs(2);

/// What was seen.
#[derive(Debug, Default, Clone)]
pub struct History {
    /// Owner of each block now.
    pub blocks: BTreeMap<IpNet, String>,
    /// Node in each address record now.
    pub addresses: BTreeMap<IpAddr, String>,
    /// The last revision that was seen.
    pub revision: i64,
    /// Blocks that got an owner.
    pub claims: u64,
    /// Blocks that lost theirs.
    pub releases: u64,
    /// Records written again for the same node: a new incarnation, or a fence.
    pub rewrites: u64,
    /// Address records written.
    pub mirrored: u64,
    /// Nodes whose resource was deleted and not made again.
    pub absent: BTreeSet<String>,
    /// What must not be.
    pub wrong: Vec<String>,
    /// How often the watch was begun again.
    pub reconnects: u64,
}

impl History {
    fn put(&mut self, key: &Key, value: &[u8], revision: i64) {
        match key {
            Key::Block(net) => self.put_block(*net, node_of(value), revision),
            Key::Address(address) => self.put_address(*address, node_of(value), revision),
            Key::Resource(kind, name) if kind.name() == "Node" => {
                self.absent.remove(name);
            }
            _ => {}
        }
    }

    fn put_block(&mut self, net: IpNet, node: String, revision: i64) {
        match self.blocks.get(&net) {
            Some(owner) if *owner == node => self.rewrites += 1,
            Some(owner) => {
                let text =
                    format!("revision {revision}: {net} passed from {owner} to {node} without a deletion");
                self.wrong.push(text);
            }
            None => {
                self.claims += 1;
                let others = self.blocks.range(..net).next_back().into_iter();
                for (other, owner) in others.chain(self.blocks.range(net..).next()) {
                    if other.contains(&net) || net.contains(other) {
                        let text =
                            format!("revision {revision}: {net} of {node} overlaps {other} of {owner}");
                        self.wrong.push(text);
                    }
                }
            }
        }
        self.blocks.insert(net, node);
    }

    fn put_address(&mut self, address: IpAddr, node: String, revision: i64) {
        self.mirrored += 1;
        if let Some(before) = self.addresses.insert(address, node.clone())
            && before != node
            && !self.absent.contains(&before)
        {
            let text = format!("revision {revision}: the record of {address} passed from {before} to {node}");
            self.wrong.push(text);
        }
    }

    fn delete(&mut self, key: &Key) {
        match key {
            Key::Block(net) => self.releases += u64::from(self.blocks.remove(net).is_some()),
            Key::Address(address) => {
                self.addresses.remove(address);
            }
            Key::Resource(kind, name) if kind.name() == "Node" => {
                self.absent.insert(name.clone());
            }
            _ => {}
        }
    }
}

fn node_of(value: &[u8]) -> String {
    let record: Value = serde_json::from_slice(value).unwrap_or_default();
    record["node"].as_str().unwrap_or("nobody").to_owned()
}

/// `<prefix>/v1/<space>/<group>/<name>`.
fn key_of(prefix: &str, key: &[u8]) -> Option<Key> {
    let text = std::str::from_utf8(key).ok()?;
    let mut parts = text.strip_prefix(prefix)?.strip_prefix("/v1/")?.split('/');
    let (_space, group, name) = (parts.next()?, parts.next()?, parts.next()?);
    Key::parse(group, name).ok()
}

/// Follows the history from its beginning, through all outages, until `end` says the revision that is the last.
pub async fn follow(
    endpoints: Vec<String>,
    prefix: String,
    end: tokio::sync::watch::Receiver<Option<i64>>,
) -> History {
    let mut history = History::default();
    let mut turn = 0usize;
    loop {
        let endpoint = &endpoints[turn % endpoints.len()];
        turn += 1;
        let watching = part(endpoint, &prefix, &mut history, &end);
        if watching.await {
            return history;
        }
        history.reconnects += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One connection. True when the end was reached.
async fn part(
    endpoint: &str,
    prefix: &str,
    history: &mut History,
    end: &tokio::sync::watch::Receiver<Option<i64>>,
) -> bool {
    let connecting = Client::connect([endpoint], None);
    let Ok(Ok(mut client)) = tokio::time::timeout(SILENCE, connecting).await else {
        return false;
    };
    let options = WatchOptions::new()
        .with_prefix()
        .with_start_revision(history.revision + 1);
    let watching = client.watch(format!("{prefix}/"), Some(options));
    let Ok(Ok(mut stream)) = tokio::time::timeout(SILENCE, watching).await else {
        return false;
    };
    loop {
        if end.borrow().is_some_and(|end| history.revision >= end) {
            return true;
        }
        let Ok(Ok(Some(response))) = tokio::time::timeout(SILENCE, stream.message()).await else {
            return false;
        };
        assert_eq!(
            response.compact_revision(),
            0,
            "nothing is compacted in this test"
        );
        for event in response.events() {
            let Some(kv) = event.kv() else { continue };
            history.revision = history.revision.max(kv.mod_revision());
            let Some(key) = key_of(prefix, kv.key()) else {
                continue;
            };
            match event.event_type() {
                EventType::Put => history.put(&key, kv.value(), kv.mod_revision()),
                EventType::Delete => history.delete(&key),
            }
        }
    }
}

/// Writes a mark under the prefix; its revision is the end of the history.
pub async fn mark_end(endpoints: &[String], prefix: &str) -> Result<i64, etcd_client::Error> {
    let mut client = Client::connect(endpoints, None).await?;
    let answer = client.put(format!("{prefix}/v1/end"), "", None).await?;
    Ok(answer.header().map_or(0, etcd_client::ResponseHeader::revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn the_witness_sees_what_must_not_be() {
        let mut history = History::default();
        history.put_block(net("10.0.0.0/26"), "a".to_owned(), 1);
        history.put_block(net("10.0.0.0/26"), "a".to_owned(), 2);
        history.put_block(net("10.0.0.64/26"), "b".to_owned(), 3);
        assert_eq!((history.claims, history.rewrites, history.wrong.len()), (2, 1, 0));
        history.put_block(net("10.0.0.0/26"), "b".to_owned(), 4);
        assert_eq!(history.wrong.len(), 1);
        history.put_block(net("10.0.0.0/24"), "c".to_owned(), 5);
        assert_eq!(history.wrong.len(), 2, "a block over others");
        history.put_block(net("10.0.0.96/27"), "c".to_owned(), 6);
        assert_eq!(history.wrong.len(), 3, "a block inside another");
        history.delete(&Key::Block(net("10.0.0.64/26")));
        history.delete(&Key::Block(net("10.0.0.64/26")));
        assert_eq!(history.releases, 1);
        let address = "10.0.0.1".parse().unwrap();
        history.put_address(address, "a".to_owned(), 7);
        history.put_address(address, "b".to_owned(), 8);
        assert_eq!(history.wrong.len(), 4);
        history.absent.insert("b".to_owned());
        history.put_address(address, "a".to_owned(), 9);
        assert_eq!(history.wrong.len(), 4);
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = b"/roadbed/v1/ownership/blocks/10.244.1.0-26";
        assert_eq!(key_of("/roadbed", key), Some(Key::Block(net("10.244.1.0/26"))));
        assert_eq!(key_of("/other", key), None);
    }
}
