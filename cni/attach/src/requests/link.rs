//! Links: one by its name, the pair, what changes on them (`IFLA_NET_NS_FD` on a veth peer puts it where it belongs
//! in the same step that makes it).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InetDevConf, InfoData, InfoKind, InfoVeth,
    LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};

use crate::model::{Mac, PodLink};
use crate::names::Macs;
use crate::netlink::{Netlink, Request};

/// What matters about a link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Link {
    pub index: u32,
    pub name: String,
    pub is_veth: bool,
    /// Index of the other end, in its own namespace.
    pub peer: Option<u32>,
    /// The number that this namespace has for the one of the other end; `None`: it is this one.
    pub peer_netns: Option<i32>,
    pub mac: Option<Mac>,
    pub mtu: u32,
    /// It is set up.
    pub up: bool,
    /// Its settings in IPv6; `None`: it has none, for the kernel has no IPv6 or the MTU is too small.
    pub ipv6: Option<Ipv6Settings>,
    /// The kernel's state of it is up (RFC 2863): it sends, and does not drop what it is given.
    pub operational: bool,
}

/// Some of `net.ipv6.conf.IFNAME`, as the kernel says them with the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ipv6Settings {
    pub disable_ipv6: i32,
    pub forwarding: i32,
    pub accept_ra: i32,
}

fn ipv6_settings(spec: &AfSpecUnspec) -> Option<Ipv6Settings> {
    let AfSpecUnspec::Inet6(parts) = spec else {
        return None;
    };
    parts.iter().find_map(|part| match part {
        AfSpecInet6::DevConf(conf) => Some(Ipv6Settings {
            disable_ipv6: conf.disable_ipv6,
            forwarding: conf.forwarding,
            accept_ra: conf.accept_ra,
        }),
        _ => None,
    })
}

impl Link {
    fn read(message: &LinkMessage) -> Link {
        let mut link = Link {
            index: message.header.index,
            up: message.header.flags.contains(LinkFlags::Up),
            ..Link::default()
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name.clone_from(name),
                LinkAttribute::Link(peer) => link.peer = Some(*peer),
                LinkAttribute::LinkNetNsId(id) => link.peer_netns = Some(*id),
                LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
                LinkAttribute::OperState(state) => link.operational = *state == State::Up,
                LinkAttribute::Address(bytes) => link.mac = bytes.as_slice().try_into().ok().map(Mac),
                LinkAttribute::AfSpecUnspec(specs) => link.ipv6 = specs.iter().find_map(ipv6_settings),
                LinkAttribute::LinkInfo(infos) => {
                    link.is_veth = infos.iter().any(|i| matches!(i, LinkInfo::Kind(InfoKind::Veth)));
                }
                _ => {}
            }
        }
        link
    }
}

/// The link of this name. Since Linux 6.8 the kernel first brings its state up to date.
pub(crate) fn link(netlink: &mut Netlink, name: &str) -> io::Result<Option<Link>> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]),
    ];
    match netlink.ask(RouteNetlinkMessage::GetLink(message)) {
        Ok(answers) => Ok(links_in(answers).into_iter().next()),
        Err(e) if e.raw_os_error() == Some(nix::libc::ENODEV) => Ok(None),
        Err(e) => Err(e),
    }
}

/// All veths.
pub(crate) fn veths(netlink: &mut Netlink) -> io::Result<Vec<Link>> {
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)]),
        LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]),
    ];
    let all = netlink.dump(&RouteNetlinkMessage::GetLink(message))?;
    Ok(links_in(all).into_iter().filter(|l| l.is_veth).collect())
}

#[cfg(test)]
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

/// The number that this namespace has for another one, where it has one (`NETNSA_NSID`).
pub(crate) fn netns_id(netlink: &mut Netlink, netns: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut message = NsidMessage::default();
    let fd = u32::try_from(netns.as_raw_fd()).map_err(io::Error::other)?;
    message.attributes.push(NsidAttribute::Fd(fd));
    let answers = netlink.ask(RouteNetlinkMessage::GetNsId(message))?;
    Ok(answers.into_iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewNsId(found) => found.attributes.into_iter().find_map(|a| match a {
            NsidAttribute::Id(id) => (id >= 0).then_some(id),
            _ => None,
        }),
        _ => None,
    }))
}

/// A new veth pair: one end here, the other in the namespace, both with their final names, MTU and addresses.
pub(crate) fn make_pair(wanted: &PodLink, macs: Macs, netns: BorrowedFd<'_>) -> Request {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(wanted.ifname.clone()),
        LinkAttribute::Mtu(wanted.mtu),
        LinkAttribute::Address(macs.pod.0.to_vec()),
        LinkAttribute::NetNsFd(netns.as_raw_fd()),
    ];
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(wanted.host_ifname.clone()),
        LinkAttribute::Mtu(wanted.mtu),
        LinkAttribute::Address(macs.host.0.to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    Request {
        message: RouteNetlinkMessage::NewLink(message),
        flags: NLM_F_CREATE | NLM_F_EXCL,
        step: format!("make the veth pair {}", wanted.host_ifname),
    }
}

/// What changes on a link; what is `None` or false stays.
#[derive(Default)]
pub(crate) struct Change {
    pub up: bool,
    pub mtu: Option<u32>,
    pub mac: Option<Mac>,
    /// `net.ipv4.conf`: forwarding, proxy ARP, strict reverse path. Unlike writes to `/proc`, this waits for the
    /// kernel's lock instead of trying again and again.
    pub router: bool,
    /// `net.ipv6.conf`: no link-local address but those that are put there. Counts from the next time it is set up.
    pub no_link_local: bool,
}

pub(crate) fn change(index: u32, change: &Change, step: String) -> Request {
    let mut message = LinkMessage::default();
    message.header.index = index;
    if change.up {
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
    }
    let attributes = &mut message.attributes;
    attributes.extend(change.mtu.map(LinkAttribute::Mtu));
    attributes.extend(change.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    if change.router {
        let mut conf = InetDevConf::default();
        (conf.forwarding, conf.proxy_arp, conf.rp_filter) = (1, 1, 1);
        let inet = AfSpecUnspec::Inet(vec![AfSpecInet::DevConfRequest(conf)]);
        attributes.push(LinkAttribute::AfSpecUnspec(vec![inet]));
    }
    if change.no_link_local {
        let inet6 = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        attributes.push(LinkAttribute::AfSpecUnspec(vec![inet6]));
    }
    Request {
        message: RouteNetlinkMessage::SetLink(message),
        flags: 0,
        step,
    }
}

/// True while there is a link of this index.
pub(crate) fn exists(netlink: &mut Netlink, index: u32) -> io::Result<bool> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = vec![LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])];
    match netlink.ask(RouteNetlinkMessage::GetLink(message)) {
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(nix::libc::ENODEV) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Deletes a link; for a veth, both ends.
pub(crate) fn delete_link(netlink: &mut Netlink, index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    match netlink.ask(RouteNetlinkMessage::DelLink(message)) {
        Err(e) if e.raw_os_error() != Some(nix::libc::ENODEV) => Err(e),
        _ => Ok(()),
    }
}
