//! What sits on links: addresses, forwarding entries, neighbours.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressProtocol};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use super::{ADDRESS_LABEL, ADDRESS_PROTOCOL, Indexes};
use crate::actual::{Actual, Entry, Neighbour, Own};

/// NUD_PERMANENT: the entry is static.
const NUD_PERMANENT: u16 = 0x80;

/// Notes an address of one of our devices or of the loopback.
pub fn note_address(message: &AddressMessage, actual: &mut Actual, indexes: &Indexes) {
    let mut address = None;
    let mut local = None;
    let mut marked = false;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(ip) => address = Some(*ip),
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Protocol(AddressProtocol::Other(protocol)) => {
                marked |= *protocol == ADDRESS_PROTOCOL;
            }
            AddressAttribute::Label(label) => marked |= label == ADDRESS_LABEL,
            _ => {}
        }
    }
    // IFA_LOCAL is our own address; IPv6 has only IFA_ADDRESS.
    let Some(ip) = local.or(address) else { return };
    let Ok(net) = IpNet::new(ip, message.header.prefix_len) else {
        return;
    };
    if indexes.loopback == Some(message.header.index) {
        actual.loopback.insert(net, marked);
        return;
    }
    let device = indexes
        .devices
        .iter()
        .find(|(_, index)| **index == message.header.index);
    if let Some(own) = device.and_then(|(device, _)| actual.devices.get_mut(device)) {
        own.addresses.insert(net);
    }
}

/// Notes a forwarding entry.
pub fn note_fdb(message: &NeighbourMessage, own: &mut Own) {
    let mut lladdr = None;
    let mut endpoint = None;
    let mut plain = permanent(message.header.state);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => lladdr = mac(bytes),
            NeighbourAttribute::Destination(destination) => endpoint = ip(destination),
            NeighbourAttribute::CacheInfo(_) => {}
            // A port, VNI, link or nexthop object of the entry's own.
            _ => plain = false,
        }
    }
    if let Some(lladdr) = lladdr {
        own.fdb
            .insert((lladdr, endpoint), if plain { Entry::Plain } else { Entry::Odd });
    }
}

/// Notes a neighbour.
pub fn note_neighbour(message: &NeighbourMessage, own: &mut Own) {
    let mut lladdr = None;
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => lladdr = mac(bytes),
            NeighbourAttribute::Destination(destination) => address = ip(destination),
            _ => {}
        }
    }
    if let Some(address) = address {
        own.neighbours.insert(
            address,
            Neighbour {
                mac: lladdr,
                permanent: permanent(message.header.state),
            },
        );
    }
}

fn permanent(state: NeighbourState) -> bool {
    u16::from(state) & NUD_PERMANENT != 0
}

/// An Ethernet address.
pub fn mac(bytes: &[u8]) -> Option<[u8; 6]> {
    bytes.try_into().ok()
}

/// The destination of a neighbour or forwarding entry; those of the family Bridge come as plain bytes.
fn ip(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        NeighbourAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        NeighbourAddress::Other(bytes) => <[u8; 4]>::try_from(bytes.as_slice())
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from))
            .ok(),
        _ => None,
    }
}
