//! From a document to a typed resource.
//!
//! The documents of `roadbed.dev/v1` and of Calico's `projectcalico.org/v3` go through the same readers, one
//! file a kind. A resource with mistakes is still built where enough of it is known, so that the checks
//! across resources can go on; [`Resources::complete`] tells them when something is missing altogether.

mod bfd;
mod bgp_configuration;
mod bgp_filter;
mod bgp_peer;
mod document;
mod ip_pool;
mod ip_reservation;
mod ipam_configuration;
mod metadata;
mod node;
mod parse;
mod remote;
mod session;
mod set;

pub use document::{items, kind_of, read};
pub use set::{Read, Resources};
