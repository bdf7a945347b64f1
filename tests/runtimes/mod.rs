//! Container runtimes for real, with the plugin and with chains of plugins: podman from the distribution, the
//! reference plugins, and the work that Multus does, which is to run several networks for one pod.
//!
//! `bench` is the fabric that they share: two nodes with agents and a plain machine on one wire. `list` runs
//! a network list as libcni does, which is all that Multus and most runtimes are to a plugin; `engine` is podman
//! with everything of its own inside one node. In the scenarios each test brings up one fabric and goes
//! through what belongs together on it.

mod bench;
mod chain;
mod containerd;
mod delegated_ipam;
mod engine;
mod list;
mod networks;
mod podman;
