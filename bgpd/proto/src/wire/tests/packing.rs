//! The encoder: golden bytes, splitting at the maximum, and what does not fit.

use super::*;
use crate::types::{Asn, Family, PerFamily};
use crate::wire::{
    AsPath, Community, EncodeContext, MAX_EXTENDED_MESSAGE, NextHop, Nlri, PathAttributes, RawAttribute,
    encode_announcements, encode_end_of_rib, encode_withdrawals,
};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn nlri(text: &str) -> Nlri {
    text.parse::<IpNet>().unwrap().into()
}

fn attributes() -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence([Asn(65001)]),
        ..PathAttributes::default()
    }
}

fn v4() -> NextHop {
    NextHop::V4(Ipv4Addr::new(192, 0, 2, 1))
}

fn v6() -> NextHop {
    IpAddr::from("2001:db8::1".parse::<Ipv6Addr>().unwrap()).into()
}

/// Sizes of the messages in a buffer; each is decoded on the way.
fn split(mut bytes: &[u8], context: &DecodeContext) -> Vec<(usize, RoutesIn)> {
    let mut found = Vec::new();
    while let Some((message, size)) = decode(bytes, context).unwrap() {
        let Message::Update(update) = message else {
            panic!("not an UPDATE")
        };
        found.push((size, update.into_routes()));
        bytes = &bytes[size..];
    }
    assert!(bytes.is_empty());
    found
}

fn many(count: u32) -> impl Iterator<Item = Nlri> {
    (0..count).map(|i| {
        IpNet::new(Ipv4Addr::from(0x0A00_0000 + (i << 8)).into(), 24)
            .unwrap()
            .into()
    })
}

#[test]
fn golden_ipv4() {
    let mut bytes = Vec::new();
    let context = EncodeContext::default();
    let list = [nlri("10.1.0.0/16"), nlri("2001:db8::/32")];
    let n = encode_announcements(
        &mut bytes,
        &context,
        &attributes(),
        Family::Ipv4Unicast,
        v4(),
        list,
    );
    assert_eq!(n, Ok(1));
    assert_eq!(bytes, update(&[], &[ORIGIN, AS_PATH, NEXT_HOP].concat(), PREFIX));
    bytes.clear();
    assert_eq!(
        encode_withdrawals(&mut bytes, &context, Family::Ipv4Unicast, [nlri("10.1.0.0/16")]),
        1
    );
    assert_eq!(bytes, update(PREFIX, &[], &[]));
}

#[test]
fn golden_ipv6_and_ipv4_over_ipv6() {
    let mut bytes = Vec::new();
    let context = EncodeContext::default();
    let global = "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets();
    let list = [nlri("2001:db8:5::/48")];
    encode_announcements(
        &mut bytes,
        &context,
        &attributes(),
        Family::Ipv6Unicast,
        v6(),
        list,
    )
    .unwrap();
    let value = [
        &[0, 2, 1, 16],
        global.as_slice(),
        &[0, 48, 0x20, 1, 0x0D, 0xB8, 0, 5],
    ]
    .concat();
    assert_eq!(
        bytes,
        update(
            &[],
            &[&attribute(0x90, 14, &value), ORIGIN, AS_PATH].concat(),
            &[]
        )
    );
    bytes.clear();
    encode_announcements(
        &mut bytes,
        &context,
        &attributes(),
        Family::Ipv4Unicast,
        v6(),
        [nlri("10.1.0.0/16")],
    )
    .unwrap();
    let value = [&[0, 1, 1, 16], global.as_slice(), &[0], PREFIX].concat();
    assert_eq!(
        bytes,
        update(
            &[],
            &[&attribute(0x90, 14, &value), ORIGIN, AS_PATH].concat(),
            &[]
        )
    );
}

#[test]
fn end_of_rib() {
    for family in Family::ALL {
        let mut bytes = Vec::new();
        encode_end_of_rib(&mut bytes, family);
        assert_eq!(routes(&bytes, &external()).end_of_rib, Some(family));
    }
}

#[test]
fn nothing_in_nothing_out() {
    let mut bytes = Vec::new();
    let context = EncodeContext::default();
    assert_eq!(
        encode_announcements(&mut bytes, &context, &attributes(), Family::Ipv4Unicast, v4(), []),
        Ok(0)
    );
    assert_eq!(
        encode_withdrawals(&mut bytes, &context, Family::Ipv6Unicast, []),
        0
    );
    assert!(bytes.is_empty());
}

#[test]
fn messages_are_filled_to_the_maximum_and_no_further() {
    for (maximum, expected) in [(4096, 20), (MAX_EXTENDED_MESSAGE, 2)] {
        let context = EncodeContext {
            max_message_len: maximum,
            ..EncodeContext::default()
        };
        let reader = DecodeContext {
            max_message_len: maximum,
            ..external()
        };
        let mut bytes = Vec::new();
        let n = encode_announcements(
            &mut bytes,
            &context,
            &attributes(),
            Family::Ipv4Unicast,
            v4(),
            many(20_000),
        );
        assert_eq!(n, Ok(expected));
        let messages = split(&bytes, &reader);
        assert!(
            messages[..messages.len() - 1]
                .iter()
                .all(|(size, _)| maximum - size < 4),
            "full but for the last"
        );
        let back: Vec<Nlri> = messages
            .into_iter()
            .flat_map(|(_, r)| r.announced[0].nlri.clone())
            .collect();
        assert_eq!(back, many(20_000).collect::<Vec<_>>());
    }
}

#[test]
fn withdrawals_split_too() {
    let mut bytes = Vec::new();
    let context = EncodeContext {
        add_path: PerFamily {
            ipv4: true,
            ipv6: true,
        },
        ..EncodeContext::default()
    };
    let reader = DecodeContext {
        add_path: context.add_path,
        ..external()
    };
    let list: Vec<Nlri> = many(3000)
        .map(|n| Nlri {
            path_id: Some(3),
            ..n
        })
        .collect();
    encode_withdrawals(&mut bytes, &context, Family::Ipv4Unicast, list.clone());
    let back: Vec<Nlri> = split(&bytes, &reader)
        .into_iter()
        .flat_map(|(_, r)| r.withdrawn[0].nlri.clone())
        .collect();
    assert_eq!(back, list);
    bytes.clear();
    let six = nlri("2001:db8::/128");
    encode_withdrawals(
        &mut bytes,
        &context,
        Family::Ipv6Unicast,
        std::iter::repeat_n(six, 1000),
    );
    let back: usize = split(&bytes, &reader)
        .iter()
        .map(|(_, r)| r.withdrawn[0].nlri.len())
        .sum();
    assert_eq!(back, 1000);
}

#[test]
fn path_identifiers_follow_the_session() {
    let mut bytes = Vec::new();
    let route = Nlri {
        path_id: Some(9),
        ..nlri("10.1.0.0/16")
    };
    encode_withdrawals(
        &mut bytes,
        &EncodeContext::default(),
        Family::Ipv4Unicast,
        [route],
    );
    assert_eq!(bytes, update(PREFIX, &[], &[]));
    bytes.clear();
    let context = EncodeContext {
        add_path: PerFamily {
            ipv4: true,
            ipv6: false,
        },
        ..EncodeContext::default()
    };
    encode_withdrawals(&mut bytes, &context, Family::Ipv4Unicast, [nlri("10.1.0.0/16")]);
    assert_eq!(bytes, update(&[&[0; 4], PREFIX].concat(), &[], &[]));
}

#[test]
fn too_many_attributes_are_an_error_and_leave_no_trace() {
    let huge = PathAttributes {
        communities: (0..1100).map(Community).collect(),
        ..attributes()
    };
    let mut bytes = vec![7];
    let context = EncodeContext::default();
    let error =
        encode_announcements(&mut bytes, &context, &huge, Family::Ipv4Unicast, v4(), many(1)).unwrap_err();
    assert!(error.size > 4096 && error.maximum == 4096);
    assert_eq!(bytes, [7]);
    let extended = EncodeContext {
        max_message_len: MAX_EXTENDED_MESSAGE,
        ..context
    };
    assert_eq!(
        encode_announcements(&mut bytes, &extended, &huge, Family::Ipv4Unicast, v4(), many(1)),
        Ok(1)
    );
    let beyond = PathAttributes {
        communities: (0..20_000).map(Community).collect(),
        ..attributes()
    };
    assert!(
        encode_announcements(&mut bytes, &extended, &beyond, Family::Ipv4Unicast, v4(), many(1)).is_err()
    );
}

#[test]
fn unknown_attributes_leave_with_the_partial_bit() {
    let raw = RawAttribute {
        code: 200,
        value: [1, 2].into(),
    };
    let with = PathAttributes {
        unknown: vec![raw],
        ..attributes()
    };
    let mut bytes = Vec::new();
    let list = [nlri("10.1.0.0/16")];
    encode_announcements(
        &mut bytes,
        &EncodeContext::default(),
        &with,
        Family::Ipv4Unicast,
        v4(),
        list,
    )
    .unwrap();
    let list = [ORIGIN, AS_PATH, NEXT_HOP, &attribute(0xE0, 200, &[1, 2])].concat();
    assert_eq!(bytes, update(&[], &list, PREFIX));
    assert_eq!(routes(&bytes, &external()).attributes, with);
}

#[test]
fn withdrawals_use_the_whole_message() {
    // Of 4096 octets 23 are not prefixes: 509 of 8 octets with their path identifiers, one octet is left.
    let context = EncodeContext {
        add_path: PerFamily {
            ipv4: true,
            ipv6: false,
        },
        ..EncodeContext::default()
    };
    for (count, messages) in [(509, 1), (510, 2)] {
        let mut bytes = Vec::new();
        let written = encode_withdrawals(&mut bytes, &context, Family::Ipv4Unicast, many(count));
        assert_eq!(written, messages, "{count}");
    }
}

#[test]
fn an_ipv4_next_hop_of_ipv6_routes_is_mapped() {
    let mut bytes = Vec::new();
    let list = [nlri("2001:db8::/32")];
    let context = EncodeContext::default();
    encode_announcements(
        &mut bytes,
        &context,
        &attributes(),
        Family::Ipv6Unicast,
        v4(),
        list,
    )
    .unwrap();
    let announced = &routes(&bytes, &external()).announced[0];
    assert_eq!(
        announced.next_hop.address(),
        "::ffff:192.0.2.1".parse::<IpAddr>().unwrap()
    );
}
