//! From events of the API to changes of the datastore. Pure.
//!
//! Most events are one change. A Node is made of two objects, so the last known half of each is kept here; an event
//! that changes nothing of what matters (a heartbeat) only moves the revision on.

use std::collections::BTreeMap;

use datastore::{Change, Changes, Item};
use serde_json::Value;

use super::kinds::Kind;
use super::list::{OUR_NODE, known, node_item, warn};
use super::node::{CoreNode, Halves};
use super::object::{item, text_of};
use super::revision::Marks;

/// Something that a watch said, with the mark after it.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// An object was made or written.
    Put(Kind, String, Value),
    /// An object is gone.
    Gone(Kind, String, Value),
    /// Nothing happened.
    Mark(Kind, String),
    /// Agents came and went.
    Present(Vec<Change>),
}

/// What was folded so far.
#[derive(Debug)]
pub struct Fold {
    marks: Marks,
    nodes: BTreeMap<String, Halves>,
    /// What was told about each node last. What was listed counts as not told: the listener may have listed before.
    told: BTreeMap<String, Option<Item>>,
}

impl Fold {
    /// At these marks.
    pub fn new(marks: Marks) -> Self {
        Fold {
            marks,
            nodes: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// The halves of nodes, at the marks or later.
    pub fn know(&mut self, core: Vec<Value>, ours: Vec<Value>) {
        for object in core {
            let name = text_of(&object["metadata"]["name"]);
            self.nodes.entry(name).or_default().core = Some(CoreNode::read(&object));
        }
        for object in ours {
            let name = text_of(&object["metadata"]["name"]);
            self.nodes.entry(name).or_default().ours = Some(object);
        }
    }

    /// One step.
    pub fn fold(&mut self, seen: Seen) -> Changes {
        let (kind, mark, change) = match seen {
            Seen::Present(changes) => {
                let revision = self.marks.revision();
                return Changes { changes, revision };
            }
            Seen::Mark(kind, mark) => (kind, mark, None),
            Seen::Put(kind, mark, object) => (kind, mark, self.change(kind, &object, true)),
            Seen::Gone(kind, mark, object) => (kind, mark, self.change(kind, &object, false)),
        };
        self.marks.set(kind.resource(), mark);
        Changes {
            changes: change.into_iter().collect(),
            revision: self.marks.revision(),
        }
    }

    fn change(&mut self, kind: Kind, object: &Value, put: bool) -> Option<Change> {
        let name = text_of(&object["metadata"]["name"]);
        match kind {
            Kind::CoreNode => {
                self.nodes.entry(name.clone()).or_default().core = put.then(|| CoreNode::read(object));
                self.node(&name)
            }
            OUR_NODE => {
                self.nodes.entry(name.clone()).or_default().ours = put.then(|| object.clone());
                self.node(&name)
            }
            _ => {
                let key = known(kind, &name)?;
                Some(if put {
                    Change::Put(item(kind, key, object))
                } else {
                    Change::Deleted(key)
                })
            }
        }
    }

    fn node(&mut self, name: &str) -> Option<Change> {
        let key = known(OUR_NODE, name)?;
        let now = self.nodes.get(name).and_then(|halves| node_item(name, halves));
        if now.is_none() {
            self.nodes.remove(name);
        }
        let last = self.told.insert(name.to_owned(), now.clone());
        if last.as_ref() == Some(&now) {
            return None;
        }
        if let Some(halves) = self.nodes.get(name) {
            warn(name, halves);
        }
        Some(now.map_or(Change::Deleted(key), Change::Put))
    }
}

#[cfg(test)]
mod tests;
