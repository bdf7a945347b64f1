//! The objects as tests put them there and look at them, past rights and faults.

use serde_json::Value;

use crate::managed::Author;
use crate::path::Target;
use crate::server::Standin;
use crate::state::State;

impl Standin {
    /// Makes or replaces an object at its path (`/api/v1/nodes/a`), as an administrator would, and its status, as the
    /// controller would whose it is.
    ///
    /// # Panics
    /// Where the object is refused.
    pub fn put(&self, path: &str, object: Value) -> Value {
        let target = Target::parse(path).expect("a path of the API");
        let by = |status| Author {
            name: "administrator".to_owned(),
            apply: false,
            status,
        };
        let done = self.shared.with(|inner| {
            let status = object.get("status").is_some().then(|| object.clone());
            let there = inner.state.objects.contains_key(&State::key(&target));
            let done = if there {
                inner.state.replace(&target, object, &by(false))
            } else {
                inner.state.create(&target, object, &by(false))
            };
            let of = Target {
                status: true,
                ..target.clone()
            };
            match status {
                Some(status) if inner.state.resource(&of).is_some() => {
                    done.and_then(|_| inner.state.replace(&of, status, &by(true)))
                }
                _ => done,
            }
        });
        self.shared.announce();
        done.unwrap_or_else(|refusal| panic!("{path}: {}", refusal.message))
    }

    /// The object at a path.
    pub fn object(&self, path: &str) -> Option<Value> {
        let target = Target::parse(path).expect("a path of the API");
        self.shared.with(|inner| inner.state.get(&target).ok())
    }

    /// The objects under the path of a type (`/api/v1/pods`, `/api/v1/namespaces/x/pods`), by namespace and name.
    pub fn objects(&self, path: &str) -> Vec<Value> {
        let target = Target::parse(path).expect("a path of the API");
        let (group, plural, namespace, _) = State::key(&target);
        self.shared.with(|inner| {
            let all = inner.state.objects.iter();
            let ours = all.filter(|((of, name, within, _), _)| {
                *of == group && *name == plural && (namespace.is_empty() || *within == namespace)
            });
            ours.map(|(_, object)| object.clone()).collect()
        })
    }

    /// Removes the object at a path.
    pub fn remove(&self, path: &str) {
        let target = Target::parse(path).expect("a path of the API");
        let _ = self
            .shared
            .with(|inner| inner.state.delete(&target, &Value::Null));
        self.shared.announce();
    }
}
