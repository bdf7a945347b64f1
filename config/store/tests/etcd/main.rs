//! The etcd store against real etcd: the conformance suite, members that die, pause and are cut off, certificates
//! and users, space that is used up, presence.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod conforms;
mod failover;
mod presence;
mod space;
mod support;
