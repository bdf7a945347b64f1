//! What the lab asks of the kernel: namespaces, mounts, links and processes.
//!
//! Everything here is blocking. Whatever changes the namespace of a thread runs on a thread made for it,
//! so the program that uses this crate, and its asynchronous runtime if it has one, is never moved.

pub mod links;
pub mod mounts;
pub mod namespaces;
pub mod netlink;
pub mod process;
