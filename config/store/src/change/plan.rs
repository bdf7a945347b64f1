//! What a request would change, or why it is refused. Pure.

use std::collections::BTreeMap;

use config::fields::ResourceKind;
use config::{IpPool, Loaded, Problem, Rules, Source, load_with, pool_change};
use datastore::{Expect, Item, Key, Revision, SpaceView, Write};
use ipnet::IpNet;

use super::refusal::Refusal;
use super::{Action, Changed, Request, canonical, key_of};
use crate::last_good::sources_of;

/// How resources are spelled in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As they were written, comments and all.
    Text,
    /// As JSON.
    Json,
}

/// One resource of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) key: Key,
    /// What to write; none where nothing is to be done.
    pub(crate) write: Option<Write>,
    pub(crate) expect: Expect,
    pub(crate) changed: Changed,
}

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In an order in which no reference is broken on the way.
    pub(crate) steps: Vec<Step>,
    pub(crate) warnings: Vec<Problem>,
    /// The moment of the resources that it rests on.
    pub(crate) revision: Revision,
    /// Whether it is only right as long as nobody claims a block.
    pub(crate) rests_on_ownership: bool,
}

/// What is there.
pub(crate) struct There<'t> {
    pub(crate) resources: &'t SpaceView,
    /// None where the store has no ownership.
    pub(crate) ownership: Option<&'t SpaceView>,
    pub(crate) store: &'t str,
    pub(crate) kind: &'t str,
    pub(crate) rules: Rules,
    pub(crate) spelling: Spelling,
}

/// Lays the request over what is there.
pub(crate) fn plan(request: &Request, there: &There<'_>) -> Result<Plan, Refusal> {
    let missing: Vec<Key> = (request.delete.iter())
        .filter(|key| !there.resources.items.contains_key(*key))
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::Missing {
            keys: missing,
            store: there.store.to_owned(),
        });
    }
    let (before, after) = (there.before(), there.after(request));
    let warnings = judge(&before, &after)?;
    let mut steps: Vec<Step> = (request.documents.iter())
        .map(|document| there.put(document))
        .collect();
    steps.extend(request.delete.iter().filter_map(|key| there.delete(key, &before)));
    steps.sort_by_key(|step| {
        let rank = rank(&step.key);
        match step.changed.action {
            Action::Deleted => (1, RANKS.len() - rank),
            _ => (0, rank),
        }
    });
    let rests_on_ownership = pools(&steps, request, there)?;
    Ok(Plan {
        steps,
        warnings,
        revision: there.resources.revision.clone(),
        rests_on_ownership,
    })
}

/// What is referred to comes first: pools before the nodes whose subnets lie in them, filters before peers.
const RANKS: [ResourceKind; 7] = [
    ResourceKind::BgpConfiguration,
    ResourceKind::IpamConfig,
    ResourceKind::IpPool,
    ResourceKind::IpReservation,
    ResourceKind::BgpFilter,
    ResourceKind::Node,
    ResourceKind::BgpPeer,
];

fn rank(key: &Key) -> usize {
    let position = |kind| RANKS.iter().position(|ranked| ranked == kind);
    match key {
        Key::Resource(kind, _) => position(kind).unwrap_or(RANKS.len()),
        _ => RANKS.len(),
    }
}

/// The whole as it would be may have no mistake that is not there already: a store that somebody spoilt can be
/// mended step by step.
fn judge(before: &Loaded, after: &Loaded) -> Result<Vec<Problem>, Refusal> {
    let known = |problem: &&Problem| before.problems.contains(problem);
    let new: Vec<Problem> = after
        .problems
        .iter()
        .filter(|problem| problem.is_error() && !known(problem))
        .cloned()
        .collect();
    if !new.is_empty() {
        return Err(Refusal::Problems(new));
    }
    Ok(after
        .problems
        .iter()
        .filter(|problem| !known(problem))
        .cloned()
        .collect())
}

impl There<'_> {
    fn before(&self) -> Loaded {
        load_with(&sources_of(self.resources, self.kind), self.rules)
    }

    fn after(&self, request: &Request) -> Loaded {
        let replaced: Vec<Key> = request.documents.iter().map(key_of).collect();
        let mut rest = self.resources.clone();
        rest.items
            .retain(|key, _| !replaced.contains(key) && !request.delete.contains(key));
        let mut sources = sources_of(&rest, self.kind);
        sources.extend(request.sources.iter().cloned());
        load_with(&sources, self.rules)
    }

    fn put(&self, document: &config::Document) -> Step {
        let key = key_of(document);
        let old = self.resources.items.get(&key);
        let same = |old: &Item| old.value.as_ref() == document.text || same(&old.value, &document.text);
        let (action, expect) = match old {
            None => (Action::Created, Expect::Absent),
            Some(old) if same(old) => (Action::Unchanged, Expect::Version(old.version.clone())),
            Some(old) => (Action::Configured, Expect::Version(old.version.clone())),
        };
        let value = match self.spelling {
            Spelling::Text => document.text.clone(),
            Spelling::Json => document.json.clone(),
        };
        let write = (action != Action::Unchanged).then(|| Write::Put(key.clone(), value));
        Step {
            changed: changed(&key, action, String::new()),
            key,
            write,
            expect,
        }
    }

    fn delete(&self, key: &Key, before: &Loaded) -> Option<Step> {
        let old = self.resources.items.get(key)?;
        Some(Step {
            key: key.clone(),
            write: Some(Write::Delete(key.clone())),
            expect: Expect::Version(old.version.clone()),
            changed: changed(key, Action::Deleted, self.note(key, before)),
        })
    }

    /// What follows from the deletion of a node that owns blocks.
    fn note(&self, key: &Key, before: &Loaded) -> String {
        let Key::Resource(ResourceKind::Node, name) = key else {
            return String::new();
        };
        let of_node = self.blocks().into_iter().filter(|(_, owner)| owner == name);
        let blocks: Vec<String> = of_node.map(|(net, _)| net.to_string()).collect();
        if blocks.is_empty() {
            return String::new();
        }
        let ipam = before
            .intent
            .as_ref()
            .map(|intent| intent.ipam.clone())
            .unwrap_or_default();
        format!(
            "it owns {}: other nodes collect them {} s after its agent has stopped; pods that still run there lose \
             their routes then",
            list(&blocks),
            ipam.dead_node_grace.as_secs()
        )
    }

    /// Every owned block with its owner's name.
    fn blocks(&self) -> Vec<(IpNet, String)> {
        let items = self.ownership.map(|view| &view.items);
        let blocks = items.into_iter().flatten().filter_map(|(key, item)| match key {
            Key::Block(net) => Some((*net, owner_of(item))),
            _ => None,
        });
        blocks.collect()
    }
}

fn owner_of(item: &Item) -> String {
    let record: Option<serde_json::Value> = serde_json::from_str(&item.value).ok();
    let node = record.as_ref().and_then(|record| record.get("node")?.as_str());
    node.unwrap_or("somebody").to_owned()
}

fn changed(key: &Key, action: Action, note: String) -> Changed {
    Changed {
        kind: key.group(),
        name: key.name(),
        action,
        note,
    }
}

fn same(one: &str, other: &str) -> bool {
    let (one, other) = (canonical(one), canonical(other));
    one.is_some() && one == other
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(4) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Holds every change of a pool against the blocks that are owned. Says whether it matters who owns what.
fn pools(steps: &[Step], request: &Request, there: &There<'_>) -> Result<bool, Refusal> {
    let blocks = there.blocks();
    let nets: Vec<IpNet> = blocks.iter().map(|(net, _)| *net).collect();
    let (mut refused, mut matters) = (Vec::new(), false);
    for step in steps {
        if !matches!(step.key, Key::Resource(ResourceKind::IpPool, _)) || step.write.is_none() {
            continue;
        }
        let old = there
            .resources
            .items
            .get(&step.key)
            .and_then(|item| pool(&item.value, there.rules));
        let document = request
            .documents
            .iter()
            .find(|document| key_of(document) == step.key);
        let new = document.and_then(|document| pool(&document.text, there.rules));
        let shape = |pool: &Option<IpPool>| {
            let pool = pool.as_ref()?;
            Some((pool.cidr, pool.block_size, pool.aggregate.clone()))
        };
        matters |= shape(&old) != shape(&new);
        if let Err(why) = pool_change(old.as_ref(), new.as_ref(), &nets) {
            let within = |net: &IpNet| {
                [&old, &new]
                    .iter()
                    .any(|p| p.as_ref().is_some_and(|p| p.cidr.contains(net)))
            };
            let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
            for (_, owner) in blocks.iter().filter(|(net, _)| within(net)) {
                *owners.entry(owner).or_default() += 1;
            }
            let owners: Vec<String> = owners.iter().map(|(node, n)| format!("{node} ({n})")).collect();
            refused.push(format!(
                "{why}; owners of its blocks: {}; nothing was changed",
                list(&owners)
            ));
        }
    }
    if refused.is_empty() {
        Ok(matters && there.ownership.is_some())
    } else {
        Err(Refusal::Pools(refused))
    }
}

/// The pool that a text describes by itself.
fn pool(text: &str, rules: Rules) -> Option<IpPool> {
    let source = Source {
        name: String::new(),
        text: text.to_owned(),
    };
    load_with(&[source], rules).intent?.pools.pop()
}
