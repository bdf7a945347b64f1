//! Kubernetes beside the datastore: what a node hears of it (Services with their endpoints, the node's own pods,
//! namespaces) and what it says there (conditions of the Node, its taint, events, the node's BGP status).
//!
//! [`model`] is what is known, as values; [`services`] and [`wishes`] decide from it (pure); [`start`] follows the API
//! server and carries out what [`Handle::report`] wants. Where the resources of Roadbed itself come from is the
//! datastore's business (`config/store`), which may be another one than Kubernetes.

mod handle;
pub mod model;
pub mod report;
pub mod services;
pub mod wishes;

pub use handle::{Handle, Settings, start};
