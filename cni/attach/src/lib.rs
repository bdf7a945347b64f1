//! Plugging pods in: the veth pair, its addresses, routes and neighbours.
//!
//! [`add`] makes a veth pair with one end directly in the pod's network namespace, under its final name.
//! The pod has host addresses (/32, /128), a link-local gateway that is the node's end of the pair, and a
//! permanent neighbour entry for it; the node's end proxies ARP, filters by reverse path and has a permanent
//! neighbour entry for the pod. So no packet ever waits for a resolution. The pod's host route on the node is
//! not made here: `routesync` is the only writer of routes there. A pod can have several interfaces; what leaves from
//! the address of one leaves through it (`routing`).
//!
//! `model` says what is wanted, `routing` and `sysctl` derive what has to be, `requests` are the changes and questions
//! of the kernel, `sides` sets up an end, `plug` has the verbs, `check` compares. Tests let each step fail (`fault`).
//!
//! All calls block and are short; the node is the network namespace of the calling thread. Only threads made
//! for it enter the pod's namespace ([`netns`]). Kernel interfaces: rtnetlink(7), veth(4), network_namespaces(7),
//! the `conf` sysctls of `ip-sysctl.rst`.

mod check;
mod error;
mod fault;
mod model;
mod names;
mod netlink;
mod netns;
mod plug;
mod requests;
mod routing;
mod sides;
mod sysctl;
#[cfg(test)]
mod tests;

pub use check::check;
pub use error::Error;
pub use model::{Attached, DefaultRoute, Drift, GATEWAY_V4, GATEWAY_V6, Mac, PodLink, gateway};
pub use names::{host_ifname, is_ours};
pub use plug::{add, forget, list, remove};
