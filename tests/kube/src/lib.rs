//! A stand-in for the Kubernetes API server in tests. It keeps to the wire protocol; it is not Kubernetes.
//!
//! What it does as the real one does: objects by group, version and plural with `uid`, `resourceVersion`,
//! `generation` and `creationTimestamp`; get, paged lists with label selectors, create, replace with 409 on another
//! `resourceVersion`, merge-patch and a part of server-side apply, delete with preconditions, status subresources,
//! watches with bookmarks and `410 Gone` after [`Standin::compact`], `Status` bodies for every refusal, rights by
//! bearer token, custom resources known only once their definition is installed, pruned and checked by its schema.
//! What it does not do: CEL rules, admission, defaulting, finalizers, conversion, field ownership, protobuf.
//!
//! A request goes its way: faults → token and rights → path → schema → [`state`] → events → watches. The server
//! runs on a thread with a runtime of its own, so that [`Standin::stop`] cuts every connection at once, as a crash
//! does, and [`Standin::start`] brings it back at the same address with the same objects.

mod api;
mod faults;
mod patch;
mod path;
mod rights;
mod schema;
mod server;
mod state;
mod status;
mod watch;

pub use faults::Fail;
pub use rights::{Right, Rights};
pub use server::Standin;
pub use state::Resource;

#[cfg(test)]
mod tests;
