//! What the watches have brought so far, kind by kind. No IO.
//!
//! Each kind is a table that takes one object, forgets one, or is replaced by a whole list; it says whether that changed
//! anything. [`Known::cluster`] is all of it as it is published: tables are shared with it, and copied when they change
//! next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::convert::Slice;
use crate::model::{Cluster, EndpointNode, Namespace, ObjectName, Pod, Service};
use crate::node::NodeView;

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Services,
    Endpoints,
    Pods,
    Namespaces,
    Node,
}

impl Kind {
    /// Its name in problems.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Services => "services",
            Kind::Endpoints => "endpoint slices",
            Kind::Pods => "pods of this node",
            Kind::Namespaces => "namespaces",
            Kind::Node => "this node",
        }
    }
}

/// A kind of objects, as a table.
pub trait Table<K, V> {
    /// Takes what an object is now; whether that is new.
    fn put(&mut self, key: K, value: V) -> bool;
    /// Forgets an object; whether it was there.
    fn remove(&mut self, key: &K) -> bool;
    /// Takes these for all there are; whether that is new.
    fn replace(&mut self, all: BTreeMap<K, V>) -> bool;
}

impl<K: Ord + Clone, V: PartialEq + Clone> Table<K, V> for Arc<BTreeMap<K, V>> {
    fn put(&mut self, key: K, value: V) -> bool {
        let differs = self.get(&key) != Some(&value);
        if differs {
            Arc::make_mut(self).insert(key, value);
        }
        differs
    }

    fn remove(&mut self, key: &K) -> bool {
        self.contains_key(key) && Arc::make_mut(self).remove(key).is_some()
    }

    fn replace(&mut self, all: BTreeMap<K, V>) -> bool {
        let differs = **self != all;
        if differs {
            *self = Arc::new(all);
        }
        differs
    }
}

/// One object or none.
impl<K, V: PartialEq> Table<K, V> for Option<V> {
    fn put(&mut self, _: K, value: V) -> bool {
        let differs = self.as_ref() != Some(&value);
        *self = Some(value);
        differs
    }

    fn remove(&mut self, _: &K) -> bool {
        self.take().is_some()
    }

    fn replace(&mut self, all: BTreeMap<K, V>) -> bool {
        let value = all.into_values().next();
        let differs = *self != value;
        *self = value;
        differs
    }
}

/// EndpointSlices, and what they are together for each Service.
#[derive(Debug, Default)]
pub struct Slices {
    slices: BTreeMap<ObjectName, Slice>,
    of: BTreeMap<ObjectName, BTreeSet<ObjectName>>,
    endpoints: Arc<BTreeMap<ObjectName, BTreeSet<EndpointNode>>>,
}

impl Slices {
    /// Puts the slices of a Service together again; whether that is new.
    fn merge(&mut self, service: ObjectName) -> bool {
        let Some(names) = self.of.get(&service).filter(|names| !names.is_empty()) else {
            self.of.remove(&service);
            return self.endpoints.remove(&service);
        };
        let slices = names.iter().filter_map(|name| self.slices.get(name));
        let nodes: BTreeSet<EndpointNode> = slices.flat_map(|slice| slice.nodes.iter().cloned()).collect();
        self.endpoints.put(service, nodes)
    }

    fn forget(&mut self, name: &ObjectName) -> Option<ObjectName> {
        let slice = self.slices.remove(name)?;
        if let Some(names) = self.of.get_mut(&slice.service) {
            names.remove(name);
        }
        Some(slice.service)
    }
}

impl Table<ObjectName, Slice> for Slices {
    fn put(&mut self, name: ObjectName, slice: Slice) -> bool {
        let service = slice.service.clone();
        let before = self.forget(&name).filter(|before| *before != service);
        self.of.entry(service.clone()).or_default().insert(name.clone());
        self.slices.insert(name, slice);
        let moved = before.is_some_and(|before| self.merge(before));
        self.merge(service) || moved
    }

    fn remove(&mut self, name: &ObjectName) -> bool {
        self.forget(name).is_some_and(|service| self.merge(service))
    }

    fn replace(&mut self, all: BTreeMap<ObjectName, Slice>) -> bool {
        let mut fresh = Slices::default();
        let mut endpoints: BTreeMap<ObjectName, BTreeSet<EndpointNode>> = BTreeMap::new();
        for (name, slice) in &all {
            fresh
                .of
                .entry(slice.service.clone())
                .or_default()
                .insert(name.clone());
            let nodes = endpoints.entry(slice.service.clone()).or_default();
            nodes.extend(slice.nodes.iter().cloned());
        }
        fresh.slices = all;
        fresh.endpoints = self.endpoints.clone();
        let differs = fresh.endpoints.replace(endpoints);
        *self = fresh;
        differs
    }
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Known {
    /// Services.
    pub services: Arc<BTreeMap<ObjectName, Service>>,
    /// Their endpoints.
    pub slices: Slices,
    /// Pods of this node.
    pub pods: Arc<BTreeMap<ObjectName, Pod>>,
    /// Namespaces.
    pub namespaces: Arc<BTreeMap<String, Namespace>>,
    /// This node's Node.
    pub node: Option<NodeView>,
    /// What was listed once.
    pub listed: BTreeSet<Kind>,
    /// What is followed.
    pub wanted: BTreeSet<Kind>,
}

impl Known {
    /// As it is published.
    pub fn cluster(&self) -> Cluster {
        Cluster {
            synced: self.wanted.is_subset(&self.listed),
            services: self.services.clone(),
            endpoints: self.slices.endpoints.clone(),
            pods: self.pods.clone(),
            namespaces: self.namespaces.clone(),
            node_labels: self
                .node
                .as_ref()
                .map(|node| node.labels.clone())
                .unwrap_or_default(),
        }
    }

    /// Services and their endpoints are followed from now on, or are forgotten.
    pub fn follow_services(&mut self, on: bool) {
        for kind in [Kind::Services, Kind::Endpoints] {
            match on {
                true => self.wanted.insert(kind),
                false => self.listed.remove(&kind) | self.wanted.remove(&kind),
            };
        }
        if !on {
            self.services = Arc::default();
            self.slices = Slices::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> ObjectName {
        ObjectName::new("default", text)
    }

    fn slice(service: &str, nodes: &[&str]) -> Slice {
        let nodes = nodes.iter().map(|node| EndpointNode {
            node: (*node).to_owned(),
            ipv4: true,
        });
        Slice {
            service: name(service),
            nodes: nodes.collect(),
        }
    }

    #[test]
    fn slices_of_a_service_are_one() {
        let mut slices = Slices::default();
        assert!(slices.put(name("web-1"), slice("web", &["a"])));
        assert!(slices.put(name("web-2"), slice("web", &["a", "b"])));
        assert!(!slices.put(name("web-2"), slice("web", &["a", "b"])));
        let nodes = |slices: &Slices| slices.endpoints.get(&name("web")).map_or(0, BTreeSet::len);
        assert_eq!(nodes(&slices), 2);
        assert!(slices.remove(&name("web-2")));
        assert_eq!(nodes(&slices), 1);
        assert!(slices.remove(&name("web-1")) && !slices.remove(&name("web-1")));
        assert!(slices.endpoints.is_empty() && slices.of.is_empty());
    }

    #[test]
    fn what_was_published_stays_as_it_was() {
        let mut known = Known::default();
        known.services.put(name("web"), Service::default());
        let before = known.cluster();
        known.services.remove(&name("web"));
        assert_eq!((before.services.len(), known.cluster().services.len()), (1, 0));
    }

    #[test]
    fn synced_is_when_everything_wanted_was_listed() {
        let mut known = Known::default();
        known.wanted.insert(Kind::Pods);
        assert!(!known.cluster().synced);
        known.listed.insert(Kind::Pods);
        assert!(known.cluster().synced);
        known.follow_services(true);
        assert!(!known.cluster().synced);
        known.follow_services(false);
        assert!(known.cluster().synced);
    }

    proptest! {
        /// One change after the other is the same as everything at once.
        #[test]
        fn slices_by_steps_and_by_list(
            steps in proptest::collection::vec(("[a-c]", proptest::option::of(("[x-y]", "[1-3]{0,2}"))), 0..20),
        ) {
            let (mut slices, mut all) = (Slices::default(), BTreeMap::new());
            for (key, step) in steps {
                let before = slices.endpoints.clone();
                let changed = match step {
                    Some((service, nodes)) => {
                        let nodes: Vec<&str> = nodes.split("").filter(|node| !node.is_empty()).collect();
                        all.insert(name(&key), slice(&service, &nodes));
                        slices.put(name(&key), slice(&service, &nodes))
                    }
                    None => {
                        all.remove(&name(&key));
                        slices.remove(&name(&key))
                    }
                };
                prop_assert_eq!(changed, before != slices.endpoints);
            }
            let mut listed = Slices::default();
            listed.replace(all);
            prop_assert_eq!(&listed.endpoints, &slices.endpoints);
            prop_assert_eq!(&listed.of, &slices.of);
        }
    }
}
