//! The rtnetlink requests of an attachment, one function each (rtnetlink(7); `IFLA_NET_NS_FD` on a veth peer
//! puts it where it belongs in the same step that makes it).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::model::Mac;
use crate::names::Macs;
use crate::netlink::Netlink;

/// What matters about a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub index: u32,
    pub name: String,
    pub is_veth: bool,
    /// Index of the other end, in its own namespace.
    pub peer: Option<u32>,
    pub mac: Option<Mac>,
    pub mtu: u32,
    /// The kernel's state of it is up (RFC 2863): it sends, and does not drop what it is given.
    pub operational: bool,
}

impl Link {
    fn read(message: &LinkMessage) -> Link {
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            is_veth: false,
            peer: None,
            mac: None,
            mtu: 0,
            operational: false,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::Link(peer) => link.peer = Some(*peer),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::OperState(state) => link.operational = *state == State::Up,
                LinkAttribute::Address(bytes) => link.mac = bytes.as_slice().try_into().ok().map(Mac),
                LinkAttribute::LinkInfo(infos) => {
                    link.is_veth = infos.iter().any(|i| matches!(i, LinkInfo::Kind(InfoKind::Veth)));
                }
                _ => {}
            }
        }
        link
    }
}

fn family_of(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// The link of this name.
pub(crate) fn link(netlink: &mut Netlink, name: &str) -> io::Result<Option<Link>> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.into()));
    match netlink.request(RouteNetlinkMessage::GetLink(message), 0) {
        Ok(answers) => Ok(links_in(answers).into_iter().next()),
        Err(e) if e.raw_os_error() == Some(nix::libc::ENODEV) => Ok(None),
        Err(e) => Err(e),
    }
}

/// All links.
pub(crate) fn links(netlink: &mut Netlink) -> io::Result<Vec<Link>> {
    netlink
        .dump(&RouteNetlinkMessage::GetLink(LinkMessage::default()))
        .map(links_in)
}

fn links_in(answers: Vec<RouteNetlinkMessage>) -> Vec<Link> {
    let read = |answer: RouteNetlinkMessage| match answer {
        RouteNetlinkMessage::NewLink(message) => Some(Link::read(&message)),
        _ => None,
    };
    answers.into_iter().filter_map(read).collect()
}

/// A new veth pair: one end here, the other in the namespace, both with their final names, MTU and addresses.
pub(crate) fn make_pair(
    netlink: &mut Netlink,
    host: &str,
    pod: &str,
    netns: BorrowedFd<'_>,
    mtu: u32,
    macs: Macs,
) -> io::Result<()> {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(pod.into()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::Address(macs.pod.0.to_vec()),
        LinkAttribute::NetNsFd(netns.as_raw_fd()),
    ];
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(host.into()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::Address(macs.host.0.to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    netlink
        .request(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
        .map(drop)
}

/// Sets a link up, and its MTU where one is given.
pub(crate) fn set_up(netlink: &mut Netlink, index: u32, mtu: Option<u32>) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes.extend(mtu.map(LinkAttribute::Mtu));
    netlink
        .request(RouteNetlinkMessage::SetLink(message), 0)
        .map(drop)
}

/// Deletes a link; for a veth, both ends.
pub(crate) fn delete_link(netlink: &mut Netlink, index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    match netlink.request(RouteNetlinkMessage::DelLink(message), 0) {
        Err(e) if e.raw_os_error() != Some(nix::libc::ENODEV) => Err(e),
        _ => Ok(()),
    }
}

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
pub(crate) fn put_address(netlink: &mut Netlink, index: u32, net: IpNet) -> io::Result<()> {
    let mut message = address_message(index, net);
    if net.addr().is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    netlink
        .request(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
        .map(drop)
}

/// Takes an address away.
pub(crate) fn delete_address(netlink: &mut Netlink, index: u32, net: IpNet) -> io::Result<()> {
    netlink
        .request(RouteNetlinkMessage::DelAddress(address_message(index, net)), 0)
        .map(drop)
}

/// The addresses of global scope on a link.
pub(crate) fn addresses(netlink: &mut Netlink, index: u32) -> io::Result<Vec<IpNet>> {
    let answers = netlink.dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    let mut nets = Vec::new();
    for answer in answers {
        let RouteNetlinkMessage::NewAddress(message) = answer else {
            continue;
        };
        if message.header.index != index || message.header.scope != AddressScope::Universe {
            continue;
        }
        let local = message.attributes.iter().find_map(|a| match a {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
        let other = message.attributes.iter().find_map(|a| match a {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        });
        nets.extend(
            local
                .or(other)
                .and_then(|a| IpNet::new(a, message.header.prefix_len).ok()),
        );
    }
    Ok(nets)
}

/// An IPv6 address on a link is not in use yet: the kernel takes even one that needs no duplicate address
/// detection into use from a work queue, when the link is operational (`net/ipv6/addrconf.c`).
pub(crate) fn has_tentative(netlink: &mut Netlink, index: u32) -> io::Result<bool> {
    let answers = netlink.dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    let tentative = |answer: &RouteNetlinkMessage| match answer {
        RouteNetlinkMessage::NewAddress(message) => {
            message.header.index == index && message.header.flags.contains(AddressHeaderFlags::Tentative)
        }
        _ => false,
    };
    Ok(answers.iter().any(tentative))
}

/// A permanent neighbour.
pub(crate) fn put_neighbour(netlink: &mut Netlink, index: u32, address: IpAddr, mac: Mac) -> io::Result<()> {
    let mut message = NeighbourMessage::default();
    message.header.family = family_of(address);
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(match address {
            IpAddr::V4(a) => NeighbourAddress::Inet(a),
            IpAddr::V6(a) => NeighbourAddress::Inet6(a),
        }),
        NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()),
    ];
    netlink
        .request(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
        .map(drop)
}

/// A route of the main table, unless the same destination has one. True: it is new.
pub(crate) fn add_route(
    netlink: &mut Netlink,
    index: u32,
    destination: IpNet,
    gateway: Option<IpAddr>,
) -> io::Result<bool> {
    let mut message = RouteMessage::default();
    message.header.address_family = family_of(destination.addr());
    message.header.destination_prefix_length = destination.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = if gateway.is_some() {
        RouteScope::Universe
    } else {
        RouteScope::Link
    };
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Oif(index));
    if destination.prefix_len() > 0 {
        message
            .attributes
            .push(RouteAttribute::Destination(destination.addr().into()));
    }
    message
        .attributes
        .extend(gateway.map(|g| RouteAttribute::Gateway(g.into())));
    match netlink.request(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL) {
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(nix::libc::EEXIST) => Ok(false),
        Err(e) => Err(e),
    }
}

/// True where the main table has a route to the destination through this link.
pub(crate) fn has_route(netlink: &mut Netlink, index: u32, destination: IpNet) -> io::Result<bool> {
    let mut ask = RouteMessage::default();
    ask.header.address_family = family_of(destination.addr());
    let answers = netlink.dump(&RouteNetlinkMessage::GetRoute(ask))?;
    Ok(answers.into_iter().any(|answer| {
        let RouteNetlinkMessage::NewRoute(route) = answer else {
            return false;
        };
        let wanted = RouteAttribute::Destination(destination.addr().into());
        route.header.table == RouteHeader::RT_TABLE_MAIN
            && route.header.destination_prefix_length == destination.prefix_len()
            && (destination.prefix_len() == 0 || route.attributes.contains(&wanted))
            && route.attributes.contains(&RouteAttribute::Oif(index))
    }))
}
