//! Installing, replacing and removing every form of route; adoption, orphans, conflicts, cleanup.

use std::time::Duration;

use routesync::{DesiredRoute, Error, Hop, Metric, Protocol, RouteKey, Table};

use crate::space::*;

#[test]
fn every_form_of_route_goes_in_and_is_recognized() {
    in_namespace(|| async {
        let handle = start();
        let onlink = |gateway: &str, interface: &str| Hop {
            onlink: true,
            ..hop(Some(gateway), interface)
        };
        let weighted = |gateway: &str, interface: &str, weight| Hop {
            weight,
            ..hop(Some(gateway), interface)
        };
        let wish = fib(
            [
                (key("10.1.0.0/24", 50), via("192.0.2.9", "eth0")),
                (
                    key("10.1.1.0/24", 0),
                    DesiredRoute::forward(vec![hop(None, "eth1")]),
                ),
                (key("10.1.2.0/24", 50), DesiredRoute::blackhole()),
                (
                    key("10.1.3.0/24", 50),
                    DesiredRoute::forward(vec![
                        weighted("192.0.2.9", "eth0", 3),
                        weighted("198.51.100.9", "eth1", 1),
                    ]),
                ),
                (key("10.1.4.0/24", 50), via("2001:db8::9", "eth0")),
                (
                    key("10.1.5.0/24", 50),
                    DesiredRoute::forward(vec![onlink("203.0.113.9", "eth0")]),
                ),
                (
                    key("10.1.6.0/24", 50),
                    DesiredRoute {
                        preferred_source: Some("198.51.100.1".parse().unwrap()),
                        mtu: Some(1400),
                        ..via("192.0.2.9", "eth0")
                    },
                ),
                (
                    key("10.1.7.0/24", 50),
                    DesiredRoute::forward(vec![
                        hop(Some("2001:db8::9"), "eth0"),
                        hop(Some("198.51.100.9"), "eth1"),
                    ]),
                ),
                (key("0.0.0.0/0", 5000), via("192.0.2.9", "eth0")),
                (key("fd00:1::/64", 0), via("2001:db8::9", "eth0")),
                (key("fd00:2::/64", 50), DesiredRoute::blackhole()),
                (
                    key("fd00:3::7/128", 50),
                    DesiredRoute::forward(vec![hop(None, "eth1")]),
                ),
                (
                    key("fd00:4::/64", 50),
                    DesiredRoute::forward(vec![
                        weighted("2001:db8:1::9", "eth1", 2),
                        weighted("2001:db8::9", "eth0", 1),
                    ]),
                ),
                (
                    key("fd00:5::/64", 50),
                    DesiredRoute::forward(vec![onlink("fd99::9", "eth0")]),
                ),
                (
                    key("fd00:6::/64", 50),
                    DesiredRoute {
                        preferred_source: Some("2001:db8:1::1".parse().unwrap()),
                        mtu: Some(1400),
                        ..via("2001:db8::9", "eth0")
                    },
                ),
                (
                    RouteKey {
                        table: Table(1000),
                        ..key("10.1.8.0/24", 50)
                    },
                    DesiredRoute::forward(vec![hop(None, "eth1")]),
                ),
                (key("10.1.9.77/24", 60), DesiredRoute::blackhole()),
            ],
            true,
        );
        let status = install(&handle, wish.clone()).await;
        assert_eq!((status.wanted, status.repaired), (17, 0));
        let expect = |destination: &str, text: &str| assert_eq!(shown(destination), text);
        expect(
            "10.1.0.0/24",
            "10.1.0.0/24 via 192.0.2.9 dev eth0 proto 82 metric 50",
        );
        expect("10.1.1.0/24", "10.1.1.0/24 dev eth1 proto 82 scope link");
        expect("10.1.2.0/24", "blackhole 10.1.2.0/24 proto 82 metric 50");
        expect(
            "10.1.4.0/24",
            "10.1.4.0/24 via inet6 2001:db8::9 dev eth0 proto 82 metric 50",
        );
        expect(
            "10.1.5.0/24",
            "10.1.5.0/24 via 203.0.113.9 dev eth0 proto 82 metric 50 onlink",
        );
        expect(
            "10.1.6.0/24",
            "10.1.6.0/24 via 192.0.2.9 dev eth0 proto 82 src 198.51.100.1 metric 50 mtu 1400",
        );
        expect(
            "10.1.3.0/24",
            "10.1.3.0/24 proto 82 metric 50 | nexthop via 192.0.2.9 dev eth0 weight 3 | nexthop via 198.51.100.9 dev eth1 weight 1",
        );
        expect(
            "fd00:1::/64",
            "fd00:1::/64 via 2001:db8::9 dev eth0 proto 82 metric 1024 pref medium",
        );
        assert!(
            shown("fd00:4::/64").contains("via 2001:db8:1::9 dev eth1 weight 2"),
            "{}",
            shown("fd00:4::/64")
        );
        assert_eq!(ours(), 17);

        // A second daemon finds all as it wants it, and writes nothing.
        let mut changes = Monitor::start();
        let second = start();
        install(&second, wish).await;
        assert_eq!(changes.routes_changed(), 0);
    });
}

/// `ip monitor route` in the background.
struct Monitor(std::process::Child);

impl Monitor {
    fn start() -> Self {
        use std::process::{Command, Stdio};
        let child = Command::new("ip")
            .args(["monitor", "route"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut monitor = Monitor(child);
        // It listens once it reports the first route.
        let out = monitor.0.stdout.as_mut().unwrap();
        let probe = std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_line(out));
            while !reader.is_finished() {
                ip("route replace blackhole 203.0.113.99/32 proto 99");
                ip("route del blackhole 203.0.113.99/32 proto 99");
            }
            reader.join().unwrap()
        });
        assert!(probe.contains("203.0.113.99"));
        monitor
    }

    /// How many changes of routes of ours were reported up to now.
    fn routes_changed(&mut self) -> usize {
        ip("route add blackhole 203.0.113.100/32 proto 99");
        let out = self.0.stdout.as_mut().unwrap();
        let mut count = 0;
        loop {
            let line = read_line(out);
            if line.contains("203.0.113.100") {
                return count;
            }
            count += usize::from(line.contains("proto 82"));
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn read_line(from: &mut impl std::io::Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while from.read(&mut byte).is_ok_and(|n| n == 1) && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn replaces_between_all_forms() {
    in_namespace(|| async {
        let handle = start();
        for (destination, near, far) in [
            ("10.1.0.0/24", "192.0.2.9", "198.51.100.9"),
            ("fd00:1::/64", "2001:db8::9", "2001:db8:1::9"),
        ] {
            let two = DesiredRoute::forward(vec![hop(Some(near), "eth0"), hop(Some(far), "eth1")]);
            let forms = [
                via(near, "eth0"),
                via(far, "eth1"),
                DesiredRoute::blackhole(),
                two.clone(),
                DesiredRoute::blackhole(),
                DesiredRoute::forward(vec![hop(None, "eth0")]),
                two.clone(),
                DesiredRoute::forward(vec![hop(None, "eth1")]),
                via(near, "eth0"),
                two,
                via(far, "eth1"),
                DesiredRoute {
                    mtu: Some(1400),
                    ..via(far, "eth1")
                },
            ];
            for form in forms {
                install(&handle, fib([(key(destination, 50), form.clone())], true)).await;
                let text = shown(destination);
                let blackhole = form == DesiredRoute::blackhole();
                assert_eq!(text.contains("blackhole"), blackhole, "{form:?}: {text}");
                assert_eq!(ours(), 1, "{form:?}: {text}");
            }
        }
        let status = install(&handle, fib([], true)).await;
        assert_eq!((ours(), status.repaired), (0, 0));
    });
}

#[test]
fn orphans_go_only_when_told() {
    in_namespace(|| async {
        ip("route add blackhole 10.1.0.0/24 proto 82");
        ip("-6 route add fd00:1::/64 via 2001:db8::9 proto 82");
        let handle = start();
        let wish = [(key("10.2.0.0/24", 50), via("192.0.2.9", "eth0"))];
        let status = install(&handle, fib(wish.clone(), false)).await;
        assert_eq!((status.orphans, status.swept, ours()), (2, 0, 3));
        let status = install(&handle, fib(wish, true)).await;
        assert_eq!((status.orphans, status.swept, ours()), (0, 2, 1));
    });
}

#[test]
fn foreign_routes_are_left_and_conflicts_told() {
    in_namespace(|| async {
        ip("route add 10.1.0.0/24 via 192.0.2.7 metric 50 proto bird");
        ip("-6 route add fd00:1::/64 via 2001:db8::7 metric 50 proto bird");
        ip("route add 10.2.0.0/24 via 192.0.2.7 metric 40 proto bird");
        let handle = start();
        let wish = fib(
            [
                (key("10.1.0.0/24", 50), via("192.0.2.9", "eth0")),
                (key("10.2.0.0/24", 50), via("192.0.2.9", "eth0")),
                (key("fd00:1::/64", 50), via("2001:db8::9", "eth0")),
            ],
            true,
        );
        let generation = handle.publish(wish);
        let status = status_where(&handle, |status| {
            status.in_sync_with == 1 && status.installed == 1
        })
        .await;
        assert_eq!(status.failed.len(), 2);
        assert!(
            status
                .failed
                .iter()
                .all(|(_, reason, _)| reason.contains("protocol bird")),
            "{status:?}"
        );
        assert!(shown("10.1.0.0/24").contains("via 192.0.2.7 dev eth0 proto bird"));
        assert!(shown("fd00:1::/64").contains("via 2001:db8::7 dev eth0 proto bird"));
        assert!(shown("10.2.0.0/24").contains("proto bird") && shown("10.2.0.0/24").contains("proto 82"));
        let refused = handle
            .installed(generation, &key("10.1.0.0/24", 50), Duration::from_millis(50))
            .await;
        assert!(matches!(refused, Err(Error::NotInstalled { reason, .. }) if reason.contains("bird")));
        // The other one leaves: ours goes in by itself.
        ip("route del 10.1.0.0/24 proto bird");
        handle
            .installed(generation, &key("10.1.0.0/24", 50), PATIENCE)
            .await
            .unwrap();
        assert_eq!(
            shown("10.1.0.0/24"),
            "10.1.0.0/24 via 192.0.2.9 dev eth0 proto 82 metric 50"
        );
        // And when ours is no longer wanted, theirs stay.
        install(&handle, fib([], true)).await;
        assert_eq!(ours(), 0);
        assert!(shown("10.2.0.0/24").contains("proto bird"));
        assert!(shown("fd00:1::/64").contains("proto bird"));
    });
}

#[test]
fn waits_for_one_route_and_says_why_not() {
    in_namespace(|| async {
        let handle = start();
        let route = key("10.1.0.7/32", 0);
        let generation = handle.publish(fib(
            [(route, DesiredRoute::forward(vec![hop(None, "rb0")]))],
            true,
        ));
        let soon = Duration::from_millis(50);
        let error = handle.installed(generation, &route, soon).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "route 10.1.0.7/32 is not installed: interface rb0 does not exist (yet)"
        );
        let error = handle
            .installed(generation, &key("10.9.0.0/16", 0), soon)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NotWanted(_)), "{error}");
        ip("link add rb0 type veth peer name rbpeer");
        ip("link set rb0 up");
        handle.installed(generation, &route, PATIENCE).await.unwrap();
        assert!(shown("10.1.0.7/32").contains("dev rb0 proto 82"));
        // A gateway that is on no network yet, and a source that is not there yet.
        let early = DesiredRoute {
            preferred_source: Some("10.77.0.1".parse().unwrap()),
            ..via("10.77.0.9", "rb0")
        };
        let route = key("10.2.0.0/24", 0);
        let generation = handle.publish(fib([(route, early)], true));
        let error = handle.installed(generation, &route, soon).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        ip("addr add 10.77.0.1/24 dev rb0");
        handle.installed(generation, &route, PATIENCE).await.unwrap();
    });
}

#[test]
fn cleanup_removes_ours_and_nothing_else() {
    in_namespace(|| async {
        for route in [
            "10.1.0.0/24 via 192.0.2.9",
            "10.2.0.0/24 dev eth1 table 77",
            "blackhole 10.3.0.0/24 metric 5",
        ] {
            ip(&format!("route add {route} proto 82"));
        }
        // Twice the same key.
        ip("route append 10.1.0.0/24 via 192.0.2.8 proto 82");
        ip("route append 10.1.0.0/24 via 192.0.2.7 proto bird");
        ip("-6 route add fd00:1::/64 proto 82 nexthop via 2001:db8::9 nexthop via 2001:db8:1::9");
        ip("-6 route add fd00:2::/64 via 2001:db8::9 proto bird");
        assert_eq!(routesync::cleanup(Protocol(82)).await.unwrap(), 5);
        assert_eq!(ours(), 0);
        assert!(shown("10.1.0.0/24").contains("via 192.0.2.7 dev eth0 proto bird"));
        assert!(shown("fd00:2::/64").contains("proto bird"));
        assert_eq!(routesync::cleanup(Protocol(82)).await.unwrap(), 0);
    });
}

#[test]
fn the_view_shows_what_is_not_ours() {
    in_namespace(|| async {
        ip("route add 10.1.0.0/24 via 192.0.2.7 metric 50 proto bird");
        let handle = start();
        install(
            &handle,
            fib([(key("10.2.0.0/24", 50), via("192.0.2.9", "eth0"))], true),
        )
        .await;
        let mut view = handle.view();
        let first = view.wait_for(|view| view.generation > 0).await.unwrap().clone();
        let find = |destination: &str| {
            first
                .foreign
                .iter()
                .find(|r| r.destination.to_string() == destination)
        };
        let bird = find("10.1.0.0/24").unwrap();
        assert_eq!((bird.protocol, bird.metric), (Protocol(12), Metric(50)));
        assert_eq!(bird.hops[0].gateway, Some("192.0.2.7".parse().unwrap()));
        assert!(find("192.0.2.0/24").is_some() && find("2001:db8::/64").is_some());
        assert!(find("10.2.0.0/24").is_none());
        let eth0 = first.link("eth0").unwrap();
        assert_eq!(
            (eth0.kind.as_deref(), eth0.up, eth0.carrier, eth0.mtu),
            (Some("veth"), true, true, 1500)
        );
        assert!(eth0.mac.is_some());
        assert!(first.is_local("2001:db8::1".parse().unwrap()));
        // Our own writes are no news; another's are.
        install(
            &handle,
            fib([(key("10.3.0.0/24", 50), via("192.0.2.9", "eth0"))], true),
        )
        .await;
        assert_eq!(handle.view().borrow().generation, first.generation);
        ip("route add 10.4.0.0/24 dev eth1");
        let found = view.wait_for(|v| {
            v.foreign
                .iter()
                .any(|r| r.destination.to_string() == "10.4.0.0/24")
        });
        tokio::time::timeout(PATIENCE, found).await.unwrap().unwrap();
    });
}
