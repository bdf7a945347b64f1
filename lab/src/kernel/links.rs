//! Links and addresses: veth pairs made straight in their two namespaces, links set up or down, addresses read.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::Path;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use crate::error::Error;
use crate::kernel::netlink::Netlink;

/// One end of a pair to be made.
pub struct End<'a> {
    /// The network namespace's file.
    pub netns: &'a Path,
    /// The interface's name there.
    pub name: &'a str,
}

/// Makes a veth pair; both ends appear under their final names in their namespaces, and nowhere else before.
pub fn veth(a: End<'_>, b: End<'_>, mtu: Option<u32>) -> Result<(), Error> {
    let what = format!("make the link {} - {}", a.name, b.name);
    let make = || -> io::Result<()> {
        let (ns_a, ns_b) = (File::open(a.netns)?, File::open(b.netns)?);
        let describe = |name: &str, ns: &File| {
            let mut message = LinkMessage::default();
            message.attributes.push(LinkAttribute::IfName(name.to_owned()));
            message.attributes.push(LinkAttribute::NetNsFd(ns.as_raw_fd()));
            message.attributes.extend(mtu.map(LinkAttribute::Mtu));
            message
        };
        let mut message = describe(a.name, &ns_a);
        let peer = InfoData::Veth(InfoVeth::Peer(describe(b.name, &ns_b)));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(peer),
        ]));
        Netlink::open()?.change(Message::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
    };
    make().map_err(Error::system(what))
}

/// Sets a link of the calling thread's namespace up or down.
pub fn set_up(name: &str, up: bool) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message.header.change_mask = LinkFlags::Up;
    message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    Netlink::open()?.change(Message::SetLink(message), 0)
}

/// An interface with its addresses.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Administratively up.
    pub up: bool,
    /// Its addresses, without IPv6 link-local ones.
    pub addresses: Vec<IpNet>,
}

/// The interfaces of the calling thread's namespace, without the loopback's 127.0.0.1 and ::1.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut netlink = Netlink::open()?;
    let mut found = Vec::new();
    for message in netlink.dump(Message::GetLink(LinkMessage::default()))? {
        let Message::NewLink(link) = message else { continue };
        let name = link.attributes.iter().find_map(|a| match a {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
        let up = link.header.flags.contains(LinkFlags::Up);
        found.push((
            link.header.index,
            Interface {
                name: name.unwrap_or_default(),
                up,
                addresses: Vec::new(),
            },
        ));
    }
    for message in netlink.dump(Message::GetAddress(AddressMessage::default()))? {
        let Message::NewAddress(address) = message else {
            continue;
        };
        let Some(net) = address_of(&address) else { continue };
        if let Some((_, interface)) = found.iter_mut().find(|(index, _)| *index == address.header.index) {
            interface.addresses.push(net);
        }
    }
    Ok(found.into_iter().map(|(_, interface)| interface).collect())
}

fn address_of(message: &AddressMessage) -> Option<IpNet> {
    let pick = |f: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(f);
    // On a point-to-point interface IFA_ADDRESS is the other end; IFA_LOCAL is ours where present.
    let local = pick(|a| {
        if let AddressAttribute::Local(ip) = a {
            Some(*ip)
        } else {
            None
        }
    });
    let ip = local.or_else(|| {
        pick(|a| {
            if let AddressAttribute::Address(ip) = a {
                Some(*ip)
            } else {
                None
            }
        })
    })?;
    let hidden = ip.is_loopback() || matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if hidden {
        None
    } else {
        IpNet::new(ip, message.header.prefix_len).ok()
    }
}
