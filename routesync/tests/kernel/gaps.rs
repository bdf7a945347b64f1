//! No change of a route leaves a moment without it, and none leaves its old self behind: everything that the kernel tells is
//! followed and checked.

use routesync::{DesiredNexthops, DesiredRoute, Resilient};

use crate::space::*;

/// What is told of the destination, without who it is about.
fn about(seen: &[String], destination: &str) -> Vec<String> {
    let about = seen.iter().filter(|line| line.contains(destination));
    about.cloned().collect()
}

#[test]
fn a_route_is_replaced_and_never_removed() {
    in_namespace(|| async {
        let handle = start();
        handle.publish_nexthops(sets([
            ("one", vec![hop(Some("192.0.2.9"), "eth0")]),
            ("two", vec![hop(Some("198.51.100.9"), "eth1")]),
        ]));
        let mtu = |mtu, route| DesiredRoute {
            mtu: Some(mtu),
            ..route
        };
        let two = DesiredRoute::forward(vec![
            hop(Some("192.0.2.9"), "eth0"),
            hop(Some("198.51.100.9"), "eth1"),
        ]);
        let forms = [
            via("192.0.2.9", "eth0"),
            via("198.51.100.9", "eth1"),
            two.clone(),
            mtu(1400, two),
            over("one"),
            mtu(1400, over("one")),
            mtu(1300, over("one")),
            over("two"),
            DesiredRoute::blackhole(),
            over("one"),
            via("192.0.2.9", "eth0"),
        ];
        install(&handle, fib([(key("10.1.0.0/24", 50), forms[0].clone())], true)).await;
        let mut watch = Watch::start().await;
        for form in &forms[1..] {
            install(&handle, fib([(key("10.1.0.0/24", 50), form.clone())], true)).await;
        }
        let told = about(&watch.seen().await, "10.1.0.0/24");
        assert_eq!(told.len(), forms.len() - 1, "{told:#?}");
        assert!(!told.iter().any(|line| line.contains("Deleted")), "{told:#?}");
    });
}

#[test]
fn a_changed_metric_is_added_before_the_old_one_goes_and_leaves_no_twin() {
    in_namespace(|| async {
        let handle = start();
        handle.publish_nexthops(sets([("one", vec![hop(Some("192.0.2.9"), "eth0")])]));
        let wish = |metric| {
            fib(
                [
                    (key("10.1.0.0/24", metric), via("192.0.2.9", "eth0")),
                    (key("10.2.0.0/24", metric), over("one")),
                    (key("fd00:1::/64", metric), via("2001:db8::9", "eth0")),
                ],
                true,
            )
        };
        install(&handle, wish(50)).await;
        let mut watch = Watch::start().await;
        for metric in [40, 60, 50] {
            install(&handle, wish(metric)).await;
            assert_eq!(ours(), 3, "a twin is left");
        }
        let seen = watch.seen().await;
        for destination in ["10.1.0.0/24", "10.2.0.0/24", "fd00:1::/64"] {
            let told = about(&seen, destination);
            let removed: Vec<_> = told.iter().map(|line| line.contains("Deleted")).collect();
            assert_eq!(removed, [false, true].repeat(3), "{told:#?}");
        }
    });
}

#[test]
fn a_set_changes_under_its_routes_without_a_gap() {
    in_namespace(|| async {
        let handle = start();
        let wide = || vec![hop(Some("192.0.2.9"), "eth0"), hop(Some("198.51.100.9"), "eth1")];
        handle.publish_nexthops(sets([("node", wide())]));
        let routes = (0..50).map(|i| (key(&format!("10.1.{i}.0/24"), 50), over("node")));
        install(&handle, fib(routes, true)).await;
        let mut watch = Watch::start().await;
        let mut steps: Vec<DesiredNexthops> = vec![
            sets([("node", vec![hop(Some("192.0.2.8"), "eth0")])]),
            sets([("node", vec![hop(Some("198.51.100.8"), "eth1")])]),
            sets([("node", wide())]),
        ];
        // Buckets cannot be changed in place: the routes go over to another object, one by one, and none goes away.
        let mut resilient = sets([("node", wide())]);
        resilient
            .sets
            .values_mut()
            .for_each(|set| set.resilient = Some(Resilient::default()));
        steps.push(resilient);
        for step in steps {
            let generation = handle.publish_nexthops(step);
            status_where(&handle, |status| {
                status.in_sync_with >= generation && status.installed == 50
            })
            .await;
            assert_eq!(ours(), 50);
        }
        let seen = watch.seen().await;
        let removed = seen.iter().filter(|line| line.contains("Deleted 10.1."));
        assert_eq!(removed.count(), 0, "{seen:#?}");
    });
}

#[test]
fn addresses_and_mtus_change_under_routes() {
    in_namespace(|| async {
        let handle = start();
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.9"), "eth0")])]));
        ip("addr add 10.77.0.1/32 dev lo");
        let from = |route| DesiredRoute {
            preferred_source: "10.77.0.1".parse().ok(),
            ..route
        };
        let wish = fib(
            [
                (key("10.1.0.0/24", 50), via("192.0.2.9", "eth0")),
                (key("10.2.0.0/24", 50), from(via("192.0.2.9", "eth0"))),
                (key("10.3.0.0/24", 50), from(over("node"))),
                (
                    key("10.4.0.0/24", 50),
                    DesiredRoute {
                        mtu: Some(1400),
                        ..over("node")
                    },
                ),
            ],
            true,
        );
        install(&handle, wish).await;
        let good = [1, 2, 3, 4].map(|n| shown(&format!("10.{n}.0.0/24")));
        // A link's MTU is no route's matter, below the routes' own one either.
        for mtu in ["1300", "9000", "1500"] {
            ip(&format!("link set eth0 mtu {mtu}"));
            let mut view = handle.view();
            let mtu = mtu.parse().unwrap();
            let told = view.wait_for(|view| view.link("eth0").is_some_and(|link| link.mtu == mtu));
            tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
        }
        // The address goes, and the kernel takes the routes along that prefer it. It comes back: so do they.
        ip("addr del 10.77.0.1/32 dev lo");
        let status = status_where(&handle, |status| {
            status.failed.len() == 2 && status.installed == 2
        })
        .await;
        assert!(
            status
                .failed
                .iter()
                .all(|(_, reason, _)| reason.contains("preferred source")
                    || reason.to_lowercase().contains("invalid prefsrc")),
            "{:?}",
            status.failed
        );
        assert_eq!(ours(), 2);
        ip("addr add 10.77.0.1/32 dev lo");
        status_where(&handle, |status| {
            status.installed == 4 && status.failed.is_empty()
        })
        .await;
        // The link's last address goes: the kernel flushes what leads over the link and is no object, and says nothing but that
        // the address went. It comes back at once: so do they.
        ip("addr del 192.0.2.1/24 dev eth0");
        ip("addr add 192.0.2.1/24 dev eth0");
        for (n, good) in (1..).zip(&good) {
            until_shown(&format!("10.{n}.0.0/24"), |now| now == good).await;
        }
        status_where(&handle, |status| {
            status.installed == 4 && status.failed.is_empty()
        })
        .await;
        assert_eq!(ours(), 4);
    });
}

#[test]
fn a_number_that_another_link_has_now_misleads_nobody() {
    in_namespace(|| async {
        let handle = start();
        handle.publish_nexthops(sets([("pod", vec![hop(None, "pod")])]));
        ip("link add pod index 77 type veth peer name podpeer index 78");
        ip("link set podpeer up");
        ip("link set pod up");
        let wish = [
            (
                key("10.1.0.7/32", 0),
                DesiredRoute::forward(vec![hop(None, "pod")]),
            ),
            (key("10.1.0.8/32", 0), over("pod")),
        ];
        install(&handle, fib(wish, true)).await;
        for _ in 0..3 {
            // At once, so that the end of the one and the beginning of the other are seen together.
            ip("link del pod");
            ip("link add stranger index 77 type veth peer name strangerpeer index 78");
            ip("link set strangerpeer up");
            ip("link set stranger up");
            let status = status_where(&handle, |status| status.failed.len() == 2).await;
            assert_eq!((status.installed, ours()), (0, 0), "{status:?}");
            ip("link add pod type veth peer name podpeer");
            ip("link set podpeer up");
            ip("link set pod up");
            status_where(&handle, |status| status.installed == 2).await;
            for destination in ["10.1.0.7/32", "10.1.0.8/32"] {
                assert!(shown(destination).contains("dev pod "), "{}", shown(destination));
            }
            ip("link del stranger");
            ip("link del pod");
            status_where(&handle, |status| status.failed.len() == 2).await;
            ip("link add pod index 77 type veth peer name podpeer index 78");
            ip("link set podpeer up");
            ip("link set pod up");
            status_where(&handle, |status| status.installed == 2).await;
            assert_eq!(ours(), 2);
        }
    });
}
