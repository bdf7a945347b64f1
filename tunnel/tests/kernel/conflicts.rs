//! What other programs hold is refused with a clear error, and taken as soon as it is free.

use std::net::UdpSocket;

use crate::support::*;

#[test]
fn a_vxlan_device_of_another_program_is_refused_and_left_alone() {
    in_namespace(|| async {
        run("ip link add vxlan.other type vxlan id 4096 dstport 4789 local 192.0.2.11 nolearning");
        let before = link("vxlan.other");
        let handle = start();
        let generation = handle.publish(desired());
        let error = refusal(&handle, generation).await;
        for part in [
            "vxlan.other",
            "VNI 4096",
            "UDP port 4789",
            "IPv4",
            "another VNI or port",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert_eq!(link("vxlan.other"), before);
        assert!(!attempt("ip link show dev rb-vxlan").0);

        run("ip link del vxlan.other");
        handle.ready(generation, DEADLINE).await.unwrap();
        assert_eq!(fdb("rb-vxlan"), entry_b());
        assert!(handle.status().borrow().errors.is_empty());
    });
}

#[test]
fn another_vni_or_port_is_no_conflict() {
    in_namespace(|| async {
        run("ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.0.2.11 nolearning");
        run("ip link set flannel.1 up");
        let handle = start();
        bring(&handle, &desired()).await;
        assert!(attempt("ip link show dev flannel.1").0);
    });
}

#[test]
fn a_taken_udp_port_is_named_and_tried_again() {
    in_namespace(|| async {
        let socket = UdpSocket::bind("0.0.0.0:4789").unwrap();
        let handle = start();
        let generation = handle.publish(desired());
        let error = refusal(&handle, generation).await;
        assert!(
            error.contains("UDP port") && error.contains("rb-vxlan"),
            "{error}"
        );
        drop(socket);
        handle.ready(generation, DEADLINE).await.unwrap();
        assert_eq!(fdb("rb-vxlan"), entry_b());
    });
}

#[test]
fn an_impossible_mtu_is_an_error_for_the_operator() {
    in_namespace(|| async {
        let handle = start();
        let mut desired = desired();
        if let Some(device) = &mut desired.vxlan {
            device.mtu = 100_000;
        }
        let generation = handle.publish(desired);
        let error = refusal(&handle, generation).await;
        assert!(error.contains("rb-vxlan") && error.contains("MTU"), "{error}");
    });
}
