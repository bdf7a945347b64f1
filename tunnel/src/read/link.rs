//! What a link is: ours, with its parameters, or a tunnel of another program.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoIpTunnel, InfoKind, InfoVxlan, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage, VxlanDf,
};

use super::Indexes;
use super::entries::mac;
use crate::actual::{Actual, Foreign, ForeignKind, Ipip, Kind, Own, Vxlan};
use crate::family::Family;
use crate::model::Device;
use crate::outer::{DontFragment, Outer, is_narrow};

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

/// Notes a link that is ours, or that ours could collide with.
pub fn note_link(link: &LinkMessage, actual: &mut Actual, indexes: &mut Indexes) {
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

/// An outer header of which the kernel says nothing.
const NOTHING: Outer = Outer {
    ttl: 0,
    tos: 0,
    df: DontFragment::Unset,
};

fn dont_fragment(df: VxlanDf) -> DontFragment {
    match df {
        VxlanDf::Set => DontFragment::Set,
        VxlanDf::Unset => DontFragment::Unset,
        _ => DontFragment::Inherit,
    }
}

fn vxlan(attributes: &[InfoVxlan]) -> Vxlan {
    let mut vxlan = Vxlan {
        vni: 0,
        port: 0,
        local: None,
        learning: false,
        plain_checksums: true,
        outer: NOTHING,
        strange: BTreeSet::new(),
    };
    for attribute in attributes {
        match attribute {
            InfoVxlan::Ttl(ttl) => vxlan.outer.ttl = *ttl,
            InfoVxlan::Tos(tos) => vxlan.outer.tos = *tos,
            InfoVxlan::Df(df) => vxlan.outer.df = dont_fragment(*df),
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
        InfoVxlan::TtlInherit(on) if *on != 0 => Some("ttl inherit"),
        InfoVxlan::TtlInheritFlag => Some("ttl inherit"),
        InfoVxlan::PortRange(range) if is_narrow(*range) => Some("srcport"),
        InfoVxlan::Gbp => Some("gbp"),
        InfoVxlan::Gpe => Some("gpe"),
        InfoVxlan::Vnifilter(true) => Some("vnifilter"),
        _ => None,
    }
}

fn ipip(attributes: &[InfoIpTunnel]) -> Ipip {
    let mut ipip = Ipip {
        local: None,
        outer: NOTHING,
        strange: BTreeSet::new(),
    };
    for attribute in attributes {
        match attribute {
            InfoIpTunnel::Ttl(ttl) => ipip.outer.ttl = *ttl,
            InfoIpTunnel::Tos(tos) => ipip.outer.tos = *tos,
            InfoIpTunnel::PMtuDisc(true) => ipip.outer.df = DontFragment::Set,
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
