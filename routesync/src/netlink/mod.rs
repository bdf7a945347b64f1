//! The rim: rtnetlink sockets and messages.
//!
//! [`socket`] moves datagrams, [`encode`] and [`decode`] translate between messages and [`crate::route`], [`writer`] sends
//! batches of writes and maps the kernel's refusals back to routes, [`dump`] reads the complete state, [`monitor`] follows the
//! notifications. Messages go out through netlink-packet-route; what comes in is read attribute by attribute, so that a route of
//! another program with an attribute that nobody here knows is still a route.

mod decode;
pub(crate) mod dump;
mod encode;
pub(crate) mod monitor;
mod nexthop;
pub(crate) mod socket;
pub(crate) mod writer;
