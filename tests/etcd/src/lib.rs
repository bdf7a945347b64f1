//! Starts real etcd clusters for tests: members, TLS, users, faults.
//!
//! [`Cluster::start`] runs Debian's `etcd` as one or three processes, on a loopback address of their own or each in
//! a network namespace, waits until they are healthy, and takes everything away when it is dropped, also after
//! a panic; a small watcher process does the same if the whole test is killed. Members are killed, paused and cut off
//! by index. All calls block; what they cannot do is a panic that says why, since in a test nothing else helps.
//!
//! ```no_run
//! use etcd_testbed::{Cluster, Options};
//! let mut cluster = Cluster::start(Options { members: 3, tls: true, ..Options::default() });
//! let leader = cluster.await_leader();
//! cluster.kill(leader);
//! cluster.await_leader();
//! ```

mod certificates;
mod cluster;
mod control;
mod faults;
mod janitor;
mod member;
mod network;
mod options;
mod probe;

pub use certificates::ClientFiles;
pub use cluster::Cluster;
pub use network::inside as in_namespace;
pub use options::{AutoCompaction, Options, Place};
