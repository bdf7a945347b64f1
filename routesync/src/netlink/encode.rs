//! From writes to rtnetlink(7) messages.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteNextHop,
        RouteNextHopFlags, RouteProtocol, RouteScope, RouteType, RouteVia,
    },
};

use crate::{
    diff::{Op, OpKind},
    model::{Protocol, RouteKey, RouteKind},
    route::{KernelHop, KernelRoute},
};

/// Appends the write to `out` as one message.
pub(super) fn append(out: &mut Vec<u8>, op: &Op, sequence: u32, acknowledge: bool) {
    let (message, flags) = match &op.kind {
        OpKind::Create(route) => (
            RouteNetlinkMessage::NewRoute(add(&op.key, route)),
            NLM_F_CREATE | NLM_F_EXCL,
        ),
        OpKind::Replace(route) => (RouteNetlinkMessage::NewRoute(add(&op.key, route)), NLM_F_REPLACE),
        OpKind::Delete(protocol) => (RouteNetlinkMessage::DelRoute(delete(&op.key, *protocol)), 0),
    };
    append_message(
        out,
        message,
        flags | NLM_F_REQUEST | if acknowledge { NLM_F_ACK } else { 0 },
        sequence,
    );
}

/// Appends any message.
pub(super) fn append_message(out: &mut Vec<u8>, message: RouteNetlinkMessage, flags: u16, sequence: u32) {
    let mut message = NetlinkMessage::new(Default::default(), NetlinkPayload::from(message));
    message.header.flags = flags;
    message.header.sequence_number = sequence;
    message.finalize();
    let start = out.len();
    out.resize(start + message.buffer_len().next_multiple_of(4), 0);
    message.serialize(&mut out[start..]);
}

fn family(destination: &IpNet) -> AddressFamily {
    match destination {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    }
}

fn base(key: &RouteKey, protocol: Protocol) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(&key.destination),
        destination_prefix_length: key.destination.prefix_len(),
        // Tables above 255 do not fit; the attribute below is what counts.
        table: u8::try_from(key.table.0).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
        protocol: RouteProtocol::from(protocol.0),
        ..RouteHeader::default()
    };
    message.attributes.push(RouteAttribute::Table(key.table.0));
    if key.destination.prefix_len() > 0 {
        message
            .attributes
            .push(RouteAttribute::Destination(key.destination.addr().into()));
    }
    if key.metric.0 != 0 {
        message.attributes.push(RouteAttribute::Priority(key.metric.0));
    }
    message
}

fn add(key: &RouteKey, route: &KernelRoute) -> RouteMessage {
    let mut message = base(key, route.protocol);
    message.header.kind = match route.kind {
        RouteKind::Blackhole => RouteType::BlackHole,
        _ => RouteType::Unicast,
    };
    // As iproute2 does it: destinations on the link itself have link scope, all else is universal.
    let on_link = !route.hops.is_empty() && route.hops.iter().all(|hop| hop.gateway.is_none());
    message.header.scope = match (key.destination, on_link) {
        (IpNet::V4(_), true) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    if let Some(source) = route.preferred_source {
        message.attributes.push(RouteAttribute::PrefSource(source.into()));
    }
    let mtu = route.mtu.map(RouteMetric::Mtu);
    let metrics: Vec<_> = mtu
        .into_iter()
        .chain(route.advmss.map(RouteMetric::Advmss))
        .collect();
    if !metrics.is_empty() {
        message.attributes.push(RouteAttribute::Metrics(metrics));
    }
    if let Some(id) = route.nexthop {
        message.attributes.push(RouteAttribute::NhId(id.0));
    }
    match &route.hops[..] {
        [] => {}
        [hop] => {
            if hop.onlink {
                message.header.flags |= RouteFlags::Onlink;
            }
            message.attributes.push(RouteAttribute::Oif(hop.index));
            message.attributes.extend(gateway(key, hop));
        }
        hops => {
            let hops = hops.iter().map(|hop| next_hop(key, hop)).collect();
            message.attributes.push(RouteAttribute::MultiPath(hops));
        }
    }
    message
}

fn next_hop(key: &RouteKey, hop: &KernelHop) -> RouteNextHop {
    let mut next_hop = RouteNextHop::default();
    next_hop.interface_index = hop.index;
    next_hop.hops = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    if hop.onlink {
        next_hop.flags |= RouteNextHopFlags::Onlink;
    }
    next_hop.attributes.extend(gateway(key, hop));
    next_hop
}

/// A gateway of the route's own family, or of the other one (`RTA_VIA`, RFC 8950).
fn gateway(key: &RouteKey, hop: &KernelHop) -> Option<RouteAttribute> {
    Some(match (hop.gateway?, key.destination) {
        (gateway @ IpAddr::V6(_), IpNet::V4(_)) => RouteAttribute::Via(RouteVia::from(gateway)),
        (gateway, _) => RouteAttribute::Gateway(RouteAddress::from(gateway)),
    })
}

/// Names no hop: the kernel removes the first route at the key with our protocol number, all siblings of a multipath one.
fn delete(key: &RouteKey, protocol: Protocol) -> RouteMessage {
    let mut message = base(key, protocol);
    message.header.scope = RouteScope::NoWhere;
    message.header.kind = RouteType::Unspec;
    message
}
