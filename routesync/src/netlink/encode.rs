//! From writes to rtnetlink(7) messages: `struct rtmsg` and its attributes, as linux/rtnetlink.h has them.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;

use super::wire::{attribute, begin, finish, measured};
use crate::{
    diff::{Op, OpKind},
    model::{RouteKey, RouteKind},
    route::{KernelHop, KernelRoute},
};

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;
const RTAX_MTU: u16 = 2;
const RTAX_ADVMSS: u16 = 8;

const RTNH_F_ONLINK: u8 = 4;
const RTN_UNSPEC: u8 = 0;
const RTN_UNICAST: u8 = 1;
const RTN_BLACKHOLE: u8 = 6;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_NOWHERE: u8 = 255;

/// Appends the write to `out` as one message.
pub(super) fn append(out: &mut Vec<u8>, op: &Op, sequence: u32, acknowledge: bool) {
    let asked = NLM_F_REQUEST | if acknowledge { NLM_F_ACK } else { 0 };
    match &op.kind {
        OpKind::Create(route) => add(out, &op.key, route, asked | NLM_F_CREATE | NLM_F_EXCL, sequence),
        OpKind::Replace(route) => add(out, &op.key, route, asked | NLM_F_REPLACE, sequence),
        OpKind::Delete(protocol) => {
            // Names no hop: the kernel removes the first route at the key with our protocol number, all siblings of a
            // multipath one.
            let fixed = fixed(&op.key, protocol.0, RT_SCOPE_NOWHERE, RTN_UNSPEC, 0);
            let start = begin(out, RTM_DELROUTE, asked, sequence, &fixed);
            append_key(out, &op.key);
            finish(out, start);
        }
    }
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

/// `struct rtmsg`.
fn fixed(key: &RouteKey, protocol: u8, scope: u8, kind: u8, flags: u32) -> [u8; 12] {
    let family = if key.destination.addr().is_ipv4() {
        AF_INET
    } else {
        AF_INET6
    };
    // Tables above 255 do not fit; the attribute is what counts.
    let table = u8::try_from(key.table.0).unwrap_or(0);
    let [a, b, c, d] = flags.to_ne_bytes();
    [
        family,
        key.destination.prefix_len(),
        0,
        0,
        table,
        protocol,
        scope,
        kind,
        a,
        b,
        c,
        d,
    ]
}

fn append_key(out: &mut Vec<u8>, key: &RouteKey) {
    attribute(out, RTA_TABLE, &key.table.0.to_ne_bytes());
    if key.destination.prefix_len() > 0 {
        append_address(out, RTA_DST, key.destination.addr());
    }
    if key.metric.0 != 0 {
        attribute(out, RTA_PRIORITY, &key.metric.0.to_ne_bytes());
    }
}

fn append_address(out: &mut Vec<u8>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => attribute(out, kind, &address.octets()),
        IpAddr::V6(address) => attribute(out, kind, &address.octets()),
    }
}

fn add(out: &mut Vec<u8>, key: &RouteKey, route: &KernelRoute, flags: u16, sequence: u32) {
    let kind = match route.kind {
        RouteKind::Blackhole => RTN_BLACKHOLE,
        _ => RTN_UNICAST,
    };
    // As iproute2 does it: destinations on the link itself have link scope, all else is universal.
    let on_link = !route.hops.is_empty() && route.hops.iter().all(|hop| hop.gateway.is_none());
    let scope = match (key.destination, on_link) {
        (IpNet::V4(_), true) => RT_SCOPE_LINK,
        _ => RT_SCOPE_UNIVERSE,
    };
    let onlink = matches!(&route.hops[..], [hop] if hop.onlink);
    let route_flags = if onlink { u32::from(RTNH_F_ONLINK) } else { 0 };
    let start = begin(
        out,
        RTM_NEWROUTE,
        flags,
        sequence,
        &fixed(key, route.protocol.0, scope, kind, route_flags),
    );
    append_key(out, key);
    if let Some(source) = route.preferred_source {
        append_address(out, RTA_PREFSRC, source);
    }
    if route.mtu.is_some() || route.advmss.is_some() {
        measured(out, &RTA_METRICS.to_ne_bytes(), |out| {
            for (kind, value) in [(RTAX_MTU, route.mtu), (RTAX_ADVMSS, route.advmss)] {
                if let Some(value) = value {
                    attribute(out, kind, &value.to_ne_bytes());
                }
            }
        });
    }
    if let Some(id) = route.nexthop {
        attribute(out, RTA_NH_ID, &id.0.to_ne_bytes());
    }
    match &route.hops[..] {
        [] => {}
        [hop] => {
            attribute(out, RTA_OIF, &hop.index.to_ne_bytes());
            append_gateway(out, key, hop);
        }
        hops => measured(out, &RTA_MULTIPATH.to_ne_bytes(), |out| {
            hops.iter().for_each(|hop| append_hop(out, key, hop));
        }),
    }
    finish(out, start);
}

/// `struct rtnexthop` with its attributes.
fn append_hop(out: &mut Vec<u8>, key: &RouteKey, hop: &KernelHop) {
    let flags = if hop.onlink { RTNH_F_ONLINK } else { 0 };
    let others = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    let [a, b, c, d] = hop.index.to_ne_bytes();
    measured(out, &[flags, others, a, b, c, d], |out| {
        append_gateway(out, key, hop)
    });
}

/// A gateway of the route's own family, or of the other one (`RTA_VIA`, `struct rtvia`, RFC 8950).
fn append_gateway(out: &mut Vec<u8>, key: &RouteKey, hop: &KernelHop) {
    match (hop.gateway, key.destination) {
        (Some(IpAddr::V6(gateway)), IpNet::V4(_)) => {
            let mut via = [0; 18];
            via[..2].copy_from_slice(&u16::from(AF_INET6).to_ne_bytes());
            via[2..].copy_from_slice(&gateway.octets());
            attribute(out, RTA_VIA, &via);
        }
        (Some(gateway), _) => append_address(out, RTA_GATEWAY, gateway),
        (None, _) => {}
    }
}

#[cfg(test)]
mod tests;
