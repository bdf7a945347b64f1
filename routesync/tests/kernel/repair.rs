//! What others remove, flush or change is put back, quickly; or left and counted, where repair is off.

use std::time::Duration;

use routesync::Settings;

use crate::space::*;

#[test]
fn what_others_remove_or_change_comes_back() {
    in_namespace(|| async {
        let handle = start();
        let wish = fib(
            [
                (key("10.1.0.0/24", 50), via("192.0.2.9", "eth0")),
                (key("fd00:1::/64", 50), via("2001:db8::9", "eth0")),
                (
                    key("fd00:2::/64", 50),
                    routesync::DesiredRoute::forward(vec![
                        hop(Some("2001:db8::9"), "eth0"),
                        hop(Some("2001:db8:1::9"), "eth1"),
                    ]),
                ),
            ],
            true,
        );
        install(&handle, wish).await;
        let v4 = shown("10.1.0.0/24");
        let (v6, multipath) = (shown("fd00:1::/64"), shown("fd00:2::/64"));
        // That it is waited for far shorter than the pause between audits says that the kernel's word was enough.
        for (destination, good, act) in [
            ("10.1.0.0/24", &v4, "route del 10.1.0.0/24 metric 50"),
            (
                "10.1.0.0/24",
                &v4,
                "route replace 10.1.0.0/24 via 192.0.2.66 metric 50 proto 82",
            ),
            ("10.1.0.0/24", &v4, "route flush proto 82"),
            ("fd00:1::/64", &v6, "-6 route del fd00:1::/64"),
            (
                "fd00:1::/64",
                &v6,
                "-6 route replace fd00:1::/64 via 2001:db8:1::9 metric 50 proto 82",
            ),
            (
                "fd00:2::/64",
                &multipath,
                "-6 route del fd00:2::/64 via 2001:db8::9",
            ),
            (
                "fd00:2::/64",
                &multipath,
                "-6 route append fd00:2::/64 via 2001:db8::77 metric 50 proto 82",
            ),
            ("fd00:2::/64", &multipath, "-6 route flush proto 82"),
        ] {
            let repaired = handle.status().borrow().repaired;
            ip(act);
            status_where(&handle, |status| status.repaired > repaired).await;
            until_shown(destination, |now| now == good).await;
        }
        let status = status_where(&handle, |status| status.installed == 3).await;
        assert!(status.repaired >= 9, "{status:?}");
    });
}

#[test]
fn our_own_writes_cause_no_work() {
    in_namespace(|| async {
        let handle = start();
        let routes = |gateway: &str| {
            let gateway = gateway.to_string();
            (0..200).map(move |i| (key(&format!("10.1.{i}.0/24"), 50), via(&gateway, "eth0")))
        };
        install(&handle, fib(routes("192.0.2.9"), true)).await;
        let status = install(&handle, fib(routes("192.0.2.8"), true)).await;
        assert_eq!((status.repaired, status.resyncs), (0, 1));
        // The notifications are all taken in: nothing more follows.
        let mut changes = handle.status();
        changes.mark_unchanged();
        let quiet = tokio::time::timeout(Duration::from_millis(300), changes.changed()).await;
        assert!(quiet.is_err(), "{:?}", changes.borrow());
    });
}

#[test]
fn with_repair_off_drift_is_left_and_counted() {
    in_namespace(|| async {
        let handle = routesync::start(Settings {
            repair: false,
            ..Settings::default()
        })
        .unwrap();
        let (one, two) = (key("10.1.0.0/24", 50), key("10.2.0.0/24", 50));
        let wish = [(one, via("192.0.2.9", "eth0")), (two, via("192.0.2.9", "eth0"))];
        install(&handle, fib(wish.clone(), true)).await;
        ip("route flush proto 82");
        let status = status_where(&handle, |status| status.drifted == 2).await;
        assert_eq!(
            (status.repaired, status.installed, status.failed.len()),
            (0, 0, 2)
        );
        assert_eq!(ours(), 0);
        // What is newly wanted still goes in.
        let more = wish
            .into_iter()
            .chain([(key("10.3.0.0/24", 50), via("192.0.2.9", "eth0"))]);
        publish(&handle, fib(more, true)).await;
        assert_eq!(ours(), 1);
    });
}

#[test]
fn an_audit_finds_what_no_notification_told() {
    in_namespace(|| async {
        let settings = Settings {
            audit: Duration::from_millis(50),
            ..Settings::default()
        };
        let handle = routesync::start(settings).unwrap();
        status_where(&handle, |status| status.resyncs >= 4).await;
    });
}

#[test]
fn exit_leaves_everything_in_place() {
    in_namespace(|| async {
        let handle = start();
        install(
            &handle,
            fib([(key("10.1.0.0/24", 50), via("192.0.2.9", "eth0"))], true),
        )
        .await;
        let mut status = handle.status();
        drop(handle);
        while status.changed().await.is_ok() {}
        assert_eq!(ours(), 1);
    });
}
