//! Probes against the real kernel: two nodes with a router between them, in network namespaces without a name. Each node's
//! task has a thread of its own; when the threads end the namespaces are gone. Needs root, iproute2, nft and ping.

// All of this is test code; clippy sees that only of functions marked as tests.
#![allow(clippy::unwrap_used)]

mod fabric;
mod kernel;
mod offload;
mod paths;
mod tunnels;
