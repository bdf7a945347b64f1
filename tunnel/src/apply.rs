//! Carries out one operation: the rtnetlink messages for it, and what the kernel's refusals mean to an operator.
//!
//! VXLAN (RFC 7348): no learning, no default remote, a local end, no outer UDP checksums (§5 for IPv4; RFC 6935 for
//! IPv6, where both ends must agree, and all of ours do). The link is made down, told to make no IPv6 link-local
//! address, and then set up: only so no stray address ever appears. Removal of what is gone already is success.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope,
};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoIpTunnel, InfoKind, InfoVxlan, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::Error;
use crate::mac::ShowMac;
use crate::model::{Device, IpipDevice, VxlanDevice};
use crate::netlink::Netlink;
use crate::ops::{Changes, Op, Place, Spec};
use crate::read::{ADDRESS_LABEL, ADDRESS_PROTOCOL, Indexes, link_name};

/// NUD_NOARP | NUD_PERMANENT, as `bridge fdb add` sets: a static entry.
const STATIC: NeighbourState = NeighbourState::Other(0xc0);
/// The outer TTL of IPIP: fixed, so that it does not depend on how far the inner packet has come.
const IPIP_TTL: u8 = 64;

mod errno {
    pub const EPERM: i32 = 1;
    pub const ENOENT: i32 = 2;
    pub const ESRCH: i32 = 3;
    pub const ENXIO: i32 = 6;
    pub const EEXIST: i32 = 17;
    pub const ENODEV: i32 = 19;
    pub const EINVAL: i32 = 22;
    pub const EOPNOTSUPP: i32 = 95;
    pub const EAFNOSUPPORT: i32 = 97;
    pub const EADDRINUSE: i32 = 98;
    pub const EADDRNOTAVAIL: i32 = 99;
}

/// Carries out `op`. `indexes` is kept right as links come and go.
pub async fn apply(netlink: &Netlink, op: &Op, indexes: &mut Indexes) -> Result<(), Error> {
    match op {
        Op::Delete(device) => delete_link(netlink, *device, indexes).await,
        Op::Create(spec) => create(netlink, spec, indexes).await,
        Op::Change(device, changes) => change(netlink, *device, changes, index(indexes, *device)?).await,
        Op::AddAddress(place, net) => add_address(netlink, *place, *net, indexes).await,
        Op::DeleteAddress(place, net) => delete_address(netlink, *place, *net, indexes).await,
        Op::SetFdb {
            device,
            mac,
            endpoint,
        } => {
            let message = fdb(index(indexes, *device)?, *mac, Some(*endpoint));
            let result = netlink.change(
                RouteNetlinkMessage::NewNeighbour(message),
                NLM_F_CREATE | NLM_F_REPLACE,
            );
            let what = || {
                format!(
                    "cannot set the forwarding entry {} to {endpoint} on {device}",
                    ShowMac(*mac)
                )
            };
            result.await.map_err(|error| Error::netlink(what(), error))
        }
        Op::DeleteFdb {
            device,
            mac,
            endpoint,
        } => {
            let message = fdb(index(indexes, *device)?, *mac, *endpoint);
            let result = netlink
                .change(RouteNetlinkMessage::DelNeighbour(message), 0)
                .await;
            gone(result, || {
                format!("cannot remove the forwarding entry {} on {device}", ShowMac(*mac))
            })
        }
        Op::SetNeighbour { device, address, mac } => {
            let message = neighbour(index(indexes, *device)?, *address, Some(*mac));
            let result = netlink.change(
                RouteNetlinkMessage::NewNeighbour(message),
                NLM_F_CREATE | NLM_F_REPLACE,
            );
            let what = || {
                format!(
                    "cannot set the neighbour {address} to {} on {device}",
                    ShowMac(*mac)
                )
            };
            result.await.map_err(|error| Error::netlink(what(), error))
        }
        Op::DeleteNeighbour { device, address } => {
            let message = neighbour(index(indexes, *device)?, *address, None);
            let result = netlink
                .change(RouteNetlinkMessage::DelNeighbour(message), 0)
                .await;
            gone(result, || {
                format!("cannot remove the neighbour {address} on {device}")
            })
        }
    }
}

fn index(indexes: &Indexes, device: Device) -> Result<u32, Error> {
    indexes.devices.get(&device).copied().ok_or_else(|| {
        Error::netlink(
            format!("the link {device} is missing"),
            io::Error::from_raw_os_error(errno::ENODEV),
        )
    })
}

/// Removal of something that is gone already is what was wanted.
fn gone(result: io::Result<()>, what: impl FnOnce() -> String) -> Result<(), Error> {
    use errno::{EADDRNOTAVAIL, ENODEV, ENOENT, ENXIO, ESRCH};
    match result {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(ENOENT | ESRCH | ENXIO | ENODEV | EADDRNOTAVAIL)
            ) =>
        {
            Ok(())
        }
        other => other.map_err(|error| Error::netlink(what(), error)),
    }
}

async fn delete_link(netlink: &Netlink, device: Device, indexes: &mut Indexes) -> Result<(), Error> {
    let Some(index) = indexes.devices.get(&device).copied() else {
        return Ok(());
    };
    let mut message = LinkMessage::default();
    message.header.index = index;
    let result = netlink.change(RouteNetlinkMessage::DelLink(message), 0).await;
    gone(result, || format!("cannot remove the link {device}"))?;
    indexes.devices.remove(&device);
    Ok(())
}

async fn create(netlink: &Netlink, spec: &Spec, indexes: &mut Indexes) -> Result<(), Error> {
    let device = spec.device();
    let message = match spec {
        Spec::Vxlan(device, config) => vxlan_link(*device, config),
        Spec::Ipip(config) => ipip_link(config),
    };
    let result = netlink
        .change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
        .await;
    result.map_err(|error| explain_create(spec, error))?;
    let index = find(netlink, device).await?;
    indexes.devices.insert(device, index);
    let changes = Changes {
        no_link_local: true,
        up: true,
        ..Changes::default()
    };
    change(netlink, device, &changes, index).await
}

/// The index of a link just made.
async fn find(netlink: &Netlink, device: Device) -> Result<u32, Error> {
    let answers = netlink
        .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))
        .await;
    let answers = answers.map_err(|error| Error::netlink(format!("cannot look up {device}"), error))?;
    let index = answers.into_iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewLink(link) if link_name(&link) == Some(device.name()) => {
            Some(link.header.index)
        }
        _ => None,
    });
    index.ok_or_else(|| {
        Error::netlink(
            format!("the link {device} vanished while it was made"),
            io::Error::from_raw_os_error(errno::ENODEV),
        )
    })
}

fn vxlan_link(device: Device, config: &VxlanDevice) -> LinkMessage {
    let mut data = vec![
        InfoVxlan::Id(config.vni),
        InfoVxlan::Port(config.port),
        InfoVxlan::Learning(false),
        InfoVxlan::UDPCsum(false),
        InfoVxlan::UDPZeroCsumTX(true),
        InfoVxlan::UDPZeroCsumRX(true),
    ];
    data.push(local_end(config.local));
    let attributes = vec![
        LinkAttribute::IfName(device.name().to_owned()),
        LinkAttribute::Address(config.mac.to_vec()),
        LinkAttribute::Mtu(config.mtu),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vxlan),
            LinkInfo::Data(InfoData::Vxlan(data)),
        ]),
    ];
    link(0, attributes)
}

fn local_end(local: IpAddr) -> InfoVxlan {
    match local {
        IpAddr::V4(local) => InfoVxlan::Local(local),
        IpAddr::V6(local) => InfoVxlan::Local6(local),
    }
}

fn ipip_link(config: &IpipDevice) -> LinkMessage {
    let data = vec![
        InfoIpTunnel::Local(IpAddr::V4(config.local)),
        InfoIpTunnel::Ttl(IPIP_TTL),
        InfoIpTunnel::PMtuDisc(true),
    ];
    let attributes = vec![
        LinkAttribute::IfName(Device::Ipip.name().to_owned()),
        LinkAttribute::Mtu(config.mtu),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::IpIp),
            LinkInfo::Data(InfoData::IpTunnel(data)),
        ]),
    ];
    link(0, attributes)
}

fn link(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = attributes;
    message
}

async fn change(netlink: &Netlink, device: Device, changes: &Changes, index: u32) -> Result<(), Error> {
    // VXLAN refuses the MTU in one message with its own parameters, so those go first and alone.
    if let Some(info) = tunnel_parameters(device, changes) {
        let message = link(index, vec![LinkAttribute::LinkInfo(info)]);
        let result = netlink.change(RouteNetlinkMessage::NewLink(message), 0).await;
        result.map_err(|error| explain_change(device, changes, error))?;
    }
    let attributes = link_attributes(changes);
    if !attributes.is_empty() {
        let result = netlink
            .change(RouteNetlinkMessage::NewLink(link(index, attributes)), 0)
            .await;
        match result {
            // A link without IPv6 (switched off, or an MTU below 1280) makes no link-local address anyway.
            Err(error) if error.raw_os_error() == Some(errno::EAFNOSUPPORT) && changes.no_link_local => {}
            other => other.map_err(|error| explain_change(device, changes, error))?,
        }
    }
    if !changes.up {
        return Ok(());
    }
    // Last and alone: within one message the kernel sets the link up first, and makes the link-local address.
    let mut message = link(index, Vec::new());
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    let result = netlink.change(RouteNetlinkMessage::NewLink(message), 0).await;
    result.map_err(|error| explain_change(device, changes, error))
}

fn explain_change(device: Device, changes: &Changes, error: io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(errno::EADDRINUSE) => {
            "; another program, or a VXLAN link with other receive options, has the UDP port: give Roadbed another"
        }
        Some(errno::EINVAL) => "; the MTU may be more than the kernel allows on this link",
        _ => permission_hint(&error),
    };
    Error::netlink(
        format!("cannot change the link {device} ({}){hint}", describe(changes)),
        error,
    )
}

fn link_attributes(changes: &Changes) -> Vec<LinkAttribute> {
    let mut attributes = Vec::new();
    attributes.extend(changes.mtu.map(LinkAttribute::Mtu));
    attributes.extend(changes.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
    if changes.no_link_local {
        let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![none])]));
    }
    attributes
}

fn tunnel_parameters(device: Device, changes: &Changes) -> Option<Vec<LinkInfo>> {
    if changes.local.is_none() && !changes.no_learning {
        return None;
    }
    if device == Device::Ipip {
        // The kernel takes a change of an IP tunnel as its whole set of parameters.
        let mut data = vec![InfoIpTunnel::Ttl(IPIP_TTL), InfoIpTunnel::PMtuDisc(true)];
        data.extend(changes.local.map(InfoIpTunnel::Local));
        return Some(vec![
            LinkInfo::Kind(InfoKind::IpIp),
            LinkInfo::Data(InfoData::IpTunnel(data)),
        ]);
    }
    let mut data: Vec<_> = changes.local.map(local_end).into_iter().collect();
    if changes.no_learning {
        data.push(InfoVxlan::Learning(false));
    }
    Some(vec![
        LinkInfo::Kind(InfoKind::Vxlan),
        LinkInfo::Data(InfoData::Vxlan(data)),
    ])
}

fn describe(changes: &Changes) -> String {
    let mut parts = Vec::new();
    parts.extend(changes.mtu.map(|mtu| format!("mtu {mtu}")));
    parts.extend(changes.mac.map(|mac| format!("address {}", ShowMac(mac))));
    parts.extend(changes.local.map(|local| format!("local {local}")));
    for (on, name) in [
        (changes.no_learning, "nolearning"),
        (changes.no_link_local, "addrgenmode none"),
        (changes.up, "up"),
    ] {
        parts.extend(on.then(|| name.to_owned()));
    }
    parts.join(" ")
}

fn explain_create(spec: &Spec, error: io::Error) -> Error {
    let what = match spec {
        Spec::Vxlan(device, config) => format!(
            "cannot make {device} (VNI {}, UDP port {}, local {})",
            config.vni, config.port, config.local
        ),
        Spec::Ipip(config) => format!("cannot make rb-ipip (local {})", config.local),
    };
    let hint = match (error.raw_os_error(), spec) {
        (Some(errno::EOPNOTSUPP), Spec::Vxlan(..)) => {
            "; this kernel has no VXLAN: load the module vxlan, or set vxlanMode: Never on the pools"
        }
        (Some(errno::EOPNOTSUPP), Spec::Ipip(_)) => {
            "; this kernel has no IPIP: load the module ipip, or use vxlanMode instead of ipipMode on the pools"
        }
        (Some(errno::EEXIST), _) => {
            "; a tunnel of another program already has these parameters, or a link this name"
        }
        (Some(errno::EADDRINUSE), _) => "; another program has the UDP port",
        (Some(errno::EINVAL), _) => "; the MTU may be more than the kernel allows on this link",
        _ => permission_hint(&error),
    };
    Error::netlink(format!("{what}{hint}"), error)
}

fn permission_hint(error: &io::Error) -> &'static str {
    if error.raw_os_error() == Some(errno::EPERM) {
        "; the agent needs CAP_NET_ADMIN"
    } else {
        ""
    }
}

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

async fn add_address(netlink: &Netlink, at: Place, net: IpNet, indexes: &Indexes) -> Result<(), Error> {
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

async fn delete_address(netlink: &Netlink, at: Place, net: IpNet, indexes: &Indexes) -> Result<(), Error> {
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

fn fdb(index: u32, mac: [u8; 6], endpoint: Option<IpAddr>) -> NeighbourMessage {
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

fn neighbour(index: u32, address: IpAddr, mac: Option<[u8; 6]>) -> NeighbourMessage {
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
