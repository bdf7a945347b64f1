//! What sits on links: addresses, forwarding entries, neighbours.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{errno, gone, index};
use crate::error::Error;
use crate::netlink::Netlink;
use crate::ops::Place;
use crate::read::{ADDRESS_LABEL, ADDRESS_PROTOCOL, Indexes};

/// NUD_NOARP | NUD_PERMANENT, as `bridge fdb add` sets: a static entry.
const STATIC: NeighbourState = NeighbourState::Other(0xc0);

fn place(place: Place, indexes: &Indexes) -> Result<(String, u32), Error> {
    match place {
        Place::On(device) => Ok((device.to_string(), index(indexes, device)?)),
        Place::Loopback => indexes
            .loopback
            .map(|index| ("the loopback".to_owned(), index))
            .ok_or_else(|| {
                Error::netlink(
                    "there is no loopback link",
                    io::Error::from_raw_os_error(errno::ENODEV),
                )
            }),
    }
}

pub async fn add_address(netlink: &Netlink, at: Place, net: IpNet, indexes: &Indexes) -> Result<(), Error> {
    let (name, index) = place(at, indexes)?;
    let mut message = address(index, net);
    message
        .attributes
        .push(AddressAttribute::Protocol(AddressProtocol::Other(
            ADDRESS_PROTOCOL,
        )));
    if net.addr().is_ipv4() {
        if at == Place::Loopback {
            message
                .attributes
                .push(AddressAttribute::Label(ADDRESS_LABEL.to_owned()));
        }
    } else {
        // Ours alone by construction, and needed at once: no duplicate address detection (RFC 4862 §5.4), no route.
        let flags = AddressFlags::Nodad | AddressFlags::Noprefixroute;
        message.attributes.push(AddressAttribute::Flags(flags));
    }
    let flags = NLM_F_CREATE | NLM_F_REPLACE;
    let result = netlink
        .change(RouteNetlinkMessage::NewAddress(message), flags)
        .await;
    result.map_err(|error| Error::netlink(format!("cannot add the address {net} to {name}"), error))
}

pub async fn delete_address(
    netlink: &Netlink,
    at: Place,
    net: IpNet,
    indexes: &Indexes,
) -> Result<(), Error> {
    let (name, index) = place(at, indexes)?;
    let result = netlink
        .change(RouteNetlinkMessage::DelAddress(address(index, net)), 0)
        .await;
    gone(result, || format!("cannot remove the address {net} from {name}"))
}

fn address(index: u32, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = if net.addr().is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    message.header.prefix_len = net.prefix_len();
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(net.addr()),
        AddressAttribute::Address(net.addr()),
    ];
    message
}

/// The message about a forwarding entry.
pub fn fdb(index: u32, mac: [u8; 6], endpoint: Option<IpAddr>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = index;
    message.header.state = STATIC;
    message.header.flags = NeighbourFlags::Own;
    message
        .attributes
        .push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    message
        .attributes
        .extend(endpoint.map(|ip| NeighbourAttribute::Destination(NeighbourAddress::from(ip))));
    message
}

/// The message about a neighbour.
pub fn neighbour(index: u32, address: IpAddr, mac: Option<[u8; 6]>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message
        .attributes
        .push(NeighbourAttribute::Destination(NeighbourAddress::from(address)));
    message
        .attributes
        .extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.to_vec())));
    message
}
