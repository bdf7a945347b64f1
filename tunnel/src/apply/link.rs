//! Links: made, changed in place, removed.
//!
//! VXLAN (RFC 7348): no learning, no default remote, a local end, no outer UDP checksums (§5 for IPv4; RFC 6935 for
//! IPv6, where both ends must agree, and all of ours do), an outer header as [`Outer`] has it. The link is made down and
//! told to make no IPv6 link-local address before it is set up: only so no stray address ever appears.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoIpTunnel, InfoKind, InfoVxlan, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage, VxlanDf,
};

use super::{errno, gone};
use crate::error::Error;
use crate::family::Family;
use crate::mac::ShowMac;
use crate::model::{Device, IpipDevice, VxlanDevice};
use crate::netlink::Netlink;
use crate::ops::{Changes, Spec};
use crate::outer::{DontFragment, Outer, SOURCE_PORTS};
use crate::read::{Indexes, link_name};

pub async fn delete(netlink: &Netlink, device: Device, indexes: &mut Indexes) -> Result<(), Error> {
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

pub async fn create(netlink: &Netlink, spec: &Spec, indexes: &mut Indexes) -> Result<(), Error> {
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
        InfoVxlan::PortRange(SOURCE_PORTS),
    ];
    data.push(local_end(config.local));
    data.extend(vxlan_outer(Outer::vxlan(Family::from(config.local))));
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

/// TTL_INHERIT is not among these: our links are made without it, and the kernel never changes it.
fn vxlan_outer(outer: Outer) -> [InfoVxlan; 3] {
    let df = match outer.df {
        DontFragment::Unset => VxlanDf::Unset,
        DontFragment::Set => VxlanDf::Set,
        DontFragment::Inherit => VxlanDf::Inherit,
    };
    [
        InfoVxlan::Ttl(outer.ttl),
        InfoVxlan::Tos(outer.tos),
        InfoVxlan::Df(df),
    ]
}

/// All parameters of an IP tunnel: the kernel takes a change as the whole set, and what is left out as nothing.
fn ipip_data(local: Option<IpAddr>, outer: Outer) -> Vec<InfoIpTunnel> {
    let mut data: Vec<_> = local.map(InfoIpTunnel::Local).into_iter().collect();
    data.extend([
        InfoIpTunnel::Ttl(outer.ttl),
        InfoIpTunnel::Tos(outer.tos),
        InfoIpTunnel::PMtuDisc(outer.df == DontFragment::Set),
    ]);
    data
}

fn ipip_link(config: &IpipDevice) -> LinkMessage {
    let data = ipip_data(Some(IpAddr::V4(config.local)), Outer::ipip());
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

pub async fn change(netlink: &Netlink, device: Device, changes: &Changes, index: u32) -> Result<(), Error> {
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
    if changes.local.is_none() && changes.outer.is_none() && !changes.no_learning {
        return None;
    }
    if device == Device::Ipip {
        let data = ipip_data(changes.local, Outer::ipip());
        return Some(vec![
            LinkInfo::Kind(InfoKind::IpIp),
            LinkInfo::Data(InfoData::IpTunnel(data)),
        ]);
    }
    let mut data: Vec<_> = changes.local.map(local_end).into_iter().collect();
    data.extend(changes.outer.into_iter().flat_map(vxlan_outer));
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
    parts.extend(changes.outer.map(|outer| outer.to_string()));
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

#[cfg(test)]
mod tests;
