//! Fabrics of network namespaces from containerlab files.
//!
//! A lab is a set of nodes, each a network namespace with a file system view and a host name of its own, joined
//! by veth pairs: real kernel network stacks on one machine. FRR plays the switches, `roadbed agent` plays
//! cluster nodes, and pods are namespaces that are plugged in by the CNI plugin exactly as a container runtime
//! does it. The crate knows the programs only by their contract: it starts them, and it reads `-o json`.
//!
//! `topology` reads the file; `kernel` makes namespaces, mounts and links; `fabric` brings the lab up and down
//! and remembers what it made; `capture`, `traffic` and `wait` are what tests measure with; `cli` is
//! `roadbed lab`.

pub mod capture;
pub mod cli;
mod error;
pub mod fabric;
pub mod kernel;
pub mod topology;
pub mod traffic;
pub mod wait;

pub use error::Error;
pub use fabric::{Lab, Options};
