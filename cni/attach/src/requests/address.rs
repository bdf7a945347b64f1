//! Addresses of one link.

use std::io;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::family_of;
use crate::netlink::{Netlink, Request};

fn address_message(index: u32, net: IpNet) -> AddressMessage {
    let address = net.addr();
    let mut message = AddressMessage::default();
    message.header.family = family_of(address);
    message.header.prefix_len = net.prefix_len();
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    message
}

/// An address on a link, usable at once: IPv6 without duplicate address detection. Link-local scope follows
/// from the address in IPv6.
pub(crate) fn put_address(index: u32, net: IpNet, name: &str) -> Request {
    let mut message = address_message(index, net);
    if net.addr().is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    Request {
        message: RouteNetlinkMessage::NewAddress(message),
        flags: NLM_F_CREATE | NLM_F_REPLACE,
        step: format!("give {name} the address {net}"),
    }
}

/// Takes an address away.
pub(crate) fn delete_address(index: u32, net: IpNet, name: &str) -> Request {
    Request {
        message: RouteNetlinkMessage::DelAddress(address_message(index, net)),
        flags: 0,
        step: format!("take the address {net} from {name}"),
    }
}

/// The addresses of both families on a link. The kernel looks at that link alone.
fn on_link(netlink: &mut Netlink, index: u32) -> io::Result<Vec<AddressMessage>> {
    let mut all = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut ask = AddressMessage::default();
        ask.header.family = family;
        ask.header.index = index;
        for answer in netlink.dump(&RouteNetlinkMessage::GetAddress(ask))? {
            match answer {
                RouteNetlinkMessage::NewAddress(found) if found.header.index == index => all.push(found),
                _ => {}
            }
        }
    }
    Ok(all)
}

fn net_of(message: &AddressMessage) -> Option<IpNet> {
    let (mut local, mut other) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => other = Some(*address),
            _ => {}
        }
    }
    IpNet::new(local.or(other)?, message.header.prefix_len).ok()
}

/// The addresses on a link, but for the link-local ones that IPv6 makes by itself; with those where `all`.
pub(crate) fn addresses(netlink: &mut Netlink, index: u32, all: bool) -> io::Result<Vec<IpNet>> {
    let found = on_link(netlink, index)?.into_iter();
    let counts = |m: &AddressMessage| all || m.header.scope == AddressScope::Universe;
    Ok(found.filter(counts).filter_map(|m| net_of(&m)).collect())
}
