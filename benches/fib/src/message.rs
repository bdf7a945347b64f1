//! The few rtnetlink(7) messages of the raw loop, written by hand: nothing lies between this and the system call.

use std::net::IpAddr;

use ipnet::IpNet;

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;

const REQUEST: u16 = 0x1;
/// Asks for an answer (`NLM_F_ACK`).
pub const ACK: u16 = 0x4;
const REPLACE: u16 = 0x100;
const CREATE_EXCLUSIVE: u16 = 0x600;
const DUMP: u16 = 0x300;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_NH_ID: u16 = 30;
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;

/// The protocol number of the routes of the raw loop.
pub const PROTOCOL: u8 = 200;
const MAIN: u8 = 254;
const METRIC: u32 = 50;

/// Where a route leads.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// A gateway on a link.
    Via(IpAddr, u32),
    /// A nexthop object.
    Object(u32),
}

fn family(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

fn octets(address: &IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A message that grows at the end of a buffer.
struct Message<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Message<'a> {
    fn begin(out: &'a mut Vec<u8>, kind: u16, flags: u16, sequence: u32, head: &[u8]) -> Self {
        let start = out.len();
        out.extend([0; 4]);
        out.extend(kind.to_ne_bytes());
        out.extend((REQUEST | flags).to_ne_bytes());
        out.extend(sequence.to_ne_bytes());
        out.extend([0; 4]);
        out.extend(head);
        Message { out, start }
    }

    fn attribute(self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.out.extend(length.to_ne_bytes());
        self.out.extend(kind.to_ne_bytes());
        self.out.extend(value);
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        self
    }

    fn end(self) {
        let length = u32::try_from(self.out.len() - self.start).unwrap_or(u32::MAX);
        self.out[self.start..self.start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

fn route_head(prefix: &IpNet, scope: u8, kind: u8) -> [u8; 12] {
    let mut head = [0; 12];
    head[..8].copy_from_slice(&[
        family(&prefix.addr()),
        prefix.prefix_len(),
        0,
        0,
        MAIN,
        PROTOCOL,
        scope,
        kind,
    ]);
    head
}

/// Adds a route (exclusively).
pub fn add(out: &mut Vec<u8>, prefix: &IpNet, target: Target, flags: u16, sequence: u32) {
    const UNICAST: u8 = 1;
    let head = route_head(prefix, 0, UNICAST);
    let message = Message::begin(out, RTM_NEWROUTE, CREATE_EXCLUSIVE | flags, sequence, &head)
        .attribute(RTA_DST, &octets(&prefix.addr()))
        .attribute(RTA_PRIORITY, &METRIC.to_ne_bytes());
    match target {
        Target::Via(gateway, link) => message
            .attribute(RTA_OIF, &link.to_ne_bytes())
            .attribute(RTA_GATEWAY, &octets(&gateway)),
        Target::Object(id) => message.attribute(RTA_NH_ID, &id.to_ne_bytes()),
    }
    .end();
}

/// Removes a route: of the raw loop, or of somebody else by protocol number, whatever its metric.
pub fn delete(out: &mut Vec<u8>, prefix: &IpNet, other: Option<u8>, flags: u16, sequence: u32) {
    const NOWHERE: u8 = 255;
    let mut head = route_head(prefix, NOWHERE, 0);
    head[5] = other.unwrap_or(PROTOCOL);
    let message =
        Message::begin(out, RTM_DELROUTE, flags, sequence, &head).attribute(RTA_DST, &octets(&prefix.addr()));
    match other {
        Some(_) => message.end(),
        None => message.attribute(RTA_PRIORITY, &METRIC.to_ne_bytes()).end(),
    }
}

/// Asks for all routes of the family that `like` belongs to.
pub fn dump(out: &mut Vec<u8>, like: &IpNet, sequence: u32) {
    let mut head = [0; 12];
    head[0] = family(&like.addr());
    Message::begin(out, RTM_GETROUTE, DUMP, sequence, &head).end();
}

/// Leads a route that is there elsewhere.
pub fn replace(out: &mut Vec<u8>, prefix: &IpNet, gateway: IpAddr, link: u32, flags: u16, sequence: u32) {
    const UNICAST: u8 = 1;
    Message::begin(
        out,
        RTM_NEWROUTE,
        REPLACE | flags,
        sequence,
        &route_head(prefix, 0, UNICAST),
    )
    .attribute(RTA_DST, &octets(&prefix.addr()))
    .attribute(RTA_PRIORITY, &METRIC.to_ne_bytes())
    .attribute(RTA_OIF, &link.to_ne_bytes())
    .attribute(RTA_GATEWAY, &octets(&gateway))
    .end();
}

/// Makes a nexthop object.
pub fn add_object(out: &mut Vec<u8>, id: u32, gateway: IpAddr, link: u32, sequence: u32) {
    object(out, id, gateway, link, CREATE_EXCLUSIVE | ACK, sequence);
}

/// Makes another one of the nexthop object that is there.
pub fn replace_object(out: &mut Vec<u8>, id: u32, gateway: IpAddr, link: u32, sequence: u32) {
    object(out, id, gateway, link, REPLACE | ACK, sequence);
}

/// Makes a group of objects, or another one of the group that is there.
pub fn group(out: &mut Vec<u8>, id: u32, members: &[u32], replace: bool, sequence: u32) {
    let flags = if replace { REPLACE } else { CREATE_EXCLUSIVE };
    let head = [0, 0, PROTOCOL, 0, 0, 0, 0, 0];
    let entry = |id: &u32| {
        let [a, b, c, d] = id.to_ne_bytes();
        [a, b, c, d, 0, 0, 0, 0]
    };
    let members: Vec<u8> = members.iter().flat_map(entry).collect();
    Message::begin(out, RTM_NEWNEXTHOP, flags | ACK, sequence, &head)
        .attribute(NHA_ID, &id.to_ne_bytes())
        .attribute(NHA_GROUP, &members)
        .end();
}

fn object(out: &mut Vec<u8>, id: u32, gateway: IpAddr, link: u32, flags: u16, sequence: u32) {
    let head = [family(&gateway), 0, PROTOCOL, 0, 0, 0, 0, 0];
    Message::begin(out, RTM_NEWNEXTHOP, flags, sequence, &head)
        .attribute(NHA_ID, &id.to_ne_bytes())
        .attribute(NHA_OIF, &link.to_ne_bytes())
        .attribute(NHA_GATEWAY, &octets(&gateway))
        .end();
}

/// Removes a nexthop object, and the kernel the routes on it.
pub fn delete_object(out: &mut Vec<u8>, id: u32, sequence: u32) {
    Message::begin(out, RTM_DELNEXTHOP, ACK, sequence, &[0; 8])
        .attribute(NHA_ID, &id.to_ne_bytes())
        .end();
}
