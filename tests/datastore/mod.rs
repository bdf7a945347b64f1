//! The whole agent on a real etcd: blocks are claimed and announced, pods get addresses, and whatever happens to
//! etcd, the data plane does not move.

pub mod cluster;
mod kubernetes;
mod options;
mod outage;
mod sharing;
