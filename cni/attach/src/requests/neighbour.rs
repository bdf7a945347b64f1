//! Permanent neighbours, each asked for by itself.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use super::family_of;
use crate::model::Mac;
use crate::netlink::{Netlink, Request};

/// An entry of a neighbour table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub mac: Option<Mac>,
    pub permanent: bool,
}

fn neighbour_message(index: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family_of(address);
    message.header.ifindex = index;
    let destination = match address {
        IpAddr::V4(a) => NeighbourAddress::Inet(a),
        IpAddr::V6(a) => NeighbourAddress::Inet6(a),
    };
    message
        .attributes
        .push(NeighbourAttribute::Destination(destination));
    message
}

/// A permanent neighbour.
pub(crate) fn put_neighbour(index: u32, address: IpAddr, mac: Mac, name: &str) -> Request {
    let mut message = neighbour_message(index, address);
    message.header.state = NeighbourState::Permanent;
    message
        .attributes
        .push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    Request {
        message: RouteNetlinkMessage::NewNeighbour(message),
        flags: NLM_F_CREATE | NLM_F_REPLACE,
        step: format!("make the neighbour {address} on {name}"),
    }
}

/// The entry for an address on a link (Linux 5.0).
pub(crate) fn neighbour(netlink: &mut Netlink, index: u32, address: IpAddr) -> io::Result<Option<Neighbour>> {
    let ask = RouteNetlinkMessage::GetNeighbour(neighbour_message(index, address));
    let answers = match netlink.ask(ask) {
        Err(e) if e.raw_os_error() == Some(nix::libc::ENOENT) => return Ok(None),
        other => other?,
    };
    Ok(answers.into_iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewNeighbour(found) => Some(Neighbour {
            permanent: found.header.state == NeighbourState::Permanent,
            mac: found.attributes.iter().find_map(|a| match a {
                NeighbourAttribute::LinkLayerAddress(bytes) => bytes.as_slice().try_into().ok().map(Mac),
                _ => None,
            }),
        }),
        _ => None,
    }))
}
