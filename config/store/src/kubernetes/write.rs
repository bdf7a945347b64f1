//! Writing one key on a condition.
//!
//! What is there is replaced only over the `resourceVersion` that was seen, deleted only with it as a
//! precondition, and made only by `create`: the server refuses whoever comes second.

use datastore::{Error, Expect, Key, Outcome, Version, Write};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Request;
use serde_json::{Value, json};

use super::error::Call;
use super::kinds::Kind;
use super::list::OUR_NODE;
use super::node::{Halves, version_of_ours};
use super::object::{self, replaced, text_of};
use super::transport::{Reply, Transport};

/// A write without condition goes round this often while others write the same key.
const ROUNDS: usize = 8;

/// The etcd below takes requests of 1.5 MiB; the server adds to what we send.
const LARGEST: usize = 1_300_000;

impl Transport {
    /// Writes.
    pub async fn write(&self, write: Write, expect: Expect) -> Result<Outcome, Error> {
        if let Key::Presence(_) = write.key() {
            let detail = format!("{} is a lease", write.key());
            return Err(self
                .says
                .invalid(detail, "hold it; one that is not held ends by itself"));
        }
        match write {
            Write::Put(key, text) if text.len() > LARGEST => {
                let detail = format!("the value of {key} has {} bytes, more than {LARGEST}", text.len());
                Err(self.says.invalid(detail, "make it smaller"))
            }
            Write::Put(key, text) => {
                let new = object::object(&key, &text)
                    .map_err(|what| self.says.invalid(what, "correct the value"))?;
                self.put(&key, new, expect).await
            }
            Write::Delete(key) => self.delete(&key, expect).await,
        }
    }

    async fn put(&self, key: &Key, new: Value, expect: Expect) -> Result<Outcome, Error> {
        let kind = Kind::of(key);
        match expect {
            Expect::Absent if kind == OUR_NODE => match self.object(Kind::CoreNode, &key.name()).await? {
                Some(_) => Ok(Outcome::Conflict),
                None => self.create(key, new).await,
            },
            Expect::Absent => self.create(key, new).await,
            Expect::Version(version) => match seen(kind, &version) {
                None => self.create(key, new).await,
                Some(seen) => self.replace(key, new, &seen).await,
            },
            Expect::Any => {
                for _ in 0..ROUNDS {
                    let done = match self.object(kind, &key.name()).await? {
                        None => self.create(key, new.clone()).await?,
                        Some(old) => self.replace_over(key, &old, new.clone()).await?,
                    };
                    if done.is_done() {
                        return Ok(done);
                    }
                }
                let call = Call::new("update", kind, Some(&key.name()));
                let detail = format!("{} is written by others all the time", call.resource);
                Err(Error::Unavailable {
                    store: self.says.store.clone(),
                    detail,
                })
            }
        }
    }

    async fn create(&self, key: &Key, new: Value) -> Result<Outcome, Error> {
        let kind = Kind::of(key);
        let call = Call::new("create", kind, Some(&key.name()));
        let request = Request::new(kind.path()).create(&PostParams::default(), new.to_string().into_bytes());
        let request = request.map_err(|error| self.says.invalid(error.to_string(), "report this"))?;
        let reply = self.call(&call, request).await?;
        match reply.code {
            404 => Err(self.says.unknown_kind(&call)),
            _ => self.done(key, reply).await,
        }
    }

    /// Replaces what was seen with this `resourceVersion`. Records are written as they are; of a resource the server
    /// may know more than our document says, so it is read first.
    async fn replace(&self, key: &Key, new: Value, seen: &str) -> Result<Outcome, Error> {
        let kind = Kind::of(key);
        if !matches!(kind, Kind::Resource(_)) {
            let old = json!({"metadata": {"name": key.name(), "resourceVersion": seen}});
            return self.replace_over(key, &old, new).await;
        }
        match self.object(kind, &key.name()).await? {
            Some(old) if text_of(&old["metadata"]["resourceVersion"]) == seen => {
                self.replace_over(key, &old, new).await
            }
            _ => Ok(Outcome::Conflict),
        }
    }

    async fn replace_over(&self, key: &Key, old: &Value, new: Value) -> Result<Outcome, Error> {
        let (kind, name) = (Kind::of(key), key.name());
        let body = replaced(old, new).to_string().into_bytes();
        let request = Request::new(kind.path()).replace(&name, &PostParams::default(), body);
        let request = request.map_err(|error| self.says.invalid(error.to_string(), "use another name"))?;
        let reply = self
            .call(&Call::new("update", kind, Some(&name)), request)
            .await?;
        self.done(key, reply).await
    }

    async fn delete(&self, key: &Key, expect: Expect) -> Result<Outcome, Error> {
        let (kind, name) = (Kind::of(key), key.name());
        let seen = match expect {
            Expect::Absent => {
                let there = self.item(key).await?.is_some();
                return Ok(if there { Outcome::Conflict } else { gone() });
            }
            Expect::Any => None,
            Expect::Version(version) => match seen(kind, &version) {
                None => return Err(self.core_only(&name)),
                seen => seen,
            },
        };
        let conditional = seen.is_some();
        let preconditions = seen.map(|version| Preconditions {
            resource_version: Some(version),
            uid: None,
        });
        let params = DeleteParams {
            preconditions,
            ..DeleteParams::default()
        };
        let request = Request::new(kind.path()).delete(&name, &params);
        let request = request.map_err(|error| self.says.invalid(error.to_string(), "use another name"))?;
        let reply = self
            .call(&Call::new("delete", kind, Some(&name)), request)
            .await?;
        match reply.code {
            404 if conditional => Ok(Outcome::Conflict),
            404 if kind == OUR_NODE && self.object(Kind::CoreNode, &name).await?.is_some() => {
                Err(self.core_only(&name))
            }
            404 => Ok(gone()),
            409 => Ok(Outcome::Conflict),
            _ => Ok(gone()),
        }
    }

    fn core_only(&self, name: &str) -> Error {
        let detail = format!("Node/{name} is a Node of Kubernetes without anything of ours");
        self.says.invalid(
            detail,
            &format!("remove the node from the cluster: kubectl delete node {name}"),
        )
    }

    /// What became of a create or a replace.
    async fn done(&self, key: &Key, reply: Reply) -> Result<Outcome, Error> {
        if matches!(reply.code, 404 | 409 | 410) {
            return Ok(Outcome::Conflict);
        }
        if Kind::of(key) != OUR_NODE {
            return Ok(Outcome::Done(Version::new(text_of(
                &reply.body["metadata"]["resourceVersion"],
            ))));
        }
        let core = self.object(Kind::CoreNode, &key.name()).await?;
        let core = core.as_ref().map(super::node::CoreNode::read);
        Ok(Outcome::Done(
            Halves {
                core,
                ours: Some(reply.body),
            }
            .version(),
        ))
    }

    /// Writes the status of a resource; nothing else of it changes.
    pub async fn status(&self, key: &Key, status: &Value) -> Result<Outcome, Error> {
        let (kind, name) = (Kind::of(key), key.name());
        let patch = Patch::Merge(json!({"status": status}));
        let request =
            Request::new(kind.path()).patch_subresource("status", &name, &PatchParams::default(), &patch);
        let request = request.map_err(|error| self.says.invalid(error.to_string(), "use another name"))?;
        let mut call = Call::new("patch", kind, Some(&name));
        call.resource += "/status";
        let reply = self.call(&call, request).await?;
        self.done(key, reply).await
    }
}

/// The `resourceVersion` in a version; none for a node that had no half of ours.
fn seen(kind: Kind, version: &Version) -> Option<String> {
    match kind {
        OUR_NODE => version_of_ours(version).map(str::to_owned),
        _ => Some(version.as_str().to_owned()),
    }
}

/// The server gives no mark for a deletion.
fn gone() -> Outcome {
    Outcome::Done(Version::new("deleted"))
}
