//! The owner task against the real kernel, in network namespaces without a name: each test has a thread of its own, and when
//! the thread ends the namespaces are gone. Needs root, iproute2 and ping, and a kernel with veth and VXLAN.

// All of this is test code; clippy sees that only of functions marked as tests.
#![allow(clippy::unwrap_used)]

mod conflicts;
mod devices;
mod linger;
mod mtu;
mod outer;
mod repair;
mod support;
mod traffic;
