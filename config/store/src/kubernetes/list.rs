//! Getting one object, and listing all of a kind or of a space, page by page.

use std::collections::BTreeMap;

use config::fields::ResourceKind;
use datastore::{Error, Item, Key, Listing, Space};
use futures::future::try_join_all;
use k8s_openapi::jiff::Timestamp;
use kube::api::{GetParams, ListParams, VersionMatch};
use kube::core::Request;
use serde_json::Value;

use super::error::Call;
use super::kinds::Kind;
use super::lease;
use super::node::{CoreNode, Halves};
use super::object::{item, text_of};
use super::revision::Marks;
use super::transport::Transport;

/// Lists that expire between two pages are begun again this often.
const AGAIN: usize = 4;

/// Our half of a node.
pub const OUR_NODE: Kind = Kind::Resource(ResourceKind::Node);

/// All objects of a kind, and the mark to watch from.
pub type Objects = (Vec<Value>, String);

impl Transport {
    /// One object.
    pub async fn object(&self, kind: Kind, name: &str) -> Result<Option<Value>, Error> {
        let call = Call::new("get", kind, Some(name));
        let request = Request::new(kind.path()).get(name, &GetParams::default());
        let request = request.map_err(|error| self.says.invalid(error.to_string(), "use another name"))?;
        let reply = self.call(&call, request).await?;
        Ok((reply.code == 200).then_some(reply.body))
    }

    /// All objects of a kind; with `at`, not older than that mark, from the server's cache.
    pub async fn objects(&self, kind: Kind, at: Option<&str>) -> Result<Objects, Error> {
        for _ in 0..AGAIN {
            if let Some(objects) = self.pages(kind, at).await? {
                return Ok(objects);
            }
        }
        let call = Call::new("list", kind, None);
        Err(self.says.lost(&call, "its history is shorter than listing takes"))
    }

    /// `None` where the list expired on the way.
    async fn pages(&self, kind: Kind, at: Option<&str>) -> Result<Option<Objects>, Error> {
        let call = Call::new("list", kind, None);
        let (mut objects, mut token) = (Vec::new(), String::new());
        loop {
            let mut params = ListParams::default().limit(self.timing.page);
            if kind == Kind::Lease {
                params = params.labels(lease::LABEL);
            }
            if !token.is_empty() {
                params = params.continue_token(&token);
            } else if let Some(at) = at {
                params = params.at(at).matching(VersionMatch::NotOlderThan);
            }
            let request = Request::new(kind.path()).list(&params);
            let request = request.map_err(|error| self.says.invalid(error.to_string(), "report this"))?;
            let mut reply = self.call(&call, request).await?;
            match reply.code {
                200 => {}
                410 => return Ok(None),
                _ => return Err(self.says.unknown_kind(&call)),
            }
            if let Value::Array(items) = reply.body["items"].take() {
                objects.extend(items);
            }
            token = text_of(&reply.body["metadata"]["continue"]);
            if token.is_empty() {
                return Ok(Some((
                    objects,
                    text_of(&reply.body["metadata"]["resourceVersion"]),
                )));
            }
        }
    }

    /// Both halves of a node.
    pub async fn halves(&self, name: &str) -> Result<Halves, Error> {
        let core = self
            .object(Kind::CoreNode, name)
            .await?
            .as_ref()
            .map(CoreNode::read);
        let ours = self.object(OUR_NODE, name).await?;
        Ok(Halves { core, ours })
    }

    /// The item of a key.
    pub async fn item(&self, key: &Key) -> Result<Option<Item>, Error> {
        let (kind, name) = (Kind::of(key), key.name());
        if kind == OUR_NODE {
            return Ok(node_item(&name, &self.halves(&name).await?));
        }
        let found = self.object(kind, &Kind::object_name(key)).await?;
        Ok(match kind {
            Kind::Lease => found.and_then(|object| lease::item(&object, Timestamp::now())),
            _ => found.map(|object| item(kind, key.clone(), &object)),
        })
    }

    /// A whole space. Each kind is a moment of its own.
    pub async fn space(&self, space: Space) -> Result<Listing, Error> {
        let lists = Kind::of_space(space).into_iter().map(|kind| async move {
            let (objects, mark) = self.objects(kind, None).await?;
            Ok::<_, Error>((kind, objects, mark))
        });
        let (mut marks, mut items) = (Marks::default(), Vec::new());
        if space == Space::Ownership {
            items = self.present().await?;
        }
        let mut nodes: BTreeMap<String, Halves> = BTreeMap::new();
        for (kind, objects, mark) in try_join_all(lists).await? {
            marks.set(kind.resource(), mark);
            for object in objects {
                let name = text_of(&object["metadata"]["name"]);
                match kind {
                    Kind::CoreNode => nodes.entry(name).or_default().core = Some(CoreNode::read(&object)),
                    OUR_NODE => nodes.entry(name).or_default().ours = Some(object),
                    _ => items.extend(known(kind, &name).map(|key| item(kind, key, &object))),
                }
            }
        }
        for (name, halves) in &nodes {
            items.extend(node_item(name, halves));
            warn(name, halves);
        }
        items.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Listing {
            items,
            revision: marks.revision(),
        })
    }
}

/// The item of a node; none where it has no half.
pub fn node_item(name: &str, halves: &Halves) -> Option<Item> {
    let (key, incarnation) = (known(OUR_NODE, name)?, halves.incarnation()?);
    let value = halves.document(name).to_string().into();
    Some(Item {
        key,
        value,
        version: halves.version(),
        incarnation,
    })
}

/// Says what of a Node was not usable.
pub fn warn(name: &str, halves: &Halves) {
    for annotation in halves.core.iter().flat_map(|core| &core.odd) {
        tracing::warn!(
            node = name,
            annotation,
            "this annotation of the Node says nothing usable and is left out"
        );
    }
}

/// The key of a name; objects with names that are none of ours are somebody else's mistake, and left out.
pub fn known(kind: Kind, name: &str) -> Option<Key> {
    let key = kind.key(name);
    if key.is_err() {
        tracing::warn!(
            name,
            resource = kind.resource(),
            "an object with a name that cannot be one of ours is left out"
        );
    }
    key.ok()
}
