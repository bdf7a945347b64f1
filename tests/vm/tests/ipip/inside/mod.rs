//! What runs on a kernel with IPIP.

mod devices;
mod traffic;
