//! The rim: rtnetlink sockets and messages.
//!
//! [`socket`] moves datagrams, [`encode`] and [`decode`] translate between messages and [`crate::route`], [`writer`] sends
//! batches of writes and maps the kernel's refusals back to routes, [`dump`] reads the complete state, [`monitor`] follows the
//! notifications, [`neighbour`] has gateways asked for again. What is written for every route goes into the datagram byte by byte
//! ([`wire`]), and what comes in is read attribute by attribute, so that a route of another program with an attribute that nobody
//! here knows is still a route; requests for dumps go through netlink-packet-route.

mod decode;
pub(crate) mod dump;
mod encode;
pub(crate) mod monitor;
pub(crate) mod neighbour;
mod nexthop;
pub(crate) mod socket;
mod wire;
pub(crate) mod writer;
