//! The rtnetlink requests of an attachment (rtnetlink(7)): changes are made as values and carried out in batches,
//! questions are asked at once. No question scans what belongs to other pods.

mod address;
mod link;
mod neighbour;
mod route;
mod rule;

pub(crate) use address::{addresses, delete_address, put_address};
pub(crate) use link::{
    Change, Ipv6Settings, Link, change, delete_link, exists, link, make_pair, netns_id, veths,
};
pub(crate) use neighbour::{Neighbour, neighbour, put_neighbour};
pub(crate) use route::{Route, SeenRoute, add_route, delete_route, is_local, routes};
pub(crate) use rule::{SeenRule, add_rule, delete_rule, rules};

#[cfg(test)]
pub(crate) use link::links;

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;

/// The protocol number of routes and rules that are ours.
pub(crate) const OURS: u8 = 82;

fn family_of(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}
