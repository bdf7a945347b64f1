//! The rtnetlink messages of the program: routes, nexthop objects (`linux/rtnetlink.h`, `linux/nexthop.h`), encoded by hand.

use std::convert::Infallible;
use std::net::IpAddr;

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader, NetlinkPayload, NetlinkSerializable};

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_NH_ID: u16 = 30;

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;

const RT_TABLE_MAIN: u8 = 254;
const RTN_UNICAST: u8 = 1;

/// The routing protocol of what the program makes: any number that no daemon here has.
const PROTOCOL: u8 = 83;

/// Bytes before the attributes of a route message.
const RTMSG: usize = 12;

/// Where a route leads.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// A gateway on an interface.
    Via(IpAddr, u32),
    /// A nexthop object.
    Object(u32),
}

/// A message: its type, its header of fixed size and its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    kind: u16,
    body: Vec<u8>,
}

impl Message {
    /// Makes or replaces a route.
    pub fn route(prefix: IpAddr, length: u8, target: Target) -> Message {
        let mut message = Message::about(RTM_NEWROUTE, prefix, length);
        match target {
            Target::Via(gateway, interface) => {
                message.attribute(RTA_GATEWAY, &octets(gateway));
                message.attribute(RTA_OIF, &interface.to_ne_bytes());
            }
            Target::Object(id) => message.attribute(RTA_NH_ID, &id.to_ne_bytes()),
        }
        message
    }

    /// Removes a route.
    pub fn no_route(prefix: IpAddr, length: u8) -> Message {
        Message::about(RTM_DELROUTE, prefix, length)
    }

    fn about(kind: u16, prefix: IpAddr, length: u8) -> Message {
        let body = vec![
            family(prefix),
            length,
            0,
            0,
            RT_TABLE_MAIN,
            PROTOCOL,
            0,
            RTN_UNICAST,
            0,
            0,
            0,
            0,
        ];
        let mut message = Message { kind, body };
        message.attribute(RTA_DST, &octets(prefix));
        message
    }

    /// Asks which route the kernel takes to this destination.
    pub fn lookup(to: IpAddr) -> Message {
        let length = if to.is_ipv4() { 32 } else { 128 };
        let mut message = Message {
            kind: RTM_GETROUTE,
            body: vec![0; RTMSG],
        };
        message.body[0] = family(to);
        message.body[1] = length;
        message.attribute(RTA_DST, &octets(to));
        message
    }

    /// Makes or replaces a nexthop object: one gateway.
    pub fn object(id: u32, gateway: IpAddr, interface: u32) -> Message {
        let mut message = Message::nexthop(RTM_NEWNEXTHOP, family(gateway), id);
        message.attribute(NHA_OIF, &interface.to_ne_bytes());
        message.attribute(NHA_GATEWAY, &octets(gateway));
        message
    }

    /// Makes or replaces a group of objects, all of the same weight.
    pub fn group(id: u32, members: &[u32]) -> Message {
        let mut message = Message::nexthop(RTM_NEWNEXTHOP, 0, id);
        let entries: Vec<u8> = members
            .iter()
            .flat_map(|member| [member.to_ne_bytes(), [0; 4]].concat())
            .collect();
        message.attribute(NHA_GROUP, &entries);
        message
    }

    /// Removes an object.
    pub fn no_object(id: u32) -> Message {
        let mut message = Message::nexthop(RTM_DELNEXTHOP, 0, id);
        // The kernel refuses a removal that names a protocol.
        message.body[2] = 0;
        message
    }

    fn nexthop(kind: u16, family: u8, id: u32) -> Message {
        let mut message = Message {
            kind,
            body: vec![family, 0, PROTOCOL, 0, 0, 0, 0, 0],
        };
        message.attribute(NHA_ID, &id.to_ne_bytes());
        message
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        // Attributes of this program are short: their length fits.
        let length = 4 + value.len() as u16;
        self.body.extend(length.to_ne_bytes());
        self.body.extend(kind.to_ne_bytes());
        self.body.extend(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }

    /// The interface of the route in an answer to [`Message::lookup`].
    pub fn interface(&self) -> Option<u32> {
        let mut rest = self.body.get(RTMSG..)?;
        while let Some((head, _)) = rest.split_at_checked(4) {
            let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
            let kind = u16::from_ne_bytes([head[2], head[3]]);
            let value = rest.get(4..length.max(4))?;
            if kind == RTA_OIF {
                return Some(u32::from_ne_bytes(value.try_into().ok()?));
            }
            rest = rest.get(length.max(4).next_multiple_of(4)..).unwrap_or_default();
        }
        None
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.body.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.body);
    }
}

impl NetlinkDeserializable for Message {
    type Error = Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Message, Infallible> {
        Ok(Message {
            kind: header.message_type,
            body: payload.to_vec(),
        })
    }
}

impl From<Message> for NetlinkPayload<Message> {
    fn from(message: Message) -> NetlinkPayload<Message> {
        NetlinkPayload::InnerMessage(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_found_again() {
        let to: IpAddr = "198.51.100.0".parse().unwrap();
        let gateway = "192.0.2.1".parse().unwrap();
        let message = Message::route(to, 24, Target::Via(gateway, 7));
        assert_eq!(message.body.len() % 4, 0);
        assert_eq!(message.interface(), Some(7));
        assert_eq!(Message::route(to, 24, Target::Object(7)).interface(), None);
        let broken = Message {
            kind: 0,
            body: vec![255; 17],
        };
        assert_eq!(broken.interface(), None);
    }
}
