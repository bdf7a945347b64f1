//! How full messages are, whatever the attributes and prefixes: never over the maximum, and never one more than needed.

use super::*;
use crate::types::{Asn, Family, PerFamily};
use crate::wire::{
    AsPath, EncodeContext, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, NextHop, Nlri, PathAttributes, RawAttribute,
    encode_announcements, encode_withdrawals,
};
use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4Unicast), Just(Family::Ipv6Unicast)]
}

fn session() -> impl Strategy<Value = EncodeContext> {
    let maximum = prop_oneof![4 => Just(MAX_MESSAGE), 1 => Just(MAX_EXTENDED_MESSAGE)];
    (any::<[bool; 3]>(), maximum).prop_map(|([four_octet, ipv4, ipv6], max_message_len)| EncodeContext {
        four_octet,
        add_path: PerFamily { ipv4, ipv6 },
        max_message_len,
    })
}

fn reader(context: &EncodeContext) -> DecodeContext {
    DecodeContext {
        four_octet: context.four_octet,
        add_path: context.add_path,
        extended_next_hop: true,
        max_message_len: context.max_message_len,
        ..external()
    }
}

/// Prefixes of any length that take bits of the number as their address.
fn nlri(family: Family, with_path_id: bool, (bits, length): (u128, u8)) -> Nlri {
    let prefix = match family {
        Family::Ipv4Unicast => IpNet::new(Ipv4Addr::from(bits as u32).into(), length % 33),
        Family::Ipv6Unicast => IpNet::new(Ipv6Addr::from(bits).into(), length % 129),
    };
    let prefix = prefix.unwrap().trunc();
    let path_id = with_path_id.then_some(bits as u32);
    Nlri { prefix, path_id }
}

fn octets(nlri: &Nlri) -> usize {
    let id = if nlri.path_id.is_some() { 4 } else { 0 };
    id + 1 + usize::from(nlri.prefix.prefix_len()).div_ceil(8)
}

fn attributes(filling: usize) -> PathAttributes {
    let raw = RawAttribute {
        code: 200,
        value: vec![7; filling].into(),
    };
    PathAttributes {
        as_path: AsPath::sequence([Asn(65_001), Asn(70_000)]),
        unknown: vec![raw],
        ..PathAttributes::default()
    }
}

/// Each message with its prefixes, in order; the maximum is kept.
fn split(mut bytes: &[u8], context: &EncodeContext) -> Vec<(usize, Vec<Nlri>)> {
    let mut found = Vec::new();
    while let Some((message, size)) = decode(bytes, &reader(context)).unwrap() {
        let Message::Update(update) = message else {
            panic!("not an UPDATE")
        };
        let routes = update.into_routes();
        assert_eq!(routes.faults, []);
        let announced = routes.announced.into_iter().flat_map(|a| a.nlri);
        let withdrawn = routes.withdrawn.into_iter().flat_map(|w| w.nlri);
        found.push((size, announced.chain(withdrawn).collect()));
        bytes = &bytes[size..];
    }
    assert!(bytes.is_empty());
    found
}

/// No message has room for the first prefix of the next one.
fn dense(messages: &[(usize, Vec<Nlri>)], context: &EncodeContext) -> bool {
    let full = |pair: &[(usize, Vec<Nlri>)]| pair[0].0 + octets(&pair[1].1[0]) > context.max_message_len;
    messages.windows(2).all(full)
}

fn prefixes(messages: Vec<(usize, Vec<Nlri>)>) -> Vec<Nlri> {
    messages.into_iter().flat_map(|(_, nlri)| nlri).collect()
}

proptest! {
    #[test]
    fn messages_are_as_few_as_they_can_be(
        (family, context, filling) in (family(), session(), 0_usize..3800),
        seeds in vec(any::<(u128, u8)>(), 1..2000),
    ) {
        let list: Vec<Nlri> = seeds.into_iter().map(|s| nlri(family, context.has_path_id(family), s)).collect();
        let next_hop = NextHop::V6 { global: "2001:db8::1".parse().unwrap(), link_local: None };
        let mut bytes = Vec::new();
        let written =
            encode_announcements(&mut bytes, &context, &attributes(filling), family, next_hop, list.clone());
        let messages = split(&bytes, &context);
        prop_assert_eq!(written, Ok(messages.len()));
        prop_assert!(dense(&messages, &context));
        prop_assert_eq!(prefixes(messages), list.clone());
        bytes.clear();
        let written = encode_withdrawals(&mut bytes, &context, family, list.clone());
        let messages = split(&bytes, &context);
        prop_assert_eq!(written, messages.len());
        prop_assert!(dense(&messages, &context));
        prop_assert_eq!(prefixes(messages), list);
    }

    /// Around the maximum attributes either leave room for any prefix or are refused without a trace.
    #[test]
    fn attributes_fit_or_are_refused(
        family in family(),
        mut context in session(),
        near in -200_i32..200,
        seed in any::<(u128, u8)>(),
    ) {
        // Octets beside the filling: the frame, the attributes that are always there, a next hop.
        let filling = usize::try_from(context.max_message_len as i32 - 120 + near).unwrap();
        context.four_octet = true;
        let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
        let route = nlri(family, context.has_path_id(family), seed);
        let mut bytes = Vec::new();
        match encode_announcements(&mut bytes, &context, &attributes(filling), family, next_hop, [route]) {
            Ok(written) => {
                prop_assert_eq!(written, 1);
                prop_assert_eq!(prefixes(split(&bytes, &context)), vec![route]);
            }
            Err(error) => {
                prop_assert!(bytes.is_empty());
                prop_assert_eq!(error.maximum, context.max_message_len);
                prop_assert!(error.size + 21 > error.maximum, "{}", error);
            }
        }
    }
}

/// A value that no attribute can hold.
#[test]
fn an_attribute_beyond_its_length_field_is_refused() {
    let context = EncodeContext {
        max_message_len: MAX_EXTENDED_MESSAGE,
        ..EncodeContext::default()
    };
    let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
    let route = nlri(Family::Ipv4Unicast, false, (0, 0));
    for filling in [65_535, 65_536, 200_000] {
        let mut bytes = Vec::new();
        let all = attributes(filling);
        let result = encode_announcements(&mut bytes, &context, &all, Family::Ipv4Unicast, next_hop, [route]);
        assert!(result.is_err() && bytes.is_empty(), "{filling}");
    }
}
