//! Devices are made with the right attributes, adopted, changed in place, and removed when the time has come.

use ipnet::IpNet;
use tunnel::{DesiredTunnels, Device, Family, IpipDevice, VxlanDevice, cleanup, vtep_mac};

use crate::support::*;

#[test]
fn a_vxlan_device_has_the_right_attributes() {
    in_namespace(|| async {
        let handle = start();
        bring(&handle, &desired()).await;
        let link = link("rb-vxlan");
        let data = &link["linkinfo"]["info_data"];
        assert_eq!(link["linkinfo"]["info_kind"], "vxlan");
        assert_eq!((&data["id"], &data["port"]), (&4096.into(), &4789.into()));
        assert_eq!(data["local"], "192.0.2.11");
        assert_eq!(
            (&data["learning"], &data["udp_csum"]),
            (&false.into(), &false.into()),
            "{data}"
        );
        assert_eq!(
            data.get("remote").or(data.get("group")),
            None,
            "no default remote: {data}"
        );
        assert_eq!(link["mtu"], 1450);
        assert_eq!(link["address"], "66:07:02:c1:cc:60");
        assert_eq!(link["inet6_addr_gen_mode"], "none");
        assert!(link["flags"].as_array().unwrap().contains(&"UP".into()));
        assert_eq!(
            addresses("rb-vxlan"),
            ["10.244.1.0/32"],
            "and no link-local address"
        );
        assert_eq!(fdb("rb-vxlan"), entry_b());
        assert_eq!(neighbours("rb-vxlan"), neighbour_b());
        let status = handle.status().borrow().clone();
        assert_eq!((status.remotes, status.remotes_wanted), (1, 1));
        assert!(
            status
                .devices
                .iter()
                .any(|d| d.name == "rb-vxlan" && d.mtu == 1450 && d.vni == Some(4096) && d.up)
        );
    });
}

#[test]
fn an_ipv6_device_has_the_right_attributes() {
    in_namespace(|| async {
        let vxlan6 = VxlanDevice {
            local: "2001:db8::11".parse().unwrap(),
            mtu: 1430,
            mac: vtep_mac("node-a", Family::Ipv6),
            address: Some("fd00:10:244:1::/128".parse().unwrap()),
            ..device()
        };
        let handle = start();
        let mut desired = desired();
        desired.vxlan6 = Some(vxlan6);
        desired.remotes.extend([remote("node-b", "2001:db8::12")]);
        bring(&handle, &desired).await;
        let link = link("rb-vxlan6");
        let data = &link["linkinfo"]["info_data"];
        assert_eq!(data["local6"], "2001:db8::11");
        assert_eq!(
            (&data["udp_zero_csum6_tx"], &data["udp_zero_csum6_rx"]),
            (&true.into(), &true.into()),
            "{data}"
        );
        assert_eq!(link["address"], "66:d4:d5:51:3d:42");
        assert_eq!(addresses("rb-vxlan6"), ["fd00:10:244:1::/128"]);
        let mac = "66:35:be:36:cf:19".to_owned();
        assert_eq!(fdb("rb-vxlan6"), [(mac.clone(), "2001:db8::12".to_owned())]);
        assert_eq!(
            neighbours("rb-vxlan6"),
            [("fe80::6435:beff:fe36:cf19".to_owned(), mac)]
        );
        assert_eq!(fdb("rb-vxlan"), entry_b(), "one device for each family");
        assert_eq!(handle.status().borrow().remotes, 2);
    });
}

#[test]
fn a_narrow_link_without_ipv6_is_made_all_the_same() {
    in_namespace(|| async {
        let handle = start();
        let vxlan = Some(VxlanDevice {
            mtu: 1200,
            ..device()
        });
        bring(&handle, &DesiredTunnels { vxlan, ..desired() }).await;
        assert_eq!(link("rb-vxlan")["mtu"], 1200);
        bring(&handle, &desired()).await;
        assert_eq!(link("rb-vxlan")["mtu"], 1450);
        until("no link-local address remains once IPv6 is there", || {
            addresses("rb-vxlan") == ["10.244.1.0/32"] && link("rb-vxlan")["inet6_addr_gen_mode"] == "none"
        })
        .await;
    });
}

#[test]
fn a_later_run_adopts_what_an_earlier_one_left() {
    in_namespace(|| async {
        let first = start();
        bring(&first, &desired()).await;
        let before = (index(Device::Vxlan), fdb("rb-vxlan"), neighbours("rb-vxlan"));
        drop(first);
        let second = start();
        bring(&second, &desired()).await;
        assert_eq!(
            (index(Device::Vxlan), fdb("rb-vxlan"), neighbours("rb-vxlan")),
            before
        );
        assert_eq!(second.status().borrow().repaired, 0);
    });
}

#[test]
fn mtu_mac_and_local_end_change_in_place() {
    in_namespace(|| async {
        let handle = start();
        let mut desired = desired();
        bring(&handle, &desired).await;
        let before = index(Device::Vxlan);
        let local = "192.0.2.99".parse().unwrap();
        desired.vxlan = Some(VxlanDevice {
            mtu: 1400,
            mac: [0x66; 6],
            local,
            ..device()
        });
        bring(&handle, &desired).await;
        let link = link("rb-vxlan");
        assert_eq!(
            (&link["mtu"], &link["address"]),
            (&1400.into(), &"66:66:66:66:66:66".into())
        );
        assert_eq!(link["linkinfo"]["info_data"]["local"], "192.0.2.99");
        assert_eq!(index(Device::Vxlan), before, "the same link");
        assert_eq!(fdb("rb-vxlan"), entry_b());

        desired.vxlan = Some(VxlanDevice { vni: 77, ..device() });
        bring(&handle, &desired).await;
        assert_eq!(
            crate::support::link("rb-vxlan")["linkinfo"]["info_data"]["id"],
            77
        );
        assert_eq!(
            fdb("rb-vxlan"),
            entry_b(),
            "the entries come back on the new link"
        );
    });
}

#[test]
fn a_device_made_otherwise_is_corrected() {
    in_namespace(|| async {
        // Learning, a stray address and up are corrected in place; a default remote is not.
        run(
            "ip link add rb-vxlan type vxlan id 4096 dstport 4789 local 192.0.2.11 learning noudpcsum \
             udp6zerocsumtx udp6zerocsumrx",
        );
        run("ip address add 10.9.9.9/32 dev rb-vxlan");
        let before = index(Device::Vxlan);
        let handle = start();
        bring(&handle, &desired()).await;
        assert_eq!(index(Device::Vxlan), before);
        assert_eq!(link("rb-vxlan")["linkinfo"]["info_data"]["learning"], false);
        assert_eq!(addresses("rb-vxlan"), ["10.244.1.0/32"]);
        drop(handle);

        run("ip link del rb-vxlan");
        run(
            "ip link add rb-vxlan type vxlan id 4096 dstport 4789 local 192.0.2.11 remote 192.0.2.66 nolearning",
        );
        let handle = start();
        bring(&handle, &desired()).await;
        let data = link("rb-vxlan")["linkinfo"]["info_data"].clone();
        assert_eq!(data.get("remote"), None, "{data}");
        assert_eq!(fdb("rb-vxlan"), entry_b());
    });
}

#[test]
fn what_is_not_wanted_goes_with_the_sweep_and_not_before() {
    in_namespace(|| async {
        let loopback: IpNet = "10.244.7.0/32".parse().unwrap();
        let handle = start();
        bring(
            &handle,
            &DesiredTunnels {
                loopback: vec![loopback],
                ..desired()
            },
        )
        .await;
        assert!(addresses("lo").contains(&loopback.to_string()));
        run("ip address add 10.99.0.1/32 dev lo");
        drop(handle);

        let handle = start();
        bring(&handle, &DesiredTunnels::default()).await;
        assert_eq!(
            fdb("rb-vxlan"),
            entry_b(),
            "orphans stay until the first full feed"
        );
        assert!(addresses("lo").contains(&loopback.to_string()));

        bring(
            &handle,
            &DesiredTunnels {
                sweep: true,
                ..DesiredTunnels::default()
            },
        )
        .await;
        assert!(!attempt("ip link show dev rb-vxlan").0);
        let left = addresses("lo");
        assert!(!left.contains(&loopback.to_string()), "{left:?}");
        assert!(left.contains(&"10.99.0.1/32".to_owned()), "not ours: {left:?}");
    });
}

#[test]
fn own_addresses_of_both_families_sit_on_the_loopback() {
    in_namespace(|| async {
        let loopback: Vec<IpNet> = vec![
            "10.244.7.0/32".parse().unwrap(),
            "fd00:10:244:7::/128".parse().unwrap(),
        ];
        let handle = start();
        bring(
            &handle,
            &DesiredTunnels {
                loopback: loopback.clone(),
                sweep: true,
                ..DesiredTunnels::default()
            },
        )
        .await;
        let present = addresses("lo");
        assert!(
            loopback.iter().all(|net| present.contains(&net.to_string())),
            "{present:?}"
        );
        bring(
            &handle,
            &DesiredTunnels {
                sweep: true,
                ..DesiredTunnels::default()
            },
        )
        .await;
        let present = addresses("lo");
        assert!(
            !loopback.iter().any(|net| present.contains(&net.to_string())),
            "{present:?}"
        );
    });
}

#[test]
fn cleanup_removes_all_that_is_ours_and_nothing_else() {
    in_namespace(|| async {
        let handle = start();
        let loopback = vec!["10.244.7.0/32".parse().unwrap()];
        bring(
            &handle,
            &DesiredTunnels {
                loopback,
                ..desired()
            },
        )
        .await;
        let mut status = handle.status();
        drop(handle);
        // The task takes its end of the status along.
        while status.changed().await.is_ok() {}
        run("ip link add br0 type bridge");
        run("ip address add 10.99.0.1/32 dev lo");
        assert_eq!(cleanup().await.unwrap(), 2);
        assert!(!attempt("ip link show dev rb-vxlan").0);
        assert!(attempt("ip link show dev br0").0);
        assert_eq!(addresses("lo"), ["127.0.0.1/8", "10.99.0.1/32", "::1/128"]);
        assert_eq!(cleanup().await.unwrap(), 0);
    });
}

/// A kernel without IPIP says so in words for the operator, and VXLAN works all the same; one with it makes the device.
#[test]
fn ipip_is_made_or_its_absence_explained() {
    in_namespace(|| async {
        let handle = start();
        let ipip = IpipDevice {
            local: "192.0.2.11".parse().unwrap(),
            mtu: 1480,
            address: None,
        };
        let generation = handle.publish(DesiredTunnels {
            ipip: Some(ipip),
            ..desired()
        });
        let mut status = handle.status();
        status
            .wait_for(|status| status.tried == generation)
            .await
            .unwrap();
        let status = status.borrow().clone();
        if let Some(error) = status.errors.first() {
            assert!(
                error.what.contains("rb-ipip") && error.what.contains("load the module ipip"),
                "{}",
                error.what
            );
            assert_eq!(status.errors.len(), 1);
        } else {
            let link = link("rb-ipip");
            assert_eq!(
                (&link["linkinfo"]["info_kind"], &link["mtu"]),
                (&"ipip".into(), &1480.into())
            );
        }
        assert_eq!(fdb("rb-vxlan"), entry_b());
    });
}
