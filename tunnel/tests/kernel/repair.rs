//! What others change is put back at once, from the kernel's notices alone; remotes come, go and change.

use std::time::Duration;

use tunnel::{DesiredTunnels, Device, Handle, Remote, Settings};

use crate::support::*;

async fn started() -> Handle {
    let handle = start();
    bring(&handle, &desired()).await;
    handle
}

#[test]
fn remotes_come_go_and_change() {
    in_namespace(|| async {
        let handle = started().await;
        let mut desired = desired();
        desired.remotes.extend([remote("node-c", "192.0.2.13")]);
        bring(&handle, &desired).await;
        assert_eq!((fdb("rb-vxlan").len(), neighbours("rb-vxlan").len()), (2, 2));

        let (key, b) = remote("node-b", "192.0.2.12");
        desired.remotes.insert(
            key,
            Remote {
                mac: [0x66, 1, 2, 3, 4, 5],
                ..b
            },
        );
        bring(&handle, &desired).await;
        let mac = "66:01:02:03:04:05".to_owned();
        assert!(fdb("rb-vxlan").contains(&(mac.clone(), "192.0.2.12".to_owned())));
        assert!(neighbours("rb-vxlan").contains(&("192.0.2.12".to_owned(), mac)));
        assert_eq!(
            (fdb("rb-vxlan").len(), neighbours("rb-vxlan").len()),
            (2, 2),
            "the old MAC address is gone"
        );

        desired.remotes.clear();
        bring(&handle, &desired).await;
        assert_eq!((fdb("rb-vxlan"), neighbours("rb-vxlan")), (vec![], vec![]));
        assert_eq!(
            handle.status().borrow().repaired,
            0,
            "our own doings are no repairs"
        );
    });
}

#[test]
fn a_moved_endpoint_replaces_the_entry() {
    in_namespace(|| async {
        let handle = started().await;
        let mut desired = desired();
        let (key, b) = remote("node-b", "192.0.2.12");
        let moved = "192.0.2.77".parse().unwrap();
        desired.remotes.insert(
            key,
            Remote {
                endpoint: moved,
                gateway: moved,
                ..b
            },
        );
        bring(&handle, &desired).await;
        assert_eq!(
            fdb("rb-vxlan"),
            [("66:89:3a:22:7a:ac".to_owned(), "192.0.2.77".to_owned())]
        );
        assert_eq!(
            neighbours("rb-vxlan"),
            [("192.0.2.77".to_owned(), "66:89:3a:22:7a:ac".to_owned())]
        );
    });
}

#[test]
fn a_deleted_forwarding_entry_and_neighbour_come_back() {
    in_namespace(|| async {
        let handle = started().await;
        run("bridge fdb del 66:89:3a:22:7a:ac dev rb-vxlan dst 192.0.2.12 self");
        until("the forwarding entry is back", || fdb("rb-vxlan") == entry_b()).await;
        run("ip neigh del 192.0.2.12 dev rb-vxlan");
        until("the neighbour is back", || {
            neighbours("rb-vxlan") == neighbour_b()
        })
        .await;
        run("ip neigh replace 192.0.2.12 lladdr 02:00:00:00:00:01 dev rb-vxlan nud permanent");
        until("the neighbour is right again", || {
            neighbours("rb-vxlan") == neighbour_b()
        })
        .await;
        let mut status = handle.status();
        status
            .wait_for(|status| status.repaired >= 3 && status.errors.is_empty())
            .await
            .unwrap();
    });
}

#[test]
fn added_entries_are_removed() {
    in_namespace(|| async {
        let _handle = started().await;
        run("bridge fdb append 00:00:00:00:00:00 dev rb-vxlan dst 198.51.100.1 self permanent");
        run("ip neigh add 192.0.2.50 lladdr 02:00:00:00:00:01 dev rb-vxlan nud permanent");
        run("ip address add 10.9.9.9/32 dev rb-vxlan");
        until("only our entries are left", || {
            (fdb("rb-vxlan"), neighbours("rb-vxlan"), addresses("rb-vxlan"))
                == (entry_b(), neighbour_b(), vec!["10.244.1.0/32".to_owned()])
        })
        .await;
    });
}

#[test]
fn a_deleted_or_downed_device_comes_back_whole() {
    in_namespace(|| async {
        let handle = started().await;
        let whole = || {
            attempt("ip link show dev rb-vxlan up").1.contains("rb-vxlan")
                && (fdb("rb-vxlan"), neighbours("rb-vxlan"), addresses("rb-vxlan"))
                    == (entry_b(), neighbour_b(), vec!["10.244.1.0/32".to_owned()])
        };
        assert!(whole());
        let before = index(Device::Vxlan);
        run("ip link set rb-vxlan down");
        until("the device is up again", whole).await;
        assert_eq!(index(Device::Vxlan), before);
        run("ip link del rb-vxlan");
        until("the device is back", whole).await;
        run("ip link set rb-vxlan mtu 1300");
        until("the MTU is right again", || link("rb-vxlan")["mtu"] == 1450).await;
        let status = handle.status().borrow().clone();
        assert!(status.errors.is_empty(), "{:?}", status.errors);
    });
}

#[test]
fn with_repair_off_what_others_do_stays_done() {
    in_namespace(|| async {
        let handle = tunnel::start(Settings {
            repair: false,
            audit: Duration::from_millis(20),
            linger: Duration::ZERO,
        })
        .unwrap();
        bring(&handle, &desired()).await;
        run("bridge fdb del 66:89:3a:22:7a:ac dev rb-vxlan dst 192.0.2.12 self");
        let mut desired = desired();
        desired.remotes.extend([remote("node-c", "192.0.2.13")]);
        bring(&handle, &desired).await;
        let entries = fdb("rb-vxlan");
        assert_eq!(entries.len(), 1, "the new one, not the deleted one: {entries:?}");
        assert!(entries.iter().all(|(_, endpoint)| endpoint == "192.0.2.13"));
    });
}

#[test]
fn a_thousand_remotes_are_installed_and_swept() {
    in_namespace(|| async {
        let handle = start();
        let many =
            |n: u32| (0..n).map(|i| remote(&format!("node-{i}"), &format!("198.18.{}.{}", i / 250, i % 250)));
        let mut desired = DesiredTunnels {
            remotes: many(1000).collect(),
            ..desired()
        };
        bring(&handle, &desired).await;
        assert_eq!(
            (fdb("rb-vxlan").len(), neighbours("rb-vxlan").len()),
            (1000, 1000)
        );
        assert_eq!(handle.status().borrow().remotes, 1000);
        run("ip neigh flush dev rb-vxlan nud permanent");
        until("all neighbours are back", || neighbours("rb-vxlan").len() == 1000).await;
        desired.remotes = many(3).collect();
        bring(&handle, &desired).await;
        assert_eq!((fdb("rb-vxlan").len(), neighbours("rb-vxlan").len()), (3, 3));
    });
}
