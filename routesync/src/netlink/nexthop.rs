//! Nexthop objects as rtnetlink messages (`struct nhmsg`, `NHA_*` of linux/nexthop.h). netlink-packet-route does not know them.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST};

use super::{
    decode::{Attributes, address, u16_at, u32_at},
    wire::{attribute, begin, finish},
};
use crate::{
    model::Protocol,
    nexthop::object::{Buckets, Group, KernelNexthop, Member, NexthopOp, NexthopOpKind, Object, Single},
    route::NexthopId,
};

pub(super) const RTM_NEWNEXTHOP: u16 = 104;
pub(super) const RTM_DELNEXTHOP: u16 = 105;
pub(super) const RTM_GETNEXTHOP: u16 = 106;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const RTNH_F_ONLINK: u32 = 4;
const NLA_F_NESTED: u16 = 1 << 15;

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP: u16 = 8;
const NHA_FDB: u16 = 11;
const NHA_RES_GROUP: u16 = 12;
const NHA_RES_GROUP_BUCKETS: u16 = 1;
const NHA_RES_GROUP_IDLE_TIMER: u16 = 2;
const NHA_RES_GROUP_UNBALANCED_TIMER: u16 = 3;
const NEXTHOP_GRP_TYPE_RES: u16 = 1;

/// Appends the write as one message.
pub(super) fn append(out: &mut Vec<u8>, op: &NexthopOp, sequence: u32, acknowledge: bool) {
    let (kind, flags, object) = match &op.kind {
        NexthopOpKind::Create(object) => (RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL, Some(object)),
        NexthopOpKind::Replace(object) => (RTM_NEWNEXTHOP, NLM_F_REPLACE, Some(object)),
        NexthopOpKind::Delete => (RTM_DELNEXTHOP, 0, None),
    };
    let flags = flags | NLM_F_REQUEST | if acknowledge { NLM_F_ACK } else { 0 };
    let protocol = object.map_or(0, |_| op.protocol.0);
    let (family, nh_flags) = match object {
        Some(Object::Single(single)) => (
            if single.v6 { AF_INET6 } else { AF_INET },
            if single.onlink { RTNH_F_ONLINK } else { 0 },
        ),
        _ => (0, 0),
    };
    let [a, b, c, d] = nh_flags.to_ne_bytes();
    let fixed = [family, 0, protocol, 0, a, b, c, d];
    let start = begin(out, kind, flags, sequence, &fixed);
    attribute(out, NHA_ID, &op.id.0.to_ne_bytes());
    match object {
        Some(Object::Single(single)) => {
            attribute(out, NHA_OIF, &single.index.to_ne_bytes());
            match single.gateway {
                Some(IpAddr::V4(gateway)) => attribute(out, NHA_GATEWAY, &gateway.octets()),
                Some(IpAddr::V6(gateway)) => attribute(out, NHA_GATEWAY, &gateway.octets()),
                None => {}
            }
        }
        Some(Object::Group(group)) => append_group(out, group),
        Some(Object::Other) | None => {}
    }
    finish(out, start);
}

fn append_group(out: &mut Vec<u8>, group: &Group) {
    // struct nexthop_grp: id, weight - 1, its high byte on newer kernels, reserved.
    let entry = |member: &Member| {
        let [a, b, c, d] = member.id.0.to_ne_bytes();
        let weight = u8::try_from(member.weight.saturating_sub(1)).unwrap_or(u8::MAX);
        [a, b, c, d, weight, 0, 0, 0]
    };
    let members: Vec<u8> = group.members.iter().flat_map(entry).collect();
    attribute(out, NHA_GROUP, &members);
    let Some(buckets) = group.resilient else {
        return;
    };
    attribute(out, NHA_GROUP_TYPE, &NEXTHOP_GRP_TYPE_RES.to_ne_bytes());
    let mut nested = Vec::new();
    attribute(&mut nested, NHA_RES_GROUP_BUCKETS, &buckets.number.to_ne_bytes());
    attribute(&mut nested, NHA_RES_GROUP_IDLE_TIMER, &buckets.idle.to_ne_bytes());
    attribute(
        &mut nested,
        NHA_RES_GROUP_UNBALANCED_TIMER,
        &buckets.unbalanced.to_ne_bytes(),
    );
    attribute(out, NHA_RES_GROUP | NLA_F_NESTED, &nested);
}

/// Appends a request for all objects.
pub(super) fn append_dump(out: &mut Vec<u8>, sequence: u32) {
    let start = begin(out, RTM_GETNEXTHOP, NLM_F_REQUEST | NLM_F_DUMP, sequence, &[0; 8]);
    finish(out, start);
}

/// An object message; `None` where it has no id.
pub(super) fn decode(payload: &[u8]) -> Option<KernelNexthop> {
    let &[family, _scope, protocol, _] = payload.first_chunk::<4>()?;
    let flags = u32_at(payload, 4)?;
    let mut id = None;
    let mut single = Single {
        v6: family == AF_INET6,
        gateway: None,
        index: 0,
        onlink: flags & RTNH_F_ONLINK != 0,
    };
    let (mut members, mut resilient, mut other) = (None, None, false);
    for (attribute, value) in Attributes::new(payload.get(8..)?) {
        match attribute {
            NHA_ID => id = u32_at(value, 0),
            NHA_OIF => single.index = u32_at(value, 0)?,
            NHA_GATEWAY => single.gateway = address(value),
            NHA_GROUP => members = Some(value.chunks_exact(8).filter_map(member).collect::<Vec<_>>()),
            NHA_RES_GROUP => resilient = Some(buckets(value)),
            NHA_BLACKHOLE | NHA_ENCAP | NHA_FDB => other = true,
            _ => {}
        }
    }
    let object = match members {
        _ if other => Object::Other,
        Some(mut members) => {
            members.sort_unstable();
            Object::Group(Group { members, resilient })
        }
        None => Object::Single(single),
    };
    Some(KernelNexthop {
        id: NexthopId(id?),
        protocol: Protocol(protocol),
        object,
    })
}

fn member(entry: &[u8]) -> Option<Member> {
    let weight = u16::from(*entry.get(4)?) | u16::from(*entry.get(5)?) << 8;
    Some(Member {
        id: NexthopId(u32_at(entry, 0)?),
        weight: weight.saturating_add(1),
    })
}

fn buckets(nested: &[u8]) -> Buckets {
    let mut buckets = Buckets {
        number: 0,
        idle: 0,
        unbalanced: 0,
    };
    for (attribute, value) in Attributes::new(nested) {
        match attribute {
            NHA_RES_GROUP_BUCKETS => buckets.number = u16_at(value, 0).unwrap_or_default(),
            NHA_RES_GROUP_IDLE_TIMER => buckets.idle = u32_at(value, 0).unwrap_or_default(),
            NHA_RES_GROUP_UNBALANCED_TIMER => buckets.unbalanced = u32_at(value, 0).unwrap_or_default(),
            _ => {}
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_object() -> impl Strategy<Value = Object> {
        let gateway = prop_oneof![
            Just(None),
            any::<std::net::Ipv4Addr>().prop_map(|a| Some(IpAddr::V4(a))),
            any::<std::net::Ipv6Addr>().prop_map(|a| Some(IpAddr::V6(a))),
        ];
        let single = (gateway, any::<u32>(), any::<bool>(), any::<bool>());
        let single = single.prop_map(|(gateway, index, onlink, v6)| {
            Object::Single(Single {
                v6: gateway.map_or(v6, |gateway| gateway.is_ipv6()),
                gateway,
                index,
                onlink,
            })
        });
        let members = proptest::collection::vec((any::<u32>(), 1u16..=256), 1..5);
        let resilient = proptest::option::of((1u16.., any::<u32>(), any::<u32>()));
        let group = (members, resilient).prop_map(|(members, resilient)| {
            let member = |(id, weight)| Member {
                id: NexthopId(id),
                weight,
            };
            let mut members: Vec<_> = members.into_iter().map(member).collect();
            members.sort_unstable();
            let resilient = resilient.map(|(number, idle, unbalanced)| Buckets {
                number,
                idle,
                unbalanced,
            });
            Object::Group(Group { members, resilient })
        });
        prop_oneof![single, group]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(object in any_object(), id: u32, protocol: u8) {
            let op = NexthopOp {
                id: NexthopId(id),
                protocol: Protocol(protocol),
                kind: NexthopOpKind::Create(object.clone()),
            };
            let mut out = Vec::new();
            append(&mut out, &op, 7, true);
            prop_assert_eq!(u32_at(&out, 0), u32::try_from(out.len()).ok());
            let read = decode(&out[16..]);
            prop_assert_eq!(read, Some(KernelNexthop { id: op.id, protocol: op.protocol, object }));
        }

        #[test]
        fn nothing_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = decode(&bytes);
        }
    }
}
