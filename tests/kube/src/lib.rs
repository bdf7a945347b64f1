//! A stand-in for the Kubernetes API server in tests. It keeps to the wire protocol; it is not Kubernetes.
//!
//! What it does as the real one does: objects by group, version and plural with `uid`, `resourceVersion`,
//! `generation` and `creationTimestamp` (time stands still); get, paged lists and watches across namespaces with label and
//! field selectors, create (also by `generateName`), replace with 409 on another `resourceVersion`, JSON patch with
//! `test`, merge patch, strategic merge patch of the builtin types ([`shape`] has their merge keys), server-side apply with
//! ownership of fields (`managedFields`, 409 on what others own unless forced, removal of what its only owner applies no more),
//! delete with preconditions, status subresources, watches with bookmarks and `410 Gone` after
//! [`Standin::compact`], lists as watches (`sendInitialEvents`), `Status` bodies for every refusal, rights by bearer token,
//! custom resources known only once their definition is installed, pruned and checked by its schema; and the
//! validation of events.k8s.io/v1.
//!
//! What it does not do: discovery, tables, CEL rules, admission, defaulting, validation of other builtin types, finalizers,
//! collection of what `ownerReferences` leave behind, deletion of what a namespace holds or of collections, dry runs,
//! lists of an exact older version (`resourceVersionMatch=Exact`; the later pages of a list show the present), conversion
//! between versions (events of core and of events.k8s.io are two things here), protobuf. Every field manager is taken at
//! its word, and apply bodies have to be JSON.
//!
//! A request goes its way: faults → token and rights → path → schema → [`state`] → events → watches. The server
//! runs on a thread with a runtime of its own, so that [`Standin::stop`] cuts every connection at once, as a crash
//! does, and [`Standin::start`] brings it back at the same address with the same objects.

mod admit;
mod api;
mod faults;
mod fields;
mod list;
mod managed;
mod objects;
mod patch;
mod path;
mod resource;
mod rights;
mod schema;
mod selector;
mod server;
mod shape;
mod state;
mod status;
mod validate;
mod watch;

pub use faults::Fail;
pub use resource::Resource;
pub use rights::{Right, Rights};
pub use server::Standin;

#[cfg(test)]
mod tests;
