//! Routes inside the pod: of the main table, and of the table of an interface.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{OURS, family_of};
use crate::netlink::{Netlink, Request};

/// `RT_TABLE_LOCAL`: the kernel's own.
const LOCAL: u32 = 255;

/// A route through the interface, as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub table: u32,
    pub destination: IpNet,
    pub gateway: Option<IpAddr>,
    /// The gateway is on the link although no route says so (IPv4).
    pub onlink: bool,
}

/// A unicast route that is there, outside the local table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenRoute {
    pub table: u32,
    pub destination: IpNet,
    pub gateway: Option<IpAddr>,
    /// The links of all its paths.
    pub links: Vec<u32>,
    pub ours: bool,
    message: RouteMessage,
}

/// A new route.
pub(crate) fn add_route(index: u32, route: &Route, name: &str) -> Request {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = family_of(route.destination.addr());
    header.destination_prefix_length = route.destination.prefix_len();
    header.table = u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    header.protocol = RouteProtocol::Other(OURS);
    header.scope = match route.gateway {
        Some(_) => RouteScope::Universe,
        None => RouteScope::Link,
    };
    header.kind = RouteType::Unicast;
    if route.onlink {
        header.flags = RouteFlags::Onlink;
    }
    message.attributes = vec![RouteAttribute::Oif(index), RouteAttribute::Table(route.table)];
    if route.destination.prefix_len() > 0 {
        let destination = RouteAttribute::Destination(route.destination.addr().into());
        message.attributes.push(destination);
    }
    let gateway = route.gateway.map(|g| RouteAttribute::Gateway(g.into()));
    message.attributes.extend(gateway);
    Request {
        message: RouteNetlinkMessage::NewRoute(message),
        flags: NLM_F_CREATE | NLM_F_EXCL,
        step: format!("make the route {} through {name}", route.destination),
    }
}

/// Takes a route away.
pub(crate) fn delete_route(route: &SeenRoute, name: &str) -> Request {
    Request {
        message: RouteNetlinkMessage::DelRoute(route.message.clone()),
        flags: 0,
        step: format!("delete the route {} through {name}", route.destination),
    }
}

/// The unicast routes of both families outside the local table, in the order of the kernel.
pub(crate) fn routes(netlink: &mut Netlink) -> io::Result<Vec<SeenRoute>> {
    let mut seen = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut ask = RouteMessage::default();
        ask.header.address_family = family;
        ask.header.kind = RouteType::Unicast;
        let answers = match netlink.dump(&RouteNetlinkMessage::GetRoute(ask)) {
            // What was asked for is not there: so says the kernel of a family without any route.
            Err(e) if e.raw_os_error() == Some(nix::libc::ENOENT) => continue,
            other => other?,
        };
        seen.extend(answers.into_iter().filter_map(read));
    }
    Ok(seen)
}

/// Packets to this address are taken in. The kernel makes the route that says so for an IPv6 address from a work queue
/// (`addrconf_dad_work`), also where there is no duplicate to be detected; until then it drops them.
pub(crate) fn is_local(netlink: &mut Netlink, address: IpAddr) -> io::Result<bool> {
    let mut ask = RouteMessage::default();
    ask.header.address_family = family_of(address);
    ask.header.destination_prefix_length = IpNet::from(address).prefix_len();
    ask.attributes.push(RouteAttribute::Destination(address.into()));
    match netlink.ask(RouteNetlinkMessage::GetRoute(ask)) {
        Ok(answers) => Ok(answers
            .iter()
            .any(|a| matches!(a, RouteNetlinkMessage::NewRoute(r) if r.header.kind == RouteType::Local))),
        Err(e) if e.raw_os_error() == Some(nix::libc::ENETUNREACH) => Ok(false),
        Err(e) => Err(e),
    }
}

fn read(answer: RouteNetlinkMessage) -> Option<SeenRoute> {
    let RouteNetlinkMessage::NewRoute(message) = answer else {
        return None;
    };
    let header = &message.header;
    let mut address: IpAddr = match header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        AddressFamily::Inet6 => IpAddr::from([0; 16]),
        _ => return None,
    };
    let (mut table, mut gateway, mut links) = (u32::from(header.table), None, Vec::new());
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(to) => address = ip(to)?,
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Gateway(via) => gateway = ip(via),
            RouteAttribute::Oif(link) => links.push(*link),
            RouteAttribute::MultiPath(paths) => links.extend(paths.iter().map(|p| p.interface_index)),
            _ => {}
        }
    }
    if header.kind != RouteType::Unicast || table == LOCAL {
        return None;
    }
    Some(SeenRoute {
        table,
        destination: IpNet::new(address, header.destination_prefix_length).ok()?,
        gateway,
        links,
        ours: header.protocol == RouteProtocol::Other(OURS),
        message,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(a) => Some((*a).into()),
        RouteAddress::Inet6(a) => Some((*a).into()),
        _ => None,
    }
}
