//! Reads the kernel's tunnel state into an [`Actual`]: dumps of links, addresses, forwarding entries and neighbours.
//!
//! Links are dumped whole (without statistics), for tunnels of other programs matter too; forwarding entries and
//! neighbours only of our devices, by the kernel's own filter.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressProtocol};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoIpTunnel, InfoKind, InfoVxlan, LinkAttribute,
    LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::actual::{Actual, Entry, Foreign, ForeignKind, Ipip, Kind, Neighbour, Own, Vxlan};
use crate::error::Error;
use crate::family::Family;
use crate::model::Device;
use crate::netlink::Netlink;

/// The address protocol (IFA_PROTO) that marks loopback addresses as ours.
pub const ADDRESS_PROTOCOL: u8 = 82;
/// The label that marks them for IPv4 on kernels before 5.18, which do not keep the address protocol.
pub const ADDRESS_LABEL: &str = "lo:roadbed";

/// NUD_PERMANENT: the entry is static.
const NUD_PERMANENT: u16 = 0x80;

/// The interface indexes that the events and operations need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Indexes {
    /// Our devices.
    pub devices: BTreeMap<Device, u32>,
    /// The loopback.
    pub loopback: Option<u32>,
}

impl Indexes {
    /// Whether `index` is one of them.
    pub fn contains(&self, index: u32) -> bool {
        self.loopback == Some(index) || self.devices.values().any(|own| *own == index)
    }
}

/// The state of the kernel, and the interface indexes behind its names.
pub async fn read(netlink: &Netlink) -> Result<(Actual, Indexes), Error> {
    let mut actual = Actual::default();
    let mut indexes = Indexes::default();
    for link in links(netlink).await? {
        note_link(&link, &mut actual, &mut indexes);
    }
    for address in addresses(netlink).await? {
        note_address(&address, &mut actual, &indexes);
    }
    for (device, index) in &indexes.devices {
        let Some(own) = actual.devices.get_mut(device) else {
            continue;
        };
        if matches!(own.kind, Kind::Vxlan(_)) {
            for entry in neighbours(netlink, AddressFamily::Bridge, *index).await? {
                note_fdb(&entry, own);
            }
        }
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            for entry in neighbours(netlink, family, *index).await? {
                note_neighbour(&entry, own);
            }
        }
    }
    Ok((actual, indexes))
}

async fn links(netlink: &Netlink) -> Result<Vec<LinkMessage>, Error> {
    let mut request = LinkMessage::default();
    request
        .attributes
        .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let answers = netlink.dump(RouteNetlinkMessage::GetLink(request)).await;
    let answers = answers.map_err(|source| Error::netlink("cannot list the links", source))?;
    Ok(answers
        .into_iter()
        .filter_map(|answer| {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                Some(link)
            } else {
                None
            }
        })
        .collect())
}

async fn addresses(netlink: &Netlink) -> Result<Vec<AddressMessage>, Error> {
    let answers = netlink
        .dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
        .await;
    let answers = answers.map_err(|source| Error::netlink("cannot list the addresses", source))?;
    Ok(answers
        .into_iter()
        .filter_map(|answer| {
            if let RouteNetlinkMessage::NewAddress(a) = answer {
                Some(a)
            } else {
                None
            }
        })
        .collect())
}

/// Neighbours of one link; for the family Bridge, its forwarding entries.
async fn neighbours(
    netlink: &Netlink,
    family: AddressFamily,
    index: u32,
) -> Result<Vec<NeighbourMessage>, Error> {
    let mut request = NeighbourMessage::default();
    request.header.family = family;
    // Strict checking wants the filter in the header for forwarding entries and in an attribute for neighbours.
    if family == AddressFamily::Bridge {
        request.header.ifindex = index;
    } else {
        request.attributes.push(NeighbourAttribute::IfIndex(index));
    }
    let answers = netlink.dump(RouteNetlinkMessage::GetNeighbour(request)).await;
    let answers =
        answers.map_err(|source| Error::netlink("cannot list forwarding entries and neighbours", source))?;
    Ok(answers
        .into_iter()
        .filter_map(|answer| {
            if let RouteNetlinkMessage::NewNeighbour(n) = answer {
                Some(n)
            } else {
                None
            }
        })
        .filter(|neighbour| neighbour.header.ifindex == index)
        .collect())
}

/// A link's name.
pub fn link_name(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

/// A link's kind, if it is a virtual one.
pub fn link_kind(link: &LinkMessage) -> Option<&InfoKind> {
    infos(link).iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    })
}

fn infos(link: &LinkMessage) -> &[LinkInfo] {
    link.attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(infos) => Some(infos.as_slice()),
            _ => None,
        })
        .unwrap_or_default()
}

fn note_link(link: &LinkMessage, actual: &mut Actual, indexes: &mut Indexes) {
    if link.header.flags.contains(LinkFlags::Loopback) {
        indexes.loopback = Some(link.header.index);
        return;
    }
    let Some(name) = link_name(link) else { return };
    let kind = kind_of(link);
    if let Some(device) = Device::by_name(name) {
        indexes.devices.insert(device, link.header.index);
        actual.devices.insert(device, own(link, kind));
    } else if let Some(kind) = foreign_kind(link, kind) {
        actual.foreign.push(Foreign {
            name: name.to_owned(),
            kind,
        });
    }
}

fn own(link: &LinkMessage, kind: Kind) -> Own {
    let mut own = Own {
        kind,
        mtu: 0,
        mac: None,
        up: link.header.flags.contains(LinkFlags::Up),
        makes_link_local: false,
        fdb: BTreeMap::new(),
        neighbours: BTreeMap::new(),
        addresses: BTreeSet::new(),
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => own.mtu = *mtu,
            LinkAttribute::Address(bytes) => own.mac = mac(bytes),
            LinkAttribute::AfSpecUnspec(specs) => own.makes_link_local = makes_link_local(specs),
            _ => {}
        }
    }
    own
}

fn makes_link_local(specs: &[AfSpecUnspec]) -> bool {
    specs.iter().any(|spec| match spec {
        AfSpecUnspec::Inet6(attributes) => attributes.iter().any(
            |attribute| matches!(attribute, AfSpecInet6::AddrGenMode(mode) if *mode != In6AddrGenMode::None),
        ),
        _ => false,
    })
}

fn kind_of(link: &LinkMessage) -> Kind {
    let data = infos(link).iter().find_map(|info| match info {
        LinkInfo::Data(data) => Some(data),
        _ => None,
    });
    match (link_kind(link), data) {
        (Some(InfoKind::Vxlan), Some(InfoData::Vxlan(attributes))) => Kind::Vxlan(vxlan(attributes)),
        (Some(InfoKind::IpIp), Some(InfoData::IpTunnel(attributes))) => Kind::Ipip(ipip(attributes)),
        (Some(kind), _) => Kind::Other(kind.to_string()),
        (None, _) => Kind::Other("a link that is not virtual".to_owned()),
    }
}

fn vxlan(attributes: &[InfoVxlan]) -> Vxlan {
    let mut vxlan = Vxlan {
        vni: 0,
        port: 0,
        local: None,
        learning: false,
        plain_checksums: true,
        strange: BTreeSet::new(),
    };
    for attribute in attributes {
        match attribute {
            InfoVxlan::Id(vni) => vxlan.vni = *vni,
            InfoVxlan::Port(port) => vxlan.port = *port,
            InfoVxlan::Local(local) => vxlan.local = Some(IpAddr::V4(*local)),
            InfoVxlan::Local6(local) => vxlan.local = Some(IpAddr::V6(*local)),
            InfoVxlan::Learning(learning) => vxlan.learning = *learning,
            InfoVxlan::UDPCsum(on) => vxlan.plain_checksums &= !on,
            InfoVxlan::UDPZeroCsumTX(on) | InfoVxlan::UDPZeroCsumRX(on) => vxlan.plain_checksums &= on,
            other => {
                vxlan.strange.extend(strange_vxlan(other));
            }
        }
    }
    vxlan
}

/// The name of an attribute that we never set and that changes what the device does.
fn strange_vxlan(attribute: &InfoVxlan) -> Option<&'static str> {
    match attribute {
        InfoVxlan::Group(group) if !group.is_unspecified() => Some("remote"),
        InfoVxlan::Group6(group) if !group.is_unspecified() => Some("remote"),
        InfoVxlan::Link(index) if *index != 0 => Some("dev"),
        InfoVxlan::CollectMetadata(true) => Some("external"),
        InfoVxlan::Proxy(true) => Some("proxy"),
        InfoVxlan::Rsc(true) => Some("rsc"),
        InfoVxlan::RemCsumTX(true) | InfoVxlan::RemCsumRX(true) => Some("remcsum"),
        InfoVxlan::Gbp => Some("gbp"),
        InfoVxlan::Gpe => Some("gpe"),
        InfoVxlan::Vnifilter(true) => Some("vnifilter"),
        _ => None,
    }
}

fn ipip(attributes: &[InfoIpTunnel]) -> Ipip {
    let mut ipip = Ipip {
        local: None,
        strange: BTreeSet::new(),
    };
    for attribute in attributes {
        match attribute {
            InfoIpTunnel::Local(IpAddr::V4(local)) if !local.is_unspecified() => ipip.local = Some(*local),
            InfoIpTunnel::Remote(remote) if !remote.is_unspecified() => {
                ipip.strange.insert("remote");
            }
            InfoIpTunnel::Link(index) if *index != 0 => {
                ipip.strange.insert("dev");
            }
            InfoIpTunnel::CollectMetadata => {
                ipip.strange.insert("external");
            }
            _ => {}
        }
    }
    ipip
}

fn foreign_kind(link: &LinkMessage, kind: Kind) -> Option<ForeignKind> {
    match kind {
        Kind::Vxlan(vxlan) => {
            let family = vxlan_family(link, &vxlan);
            let external = vxlan.strange.contains("external");
            Some(ForeignKind::Vxlan {
                vni: vxlan.vni,
                port: vxlan.port,
                family,
                external,
            })
        }
        Kind::Ipip(ipip) => {
            let remote = match infos(link).iter().find_map(remote_of) {
                Some(IpAddr::V4(remote)) => Some(remote),
                _ => None,
            };
            Some(ForeignKind::Ipip {
                local: ipip.local,
                remote,
            })
        }
        Kind::Other(_) => None,
    }
}

fn remote_of(info: &LinkInfo) -> Option<IpAddr> {
    let LinkInfo::Data(InfoData::IpTunnel(attributes)) = info else {
        return None;
    };
    attributes.iter().find_map(|attribute| match attribute {
        InfoIpTunnel::Remote(remote) if !remote.is_unspecified() => Some(*remote),
        _ => None,
    })
}

/// The underlay family: that of either end; without ends the kernel takes IPv4.
fn vxlan_family(link: &LinkMessage, vxlan: &Vxlan) -> Family {
    let has_group6 = infos(link).iter().any(|info| match info {
        LinkInfo::Data(InfoData::Vxlan(attributes)) => attributes
            .iter()
            .any(|attribute| matches!(attribute, InfoVxlan::Group6(_))),
        _ => false,
    });
    if has_group6 {
        Family::Ipv6
    } else {
        vxlan.local.map_or(Family::Ipv4, Family::from)
    }
}

fn note_address(message: &AddressMessage, actual: &mut Actual, indexes: &Indexes) {
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

fn note_fdb(message: &NeighbourMessage, own: &mut Own) {
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

fn note_neighbour(message: &NeighbourMessage, own: &mut Own) {
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

fn mac(bytes: &[u8]) -> Option<[u8; 6]> {
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
