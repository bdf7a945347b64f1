//! Arbitrary desired and actual states from small alphabets, so that they often meet.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use crate::actual::{Actual, Entry, Foreign, ForeignKind, Ipip, Kind, Neighbour, Own, Vxlan};
use crate::family::Family;
use crate::model::{DesiredTunnels, Device, IpipDevice, Remote, RemoteKey, VxlanDevice};
use crate::outer::{DontFragment, Outer};

fn an_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        4 => (1u8..5).prop_map(|host| IpAddr::from([192, 0, 2, host])),
        1 => (1u16..3).prop_map(|host| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host])),
    ]
}

fn a_v4() -> impl Strategy<Value = Ipv4Addr> {
    (1u8..3).prop_map(|host| Ipv4Addr::from([192, 0, 2, host]))
}

fn a_mac() -> impl Strategy<Value = [u8; 6]> {
    (1u8..5).prop_map(|last| [0x66, 0, 0, 0, 0, last])
}

fn a_net() -> impl Strategy<Value = IpNet> {
    (1u8..4).prop_map(|host| IpNet::from(IpAddr::from([10, 244, host, 0])))
}

fn a_vxlan() -> impl Strategy<Value = VxlanDevice> {
    let id = (
        prop_oneof![Just(4096u32), Just(4097)],
        prop_oneof![Just(4789u16), Just(8472)],
    );
    (id, an_ip(), 1400u32..1402, a_mac(), proptest::option::of(a_net())).prop_map(
        |((vni, port), local, mtu, mac, address)| VxlanDevice {
            vni,
            port,
            local,
            mtu,
            mac,
            address,
        },
    )
}

pub fn a_desired() -> impl Strategy<Value = DesiredTunnels> {
    let remote = (an_ip(), a_mac(), an_ip()).prop_map(|(endpoint, mac, gateway)| Remote {
        endpoint,
        mac,
        gateway,
    });
    let ipip = (a_v4(), 1400u32..1402, proptest::option::of(a_net()))
        .prop_map(|(local, mtu, address)| IpipDevice { local, mtu, address });
    let key = ("[a-d]", any::<bool>())
        .prop_map(|(node, v4)| RemoteKey::new(node, if v4 { Family::Ipv4 } else { Family::Ipv6 }));
    (
        (
            proptest::option::of(a_vxlan()),
            proptest::option::of(a_vxlan()),
            proptest::option::of(ipip),
        ),
        proptest::collection::btree_map(key, remote, 0..6),
        proptest::collection::vec(a_net(), 0..3),
        any::<bool>(),
    )
        .prop_map(
            |((vxlan, vxlan6, ipip), remotes, loopback, sweep)| DesiredTunnels {
                vxlan,
                vxlan6,
                ipip,
                remotes,
                loopback,
                sweep,
            },
        )
}

fn strange() -> impl Strategy<Value = BTreeSet<&'static str>> {
    prop_oneof![4 => Just(BTreeSet::new()), 1 => Just(BTreeSet::from(["remote"]))]
}

fn an_outer() -> impl Strategy<Value = Outer> {
    let df = prop_oneof![
        Just(DontFragment::Unset),
        Just(DontFragment::Set),
        Just(DontFragment::Inherit)
    ];
    (0u8..2, 0u8..2, df).prop_map(|(ttl, tos, df)| Outer {
        ttl: 64 * ttl,
        tos,
        df,
    })
}

fn a_kind() -> impl Strategy<Value = Kind> {
    let vxlan = (
        a_vxlan(),
        any::<bool>(),
        prop::bool::weighted(0.8),
        strange(),
        an_outer(),
    )
        .prop_map(|(config, learning, plain_checksums, strange, outer)| {
            let local = Some(config.local);
            Kind::Vxlan(Vxlan {
                vni: config.vni,
                port: config.port,
                local,
                learning,
                plain_checksums,
                outer,
                strange,
            })
        });
    let ipip = (proptest::option::of(a_v4()), strange(), an_outer()).prop_map(|(local, strange, outer)| {
        Kind::Ipip(Ipip {
            local,
            outer,
            strange,
        })
    });
    prop_oneof![6 => vxlan, 2 => ipip, 1 => Just(Kind::Other("bridge".into()))]
}

fn an_own() -> impl Strategy<Value = Own> {
    let entry = prop_oneof![Just(Entry::Plain), Just(Entry::Odd)];
    let neighbour = (proptest::option::of(a_mac()), any::<bool>())
        .prop_map(|(mac, permanent)| Neighbour { mac, permanent });
    (
        (
            a_kind(),
            1400u32..1402,
            proptest::option::of(a_mac()),
            any::<bool>(),
            any::<bool>(),
        ),
        proptest::collection::btree_map((a_mac(), proptest::option::of(an_ip())), entry, 0..5),
        proptest::collection::btree_map(an_ip(), neighbour, 0..5),
        proptest::collection::btree_set(a_net(), 0..3),
    )
        .prop_map(
            |((kind, mtu, mac, up, makes_link_local), fdb, neighbours, addresses)| Own {
                kind,
                mtu,
                mac,
                up,
                makes_link_local,
                fdb,
                neighbours,
                addresses,
            },
        )
}

pub fn an_actual() -> impl Strategy<Value = Actual> {
    let device = prop_oneof![Just(Device::Vxlan), Just(Device::Vxlan6), Just(Device::Ipip)];
    let vxlan = (a_vxlan(), prop::bool::weighted(0.2)).prop_map(|(config, external)| ForeignKind::Vxlan {
        vni: config.vni,
        port: config.port,
        family: Family::from(config.local),
        external,
    });
    let ipip = (proptest::option::of(a_v4()), proptest::option::of(a_v4()))
        .prop_map(|(local, remote)| ForeignKind::Ipip { local, remote });
    let foreign = prop_oneof![vxlan, ipip].prop_map(|kind| Foreign {
        name: "somebody".into(),
        kind,
    });
    (
        proptest::collection::btree_map(device, an_own(), 0..4),
        proptest::collection::vec(foreign, 0..2),
        proptest::collection::btree_map(a_net(), any::<bool>(), 0..3),
    )
        .prop_map(|(devices, foreign, loopback)| Actual {
            devices,
            foreign,
            loopback,
        })
}
