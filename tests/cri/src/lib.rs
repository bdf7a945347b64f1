//! A real containerd for tests, on a node that is a pair of namespaces, driven through the CRI as the kubelet
//! drives it.
//!
//! [`Containerd::start`] runs Debian's containerd with folders, a socket and a cgroup of its own inside the node's
//! network and mount namespaces, so that the host's ends of pods land on the node, brings a small image in, and
//! waits until the CRI answers. [`Client`] speaks gRPC to it: sandboxes, containers, commands inside them. [`Call`]
//! tells what the runtime has asked of the CNI plugin, word for word. All goes away with the value, also after
//! a panic: sandboxes, shims, mounts, namespaces, cgroups, files, each by its id and nothing by name.
//!
//! The crate knows nothing of Roadbed: the plugins and the network configuration are given to it.

mod calls;
mod clean;
mod client;
mod config;
mod daemon;
mod error;
mod image;
mod place;
mod pod;

pub use calls::Call;
pub use client::{Addresses, Client, Exec};
pub use config::{IMAGE, Options, Plugin};
pub use daemon::Containerd;
pub use error::Error;
pub use place::Place;
pub use pod::Pod;
