//! Gateways that are asked for and do not answer: entries of the neighbour tables (ARP, neighbour discovery) without an address.
//!
//! The kernel drops the entries over a link that loses its carrier. What is sent meanwhile, if only a word of BGP, makes new ones,
//! and for those the kernel asks once a second (`net.ipv4.neigh.*.retrans_time_ms`): when the carrier is back, up to a second
//! goes by in which nothing gets through. Such an entry holds nothing; forgotten and asked for anew, it is answered
//! within a round trip.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState},
};

use super::{encode, writer::Request};

pub(super) const RTM_NEWNEIGH: u16 = 28;

/// A gateway on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub index: u32,
    pub address: IpAddr,
}

/// What is written about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NeighbourOp {
    /// `RTM_DELNEIGH`.
    Forget(Neighbour),
    /// `RTM_NEWNEIGH` with `NTF_USE`: the kernel asks at once.
    Ask(Neighbour),
}

impl Request for NeighbourOp {
    fn append(&self, out: &mut Vec<u8>, sequence: u32, acknowledge: bool) {
        let asked = NLM_F_REQUEST | if acknowledge { NLM_F_ACK } else { 0 };
        match *self {
            NeighbourOp::Forget(neighbour) => {
                let message = RouteNetlinkMessage::DelNeighbour(message(neighbour));
                encode::append_message(out, message, asked, sequence);
            }
            NeighbourOp::Ask(neighbour) => {
                let mut message = message(neighbour);
                message.header.flags = NeighbourFlags::Use;
                let message = RouteNetlinkMessage::NewNeighbour(message);
                encode::append_message(out, message, asked | NLM_F_CREATE, sequence);
            }
        }
    }
}

fn message(neighbour: Neighbour) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = match neighbour.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.ifindex = neighbour.index;
    let address = NeighbourAddress::from(neighbour.address);
    message.attributes.push(NeighbourAttribute::Destination(address));
    message
}

/// The request for all entries on a link.
pub(super) fn list(index: u32) -> RouteNetlinkMessage {
    let mut message = NeighbourMessage::default();
    message.attributes.push(NeighbourAttribute::IfIndex(index));
    RouteNetlinkMessage::GetNeighbour(message)
}

/// The neighbour of an `RTM_NEWNEIGH` if it is asked for and has not answered yet.
pub(super) fn waiting(message: &NeighbourMessage) -> Option<Neighbour> {
    if message.header.state != NeighbourState::Incomplete {
        return None;
    }
    message.attributes.iter().find_map(|attribute| {
        let NeighbourAttribute::Destination(address) = attribute else {
            return None;
        };
        let address = match address {
            NeighbourAddress::Inet(address) => IpAddr::V4(*address),
            NeighbourAddress::Inet6(address) => IpAddr::V6(*address),
            _ => return None,
        };
        let index = message.header.ifindex;
        Some(Neighbour { index, address })
    })
}
