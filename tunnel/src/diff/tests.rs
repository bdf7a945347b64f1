//! Tables for what is corrected in place and what is made again; properties against the fake kernel, `Actual::apply`.

use ipnet::IpNet;
use proptest::prelude::*;

use super::arbitrary::{a_desired, an_actual};
use super::*;
use crate::actual::Foreign;
use crate::outer::DontFragment;

fn config() -> VxlanDevice {
    VxlanDevice {
        vni: 4096,
        port: 4789,
        local: "192.0.2.11".parse().unwrap(),
        mtu: 1450,
        mac: [0x66, 0, 0, 0, 0, 1],
        address: Some("10.244.1.0/32".parse().unwrap()),
    }
}

fn remote(host: u8) -> Remote {
    let endpoint = IpAddr::from([192, 0, 2, host]);
    Remote {
        endpoint,
        mac: [0x66, 0, 0, 0, 1, host],
        gateway: endpoint,
    }
}

fn desired(remotes: &[(&str, u8)]) -> DesiredTunnels {
    DesiredTunnels {
        vxlan: Some(config()),
        remotes: remotes
            .iter()
            .map(|(node, host)| (RemoteKey::new(*node, Family::Ipv4), remote(*host)))
            .collect(),
        sweep: true,
        ..DesiredTunnels::default()
    }
}

fn reach(desired: &DesiredTunnels, mut actual: Actual) -> Actual {
    for op in plan(desired, &actual).ops {
        actual.apply(&op);
    }
    actual
}

/// The operations that a changed device config costs, and whether it is made again.
fn after(change: impl FnOnce(&mut VxlanDevice)) -> (Vec<Op>, bool) {
    let mut wanted = desired(&[("b", 12)]);
    let actual = reach(&wanted, Actual::default());
    let mut changed = config();
    change(&mut changed);
    wanted.vxlan = Some(changed);
    let ops = plan(&wanted, &actual).ops;
    let again = ops.contains(&Op::Delete(Device::Vxlan));
    (ops, again)
}

#[test]
fn a_device_is_made_with_all_that_is_on_it() {
    let plan = plan(&desired(&[("b", 12)]), &Actual::default());
    let remote = remote(12);
    let device = Device::Vxlan;
    assert_eq!(
        plan.ops,
        [
            Op::Create(Spec::Vxlan(device, config())),
            Op::AddAddress(Place::On(device), "10.244.1.0/32".parse().unwrap()),
            Op::SetFdb {
                device,
                mac: remote.mac,
                endpoint: remote.endpoint
            },
            Op::SetNeighbour {
                device,
                address: remote.gateway,
                mac: remote.mac
            },
            Op::Change(
                device,
                Changes {
                    up: true,
                    ..Changes::default()
                }
            ),
        ]
    );
}

#[test]
fn mutable_attributes_are_corrected_in_place() {
    let device = Device::Vxlan;
    let (ops, again) = after(|config| config.mtu = 1400);
    assert!(!again);
    assert_eq!(
        ops,
        [Op::Change(
            device,
            Changes {
                mtu: Some(1400),
                ..Changes::default()
            }
        )]
    );
    let (ops, again) = after(|config| config.mac = [0x66; 6]);
    assert!(!again);
    assert_eq!(
        ops,
        [Op::Change(
            device,
            Changes {
                mac: Some([0x66; 6]),
                ..Changes::default()
            }
        )]
    );
    let (ops, again) = after(|config| config.local = "192.0.2.99".parse().unwrap());
    assert!(!again && ops.len() == 1, "{ops:?}");
}

#[test]
fn immutable_attributes_make_the_device_again() {
    for again in [
        after(|config| config.vni = 4097).1,
        after(|config| config.port = 8472).1,
    ] {
        assert!(again);
    }
}

#[test]
fn a_changed_remote_is_added_before_the_old_entry_goes() {
    let mut wanted = desired(&[("b", 12)]);
    let actual = reach(&wanted, Actual::default());
    let (device, old) = (Device::Vxlan, remote(12));
    let new = Remote {
        mac: [0x66, 9, 9, 9, 9, 9],
        ..old
    };
    wanted.remotes.insert(RemoteKey::new("b", Family::Ipv4), new);
    assert_eq!(
        plan(&wanted, &actual).ops,
        [
            Op::SetFdb {
                device,
                mac: new.mac,
                endpoint: new.endpoint
            },
            Op::SetNeighbour {
                device,
                address: new.gateway,
                mac: new.mac
            },
            Op::DeleteFdb {
                device,
                mac: old.mac,
                endpoint: Some(old.endpoint)
            },
        ]
    );
}

#[test]
fn another_programs_vxlan_on_the_same_vni_is_refused_by_name() {
    let kind = ForeignKind::Vxlan {
        vni: 4096,
        port: 4789,
        family: Family::Ipv4,
        external: false,
    };
    let foreign = vec![Foreign {
        name: "vxlan.calico".into(),
        kind,
    }];
    let mut actual = Actual {
        foreign,
        ..Actual::default()
    };
    let refused = plan(&desired(&[("b", 12)]), &actual);
    assert_eq!(refused.ops, []);
    let text = refused
        .problems
        .iter()
        .map(ToString::to_string)
        .collect::<String>();
    assert!(
        text.contains("vxlan.calico") && text.contains("4096") && text.contains("4789"),
        "{text}"
    );

    // Another VNI, port or family is none of our business.
    for kind in [
        ForeignKind::Vxlan {
            vni: 1,
            port: 4789,
            family: Family::Ipv4,
            external: false,
        },
        ForeignKind::Vxlan {
            vni: 4096,
            port: 8472,
            family: Family::Ipv4,
            external: false,
        },
        ForeignKind::Vxlan {
            vni: 4096,
            port: 4789,
            family: Family::Ipv6,
            external: true,
        },
    ] {
        actual.foreign = vec![Foreign {
            name: "other".into(),
            kind,
        }];
        assert_eq!(plan(&desired(&[]), &actual).problems, []);
    }
    let kind = ForeignKind::Vxlan {
        vni: 0,
        port: 4789,
        family: Family::Ipv4,
        external: true,
    };
    actual.foreign = vec![Foreign {
        name: "cilium_vxlan".into(),
        kind,
    }];
    assert_eq!(plan(&desired(&[]), &actual).problems.len(), 1);
}

#[test]
fn a_local_end_of_the_wrong_family_is_refused() {
    let wanted = DesiredTunnels {
        vxlan6: Some(config()),
        ..DesiredTunnels::default()
    };
    let plan = plan(&wanted, &Actual::default());
    assert!(plan.ops.is_empty());
    assert!(matches!(
        plan.problems.as_slice(),
        [Problem::WrongFamily {
            device: Device::Vxlan6,
            ..
        }]
    ));
}

#[test]
fn of_two_nodes_with_one_mac_the_first_by_name_is_served() {
    let mut wanted = desired(&[("a", 12), ("b", 13)]);
    let same = Remote {
        mac: remote(12).mac,
        ..remote(13)
    };
    wanted.remotes.insert(RemoteKey::new("b", Family::Ipv4), same);
    let plan = plan(&wanted, &Actual::default());
    assert!(
        plan.problems
            .iter()
            .any(|problem| problem.to_string().contains("nodes a and b"))
    );
    let actual = reach(&wanted, Actual::default());
    let own = actual.devices.get(&Device::Vxlan).unwrap();
    assert_eq!(
        own.fdb.keys().collect::<Vec<_>>(),
        [&(remote(12).mac, Some(remote(12).endpoint))]
    );
}

#[test]
fn a_loopback_address_of_somebody_else_serves_and_stays() {
    let net: IpNet = "10.244.1.0/32".parse().unwrap();
    let actual = Actual {
        loopback: BTreeMap::from([(net, false)]),
        ..Actual::default()
    };
    let wanted = DesiredTunnels {
        loopback: vec![net],
        sweep: true,
        ..DesiredTunnels::default()
    };
    assert_eq!(plan(&wanted, &actual).ops, []);
    assert_eq!(
        plan(
            &DesiredTunnels {
                sweep: true,
                ..DesiredTunnels::default()
            },
            &actual
        )
        .ops,
        []
    );
}

/// Whether the present device could have been kept.
fn could_stay(desired: &DesiredTunnels, device: Device, own: &Own) -> bool {
    match (&own.kind, device) {
        (Kind::Vxlan(vxlan), Device::Vxlan | Device::Vxlan6) => desired
            .vxlans()
            .any(|(wanted, config)| wanted == device && keeps_vxlan(config, vxlan)),
        (Kind::Ipip(ipip), Device::Ipip) => ipip.strange.is_empty(),
        _ => false,
    }
}

proptest! {
    #[test]
    fn converges_in_one_pass(desired in a_desired(), actual in an_actual()) {
        let first = plan(&desired, &actual);
        let reached = reach(&desired, actual);
        let second = plan(&desired, &reached);
        prop_assert_eq!(&second.ops, &[]);
        prop_assert_eq!(second.problems, first.problems);
    }

    #[test]
    fn leaves_alone_what_is_not_ours(desired in a_desired(), actual in an_actual()) {
        let reached = reach(&desired, actual.clone());
        prop_assert_eq!(&reached.foreign, &actual.foreign);
        for (net, ours) in &actual.loopback {
            if !ours {
                prop_assert_eq!(reached.loopback.get(net), Some(&false));
            }
        }
    }

    #[test]
    fn makes_a_device_again_only_for_what_cannot_be_changed(desired in a_desired(), actual in an_actual()) {
        for op in plan(&desired, &actual).ops {
            if let Op::Delete(device) = op && desired.wants(device) {
                prop_assert!(!could_stay(&desired, device, &actual.devices[&device]));
            }
        }
    }

    /// Routes follow when a new link is up: by then everything is on it.
    #[test]
    fn a_new_link_is_set_up_last(desired in a_desired(), actual in an_actual()) {
        let ops = plan(&desired, &actual).ops;
        for (at, op) in ops.iter().enumerate() {
            let Op::Create(spec) = op else { continue };
            let device = spec.device();
            let is_up = |op: &Op| matches!(op, Op::Change(d, changes) if *d == device && changes.up);
            let up = ops.iter().position(is_up);
            prop_assert!(up.is_some_and(|up| up > at), "{ops:?}");
            let after = ops.iter().skip(up.unwrap_or_default() + 1);
            prop_assert!(after.clone().all(|op| op.device() != Some(device)), "{ops:?}");
        }
    }

    #[test]
    fn removes_nothing_before_the_sweep(mut desired in a_desired(), actual in an_actual()) {
        desired.sweep = false;
        let ops = plan(&desired, &actual).ops;
        for op in &ops {
            let removal =
                matches!(op, Op::DeleteAddress(..) | Op::DeleteFdb { .. } | Op::DeleteNeighbour { .. });
            prop_assert!(!removal, "{:?}", op);
            if let Op::Delete(device) = op {
                prop_assert!(ops.iter().any(|op| matches!(op, Op::Create(spec) if spec.device() == *device)));
            }
        }
    }

    #[test]
    fn after_the_sweep_only_the_wanted_is_left(mut desired in a_desired(), actual in an_actual()) {
        desired.sweep = true;
        let planned = plan(&desired, &actual);
        let reached = reach(&desired, actual.clone());
        for (device, own) in &reached.devices {
            prop_assert!(desired.wants(*device));
            let refused = actual.devices.get(device) == Some(own) && !planned.problems.is_empty();
            if !refused {
                prop_assert!(own.addresses.iter().all(|net| desired.address(*device) == Some(*net)));
                let wanted = |(mac, ip): &([u8; 6], Option<IpAddr>)| {
                    desired.remotes.values().any(|remote| remote.mac == *mac && Some(remote.endpoint) == *ip)
                };
                if *device != Device::Ipip {
                    prop_assert!(own.fdb.keys().all(wanted));
                }
            }
        }
        prop_assert!(reached.loopback.iter().all(|(net, ours)| !ours || desired.loopback.contains(net)));
    }
}

/// A device as an earlier version made it: the kernel's defaults in the outer header.
#[test]
fn the_outer_header_is_corrected_in_place() {
    let wanted = DesiredTunnels {
        ipip: Some(IpipDevice {
            local: "192.0.2.11".parse().unwrap(),
            mtu: 1480,
            address: None,
        }),
        ..desired(&[])
    };
    let mut actual = reach(&wanted, Actual::default());
    let old = Outer {
        ttl: 7,
        tos: 0,
        df: DontFragment::Unset,
    };
    for own in actual.devices.values_mut() {
        match &mut own.kind {
            Kind::Vxlan(vxlan) => vxlan.outer = old,
            Kind::Ipip(ipip) => ipip.outer = old,
            Kind::Other(_) => {}
        }
    }
    let ops = plan(&wanted, &actual).ops;
    let expected = [
        Op::Change(
            Device::Vxlan,
            Changes {
                outer: Some(Outer::vxlan(Family::Ipv4)),
                ..Changes::default()
            },
        ),
        // An IP tunnel takes a change as a whole: without its local end the kernel would take that away.
        Op::Change(
            Device::Ipip,
            Changes {
                outer: Some(Outer::ipip()),
                local: Some("192.0.2.11".parse().unwrap()),
                ..Changes::default()
            },
        ),
    ];
    assert_eq!(ops, expected);
    assert_eq!(plan(&wanted, &reach(&wanted, actual)).ops, []);
}
