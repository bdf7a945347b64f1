//! The encoding against netlink-packet-route's, byte for byte.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteNextHop,
        RouteNextHopFlags, RouteProtocol, RouteScope, RouteType, RouteVia,
    },
};
use proptest::prelude::*;

use super::append_message;
use crate::{
    diff::{Op, OpKind},
    model::{Metric, Protocol, RouteKey, RouteKind, Table},
    route::{KernelHop, KernelRoute, NexthopId},
};

/// The same write with the types of the library.
fn expected(out: &mut Vec<u8>, op: &Op, sequence: u32, acknowledge: bool) {
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

fn address(v6: bool) -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(move |bits| match v6 {
        true => IpAddr::V6(bits.into()),
        false => IpAddr::V4(u32::try_from(bits >> 96).unwrap().into()),
    })
}

fn a_key() -> impl Strategy<Value = RouteKey> {
    let table = prop_oneof![Just(254u32), Just(0), 1..300u32];
    (
        any::<bool>(),
        0..=128u8,
        table,
        prop_oneof![Just(0u32), any::<u32>()],
    )
        .prop_flat_map(|(v6, length, table, metric)| (address(v6), Just((v6, length, table, metric))))
        .prop_map(|(address, (v6, length, table, metric))| {
            let length = if v6 { length } else { length.min(32) };
            RouteKey {
                table: Table(table),
                destination: IpNet::new(address, length).unwrap().trunc(),
                metric: Metric(metric),
            }
        })
}

fn a_hop() -> impl Strategy<Value = KernelHop> {
    let gateway = proptest::option::of(any::<bool>().prop_flat_map(address));
    (gateway, any::<u32>(), any::<bool>(), 1..=256u16).prop_map(|(gateway, index, onlink, weight)| {
        KernelHop {
            gateway,
            index,
            onlink,
            weight,
            usable: true,
        }
    })
}

fn a_route() -> impl Strategy<Value = KernelRoute> {
    let small = || proptest::option::of(any::<u32>());
    let source = proptest::option::of(any::<bool>().prop_flat_map(address));
    let hops = proptest::collection::vec(a_hop(), 0..4);
    (any::<bool>(), hops, small(), source, small(), small()).prop_map(
        |(blackhole, hops, nexthop, preferred_source, mtu, advmss)| KernelRoute {
            protocol: Protocol(82),
            kind: if blackhole {
                RouteKind::Blackhole
            } else {
                RouteKind::Unicast
            },
            hops: hops.into(),
            nexthop: nexthop.map(NexthopId),
            preferred_source,
            mtu,
            advmss,
        },
    )
}

fn an_op() -> impl Strategy<Value = Op> {
    let kind = prop_oneof![
        a_route().prop_map(OpKind::Create),
        a_route().prop_map(OpKind::Replace),
        any::<u8>().prop_map(|protocol| OpKind::Delete(Protocol(protocol))),
    ];
    (a_key(), kind).prop_map(|(key, kind)| Op { key, kind })
}

proptest! {
    #[test]
    fn it_is_what_the_library_writes(op in an_op(), sequence in any::<u32>(), acknowledge in any::<bool>()) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        super::append(&mut ours, &op, sequence, acknowledge);
        expected(&mut theirs, &op, sequence, acknowledge);
        prop_assert_eq!(ours, theirs);
    }
}
