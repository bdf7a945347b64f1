//! Kubernetes beside the datastore: what a node hears of it (Services with their endpoints, the node's own pods,
//! namespaces) and what it says there (conditions of the Node, its taint, events, the node's BGP status).
//!
//! [`model`] is what is known, as values; [`services`] and [`wishes`] decide from it, [`node`], `bgp` and [`events`] what is
//! to be said (all pure); [`start`] begins to follow the API server (`follow`) and to carry out what [`Handle::report`]
//! wants (`speak`). Where the resources of Roadbed itself come from is the datastore's business (`config/store`), which
//! may be another one than Kubernetes.

mod access;
mod bgp;
mod error;
pub mod events;
mod follow;
mod handle;
pub mod model;
pub mod node;
mod pace;
mod problems;
pub mod report;
pub mod secrets;
pub mod services;
mod speak;
pub mod wishes;

pub use access::{Access, EVENT_NAMESPACE, access};
pub use handle::{Handle, Settings, start, start_at};
pub use pace::Pace;
pub use wishes::WishError;
