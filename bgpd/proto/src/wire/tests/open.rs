//! OPEN and capabilities, written out.

use super::*;
use crate::types::{Asn, Family, RouterId};
use crate::wire::frame::OPEN;
use crate::wire::{AddPathMode, Capability, GracefulFamily, LongLivedFamily, Open, Role};
use std::net::Ipv4Addr;

fn open(parameters: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_message(&mut out, OPEN, |out| {
        out.extend([4, 0xFD, 0xE9, 0, 90, 192, 0, 2, 1]);
        out.extend_from_slice(parameters);
    });
    out
}

fn read_open(bytes: &[u8]) -> Result<Open, Notification> {
    match read(bytes, &DecodeContext::default())? {
        Message::Open(open) => Ok(open),
        other => panic!("not an OPEN: {other:?}"),
    }
}

fn all() -> Vec<Capability> {
    vec![
        Capability::MultiProtocol(Family::Ipv4Unicast),
        Capability::MultiProtocol(Family::Ipv6Unicast),
        Capability::OtherFamily { afi: 25, safi: 70 },
        Capability::RouteRefresh,
        Capability::ExtendedNextHop(vec![(Family::Ipv4Unicast, 2)]),
        Capability::ExtendedMessage,
        Capability::GracefulRestart {
            restarting: true,
            notification: true,
            time: 120,
            families: vec![GracefulFamily {
                family: Family::Ipv6Unicast,
                forwarding_kept: true,
            }],
        },
        Capability::FourOctetAs(Asn(4_200_000_000)),
        Capability::AddPath(vec![
            (Family::Ipv4Unicast, AddPathMode::Both),
            (Family::Ipv6Unicast, AddPathMode::Send),
        ]),
        Capability::EnhancedRouteRefresh,
        Capability::Role(Role::Customer),
        Capability::LongLived(vec![LongLivedFamily {
            family: Family::Ipv6Unicast,
            forwarding_kept: true,
            time: 86_400,
        }]),
        Capability::Unknown {
            code: 73,
            value: b"\x04host\x00".to_vec(),
        },
    ]
}

#[test]
fn golden_capabilities() {
    let golden: [&[u8]; 13] = [
        &[1, 4, 0, 1, 0, 1],
        &[1, 4, 0, 2, 0, 1],
        &[1, 4, 0, 25, 0, 70],
        &[2, 0],
        &[5, 6, 0, 1, 0, 1, 0, 2],
        &[6, 0],
        &[64, 6, 0xC0, 120, 0, 2, 1, 0x80],
        &[65, 4, 0xFA, 0x56, 0xEA, 0],
        &[69, 8, 0, 1, 1, 3, 0, 2, 1, 2],
        &[70, 0],
        &[9, 1, 3],
        &[71, 7, 0, 2, 1, 0x80, 1, 0x51, 0x80],
        &[73, 6, 4, b'h', b'o', b's', b't', 0],
    ];
    let value = golden.concat();
    let bytes = open(&[&[value.len() as u8 + 2, 2, value.len() as u8], value.as_slice()].concat());
    let read = read_open(&bytes).unwrap();
    assert_eq!(read.capabilities, all());
    assert_eq!((read.asn, read.hold_time), (65001, 90));
    assert_eq!(read.router_id, RouterId(Ipv4Addr::new(192, 0, 2, 1)));
    let mut again = Vec::new();
    read.encode(&mut again);
    assert_eq!(again, bytes);
}

#[test]
fn one_parameter_for_each_capability_as_some_send() {
    let bytes = open(&[14, 2, 6, 1, 4, 0, 1, 0, 1, 2, 4, 2, 0, 70, 0]);
    let expected = [
        Capability::MultiProtocol(Family::Ipv4Unicast),
        Capability::RouteRefresh,
        Capability::EnhancedRouteRefresh,
    ];
    assert_eq!(read_open(&bytes).unwrap().capabilities, expected);
}

#[test]
fn extended_parameters_of_rfc_9072() {
    let many: Vec<Capability> = (0..40)
        .map(|i| Capability::Unknown {
            code: 200,
            value: vec![i; 20],
        })
        .collect();
    let mut bytes = Vec::new();
    let ours = Open {
        capabilities: many,
        ..read_open(&open(&[0])).unwrap()
    };
    ours.encode(&mut bytes);
    assert_eq!(bytes[28..35], [255, 255, 0x03, 0x73, 2, 0x03, 0x70]);
    assert_eq!(read_open(&bytes).unwrap(), ours);
    let small = open(&[255, 255, 0, 5, 2, 0, 2, 70, 0]);
    assert_eq!(
        read_open(&small).unwrap().capabilities,
        [Capability::EnhancedRouteRefresh]
    );
}

#[test]
fn too_much_to_say_is_not_said() {
    let many = (0..100)
        .map(|i| Capability::Unknown {
            code: 200,
            value: vec![i; 250],
        })
        .collect();
    let mut bytes = Vec::new();
    Open {
        capabilities: many,
        ..read_open(&open(&[0])).unwrap()
    }
    .encode(&mut bytes);
    assert_eq!(bytes, open(&[0]));
}

#[test]
fn malformed_values_become_unknown_capabilities() {
    for capability in [
        &[1, 3, 0, 1, 0][..],
        &[65, 2, 0, 1],
        &[64, 1, 0],
        &[2, 1, 9],
        &[5, 5, 0, 1, 0, 1, 0],
    ] {
        let size = capability.len() as u8;
        let bytes = open(&[&[size + 2, 2, size], capability].concat());
        let read = read_open(&bytes).unwrap().capabilities;
        assert_eq!(
            read,
            [Capability::Unknown {
                code: capability[0],
                value: capability[2..].to_vec()
            }]
        );
    }
}

#[test]
fn refused_opens() {
    let cases: [(&[u8], (u8, u8)); 6] = [
        (&[], (1, 2)),
        (&[1], (2, 0)),
        (&[0, 0], (2, 0)),
        (&[3, 2, 2, 1], (2, 0)),
        (&[4, 2, 2, 1, 9], (2, 0)),
        (&[3, 1, 1, 0], (2, 4)),
    ];
    for (parameters, expected) in cases {
        assert_eq!(
            codes(&read_open(&open(parameters)).unwrap_err()),
            expected,
            "{parameters:?}"
        );
    }
    let mut wrong_version = open(&[0]);
    wrong_version[19] = 3;
    let n = read_open(&wrong_version).unwrap_err();
    assert_eq!((codes(&n), n.data), ((2, 1), vec![0, 4]));
}
