//! Nexthop objects: what the kernel takes and shows, what it flushes silently, and what a move or a restart costs.

use std::time::Instant;

use routesync::{
    DesiredRoute, Handle, Hop, NexthopForm, NexthopMode, NexthopSet, Protocol, Resilient, RouteKey, Settings,
};

use crate::space::*;

const MANY: u32 = 10_000;

fn many(set: &str) -> impl Iterator<Item = (RouteKey, DesiredRoute)> {
    let route = over(set);
    (0..MANY).map(move |i| {
        (
            key(&format!("10.{}.{}.0/24", i / 256, i % 256), 50),
            route.clone(),
        )
    })
}

/// Ends the task, as the end of the daemon does.
async fn end(handle: Handle) {
    let mut status = handle.status();
    drop(handle);
    while status.changed().await.is_ok() {}
}

/// The kernel tells readers of routes the number of an object alone, and nothing when the object is replaced.
fn compatibility_off() {
    std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", "0").unwrap();
}

#[test]
fn every_form_of_set_goes_in_and_is_recognized() {
    in_namespace(|| async {
        let handle = start();
        handle.publish_nexthops(sets([
            ("v4", vec![hop(Some("192.0.2.9"), "eth0")]),
            ("v6", vec![hop(Some("2001:db8::9"), "eth0")]),
            ("dev", vec![hop(None, "eth1")]),
            (
                "onlink",
                vec![Hop {
                    onlink: true,
                    ..hop(Some("203.0.113.9"), "eth0")
                }],
            ),
            (
                "several",
                vec![
                    Hop {
                        weight: 3,
                        ..hop(Some("2001:db8::9"), "eth0")
                    },
                    hop(Some("2001:db8:1::9"), "eth1"),
                ],
            ),
        ]));
        let special = |set| DesiredRoute {
            preferred_source: Some("198.51.100.1".parse().unwrap()),
            mtu: Some(1400),
            advmss: Some(1300),
            ..over(set)
        };
        let wish = fib(
            [
                (key("10.1.0.0/24", 50), over("v4")),
                (key("10.2.0.0/24", 50), over("v6")),
                (key("10.3.0.0/24", 0), over("dev")),
                (key("10.4.0.0/24", 50), over("onlink")),
                (key("10.5.0.0/24", 50), special("several")),
                (key("10.6.0.0/24", 50), DesiredRoute::blackhole()),
                (key("fd00:2::/64", 50), over("v6")),
                (key("fd00:3::/64", 0), over("dev")),
                (key("fd00:5::/64", 50), over("several")),
            ],
            true,
        );
        let status = install(&handle, wish.clone()).await;
        assert_eq!(status.nexthop_form, NexthopForm::Objects);
        // Five groups over five hops: two share one.
        assert_eq!((status.nexthop_objects, objects().len()), (10, 10));
        assert!(
            shown("10.2.0.0/24").contains("via inet6 2001:db8::9 dev eth0"),
            "{}",
            shown("10.2.0.0/24")
        );
        assert!(
            shown("10.4.0.0/24").contains("onlink"),
            "{}",
            shown("10.4.0.0/24")
        );
        let several = shown("10.5.0.0/24");
        for part in ["src 198.51.100.1", "mtu 1400", "advmss 1300", "weight 3"] {
            assert!(several.contains(part), "{several}");
        }
        assert!(
            shown("fd00:5::/64").contains("weight 3"),
            "{}",
            shown("fd00:5::/64")
        );
        // Recognized: the next run writes nothing.
        end(handle).await;
        let mut watch = Watch::start().await;
        let handle = start();
        handle.publish_nexthops(sets([
            ("v4", vec![hop(Some("192.0.2.9"), "eth0")]),
            ("v6", vec![hop(Some("2001:db8::9"), "eth0")]),
            ("dev", vec![hop(None, "eth1")]),
        ]));
        let known = |(key, route): (&RouteKey, &DesiredRoute)| {
            let name = format!("{route:?}");
            (!name.contains("several") && !name.contains("onlink")).then(|| (*key, route.clone()))
        };
        install(&handle, fib(wish.routes.iter().filter_map(known), false)).await;
        assert_eq!(watch.seen().await, Vec::<String>::new());
    });
}

#[test]
fn moving_ten_thousand_routes_is_one_replacement() {
    in_namespace(|| async {
        compatibility_off();
        let handle = start();
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.9"), "eth0")])]));
        install(&handle, fib(many("node"), true)).await;
        assert_eq!(ours(), MANY as usize);
        let mut watch = Watch::start().await;
        let start = Instant::now();
        let generation = handle.publish_nexthops(sets([("node", vec![hop(Some("198.51.100.9"), "eth1")])]));
        status_where(&handle, |status| status.in_sync_with >= generation).await;
        println!("moved {MANY} routes in {:?}", start.elapsed());
        let seen = watch.seen().await;
        // The new hop, the group, the end of the old hop.
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(seen[1].contains("group"), "{seen:?}");
        assert!(ip("route get 10.7.7.7").contains("via 198.51.100.9 dev eth1"));
        assert_eq!(ours(), MANY as usize);
    });
}

#[test]
fn a_restart_adopts_all_and_writes_nothing() {
    in_namespace(|| async {
        let wish = || {
            sets([
                ("one", vec![hop(Some("192.0.2.9"), "eth0")]),
                ("two", vec![hop(Some("192.0.2.9"), "eth0")]),
                (
                    "both",
                    vec![hop(Some("192.0.2.9"), "eth0"), hop(Some("198.51.100.9"), "eth1")],
                ),
            ])
        };
        let routes = |sets: [&'static str; 3]| {
            let each = sets.into_iter().enumerate();
            each.flat_map(|(n, set)| (0..50).map(move |i| (key(&format!("10.{n}.{i}.0/24"), 50), over(set))))
        };
        let handle = start();
        handle.publish_nexthops(wish());
        // In two steps, so that numbers and names do not agree.
        install(&handle, fib(routes(["two", "both", "one"]).take(100), true)).await;
        install(&handle, fib(routes(["two", "both", "one"]), true)).await;
        let before = objects();
        end(handle).await;
        let mut watch = Watch::start().await;
        let handle = start();
        handle.publish_nexthops(wish());
        install(&handle, fib(routes(["two", "both", "one"]).skip(100), false)).await;
        install(&handle, fib(routes(["two", "both", "one"]), true)).await;
        assert_eq!(watch.seen().await, Vec::<String>::new());
        assert_eq!(objects(), before);
    });
}

#[test]
fn a_link_that_flaps_gets_its_routes_back_at_once() {
    in_namespace(|| async {
        let handle = start();
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.9"), "eth0")])]));
        let routes = (0..100).map(|i| (key(&format!("10.1.{i}.0/24"), 50), over("node")));
        install(&handle, fib(routes, true)).await;
        let good = shown("10.1.7.0/24");
        for (down, up, reason) in [
            (
                "link set peer0 down",
                "link set peer0 up",
                "interface eth0 has no carrier",
            ),
            (
                "link set eth0 down",
                "link set eth0 up",
                "interface eth0 is not up",
            ),
        ] {
            ip(down);
            let status = status_where(&handle, |status| status.failed.len() == 100).await;
            assert_eq!(status.failed_nexthops[0].1, reason);
            assert_eq!((ours(), objects().len()), (0, 0));
            ip(up);
            let took = until_shown("10.1.7.0/24", |now| now == good).await;
            println!("{up}: back after {took:?}");
            let status = status_where(&handle, |s| s.installed == 100 && s.failed_nexthops.is_empty()).await;
            assert_eq!(status.repaired, 0, "nobody did anything to them");
            assert_eq!(ours(), 100);
        }
        // So fast that nobody may have looked in between.
        for _ in 0..5 {
            ip("link set eth0 down");
            ip("link set eth0 up");
        }
        until_shown("10.1.99.0/24", |now| now.contains("eth0")).await;
        status_where(&handle, |status| {
            status.installed == 100 && status.failed.is_empty()
        })
        .await;
        assert_eq!(ours(), 100);
    });
}

#[test]
fn the_other_members_carry_on_while_a_link_is_dead() {
    in_namespace(|| async {
        compatibility_off();
        let handle = start();
        handle.publish_nexthops(sets([(
            "node",
            vec![hop(Some("192.0.2.9"), "eth0"), hop(Some("198.51.100.9"), "eth1")],
        )]));
        let routes = (0..100).map(|i| (key(&format!("10.1.{i}.0/24"), 50), over("node")));
        install(&handle, fib(routes, true)).await;
        let mut watch = Watch::start().await;
        ip("link set peer1 down");
        let status = status_where(&handle, |status| !status.failed_nexthops.is_empty()).await;
        assert_eq!(status.failed_nexthops[0].1, "interface eth1 has no carrier");
        assert_eq!(status.installed, 100);
        for i in 0..20 {
            assert!(ip(&format!("route get 10.1.7.{i}")).contains("dev eth0"));
        }
        ip("link set peer1 up");
        status_where(&handle, |status| status.failed_nexthops.is_empty()).await;
        let group: Vec<_> = objects().into_iter().filter(|o| o.contains("group")).collect();
        assert!(group[0].contains('/'), "{group:?}");
        let seen = watch.seen().await;
        let routes = seen.iter().filter(|line| line.contains("10.1."));
        assert_eq!(routes.count(), 0, "{seen:?}");
    });
}

#[test]
fn a_link_that_comes_back_with_another_number_is_found() {
    in_namespace(|| async {
        let handle = start();
        let make = || {
            ip("link add pod type veth peer name podpeer");
            ip("link set podpeer up");
            ip("link set pod up");
        };
        make();
        let set = Hop {
            onlink: true,
            ..hop(Some("203.0.113.9"), "pod")
        };
        handle.publish_nexthops(sets([("node", vec![set])]));
        install(&handle, fib([(key("10.1.0.0/24", 50), over("node"))], true)).await;
        ip("link del pod");
        let status = status_where(&handle, |status| status.installed == 0).await;
        assert_eq!(status.failed_nexthops[0].1, "interface pod does not exist (yet)");
        assert!(objects().is_empty());
        make();
        status_where(&handle, |status| {
            status.installed == 1 && status.failed_nexthops.is_empty()
        })
        .await;
        assert!(shown("10.1.0.0/24").contains("dev pod"));
        assert_eq!(objects().len(), 2);
    });
}

#[test]
fn objects_of_others_are_never_touched() {
    in_namespace(|| async {
        compatibility_off();
        for object in [
            "id 7 via 192.0.2.7 dev eth0 proto bird",
            "id 8 via 192.0.2.7 dev eth0 proto 82",
            "id 9 group 7 proto 82",
            "id 1375731712 via 192.0.2.9 dev eth0 proto static",
            // Left by an earlier run of ours.
            "id 1375731713 via 192.0.2.66 dev eth0 proto 82",
            "id 1375731714 group 1375731713 proto 82",
        ] {
            ip(&format!("nexthop add {object}"));
        }
        ip("route add 10.9.0.0/24 nhid 7 proto bird");
        let handle = start();
        let mut view = handle.view();
        let first = view.wait_for(|view| view.generation > 0).await.unwrap().clone();
        let bird = first.foreign.iter().find(|r| r.protocol == Protocol(12)).unwrap();
        assert_eq!(bird.hops[0].gateway, Some("192.0.2.7".parse().unwrap()));
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.9"), "eth0")])]));
        install(&handle, fib([(key("10.1.0.0/24", 50), over("node"))], false)).await;
        assert_eq!(objects().len(), 2 + 2 + 2);
        install(&handle, fib([(key("10.1.0.0/24", 50), over("node"))], true)).await;
        assert_eq!(objects().len(), 2 + 2);
        publish(&handle, fib([], true)).await;
        status_where(&handle, |status| status.nexthop_objects == 0).await;
        let left = ip("nexthop show");
        assert_eq!(left.lines().count(), 4, "{left}");
        // What is left of ours, `cleanup` takes; and no more than that.
        install(&handle, fib([(key("10.1.0.0/24", 50), over("node"))], true)).await;
        end(handle).await;
        assert_eq!(routesync::cleanup(Protocol(82)).await.unwrap(), 1);
        assert_eq!(ip("nexthop show"), left);
        assert!(ip("route show 10.9.0.0/24").contains("nhid 7"));
    });
}

#[test]
fn what_others_do_to_our_objects_is_undone() {
    in_namespace(|| async {
        let handle = start();
        handle.publish_nexthops(sets([(
            "node",
            vec![hop(Some("192.0.2.9"), "eth0"), hop(Some("198.51.100.9"), "eth1")],
        )]));
        let routes = [
            (key("10.1.0.0/24", 50), over("node")),
            (key("10.2.0.0/24", 50), over("node")),
        ];
        install(&handle, fib(routes, true)).await;
        let (good, all) = (shown("10.1.0.0/24"), objects());
        for act in [
            "nexthop del id 1375731712",
            "nexthop del id 1375731714",
            "nexthop flush proto 82",
        ] {
            let repaired = handle.status().borrow().repaired;
            ip(act);
            let found = |s: &routesync::SyncStatus| s.repaired > repaired && s.installed == 2;
            status_where(&handle, found).await;
            until_shown("10.1.0.0/24", |now| now == good).await;
            assert_eq!(objects(), all);
        }
    });
}

#[test]
fn plain_routes_where_objects_are_switched_off() {
    in_namespace(|| async {
        let wish = sets([(
            "node",
            vec![hop(Some("192.0.2.9"), "eth0"), hop(Some("198.51.100.9"), "eth1")],
        )]);
        let routes = || fib([(key("10.1.0.0/24", 50), over("node"))], true);
        // Objects of an earlier run with the other setting go.
        let handle = start();
        handle.publish_nexthops(wish.clone());
        install(&handle, routes()).await;
        end(handle).await;
        let plain = Settings {
            nexthops: NexthopMode::Plain,
            ..Settings::default()
        };
        let handle = routesync::start(plain).unwrap();
        handle.publish_nexthops(wish);
        let status = install(&handle, routes()).await;
        assert_eq!(status.nexthop_form, NexthopForm::PlainByChoice);
        assert!(objects().is_empty());
        let now = shown("10.1.0.0/24");
        assert!(
            now.contains("eth0") && now.contains("eth1") && !now.contains("nhid"),
            "{now}"
        );
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.8"), "eth0")])]));
        until_shown("10.1.0.0/24", |now| now.contains("via 192.0.2.8 dev eth0")).await;
        // And back to objects, without a moment in between.
        end(handle).await;
        let handle = start();
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.8"), "eth0")])]));
        install(&handle, routes()).await;
        assert!(shown("10.1.0.0/24").contains("nhid"));
    });
}

#[test]
fn a_resilient_group_is_taken_and_known_again() {
    in_namespace(|| async {
        let handle = start();
        let mut wish = sets([(
            "node",
            vec![hop(Some("192.0.2.9"), "eth0"), hop(Some("198.51.100.9"), "eth1")],
        )]);
        let set: &mut NexthopSet = wish.sets.get_mut(&"node".into()).unwrap();
        set.resilient = Some(Resilient {
            buckets: 32,
            ..Resilient::default()
        });
        handle.publish_nexthops(wish.clone());
        let routes = || fib([(key("10.1.0.0/24", 50), over("node"))], true);
        install(&handle, routes()).await;
        assert!(ip("nexthop show proto 82").contains("type resilient buckets 32 idle_timer 120"));
        end(handle).await;
        let mut watch = Watch::start().await;
        let handle = start();
        handle.publish_nexthops(wish.clone());
        install(&handle, routes()).await;
        assert_eq!(watch.seen().await, Vec::<String>::new());
        // Another kind is another group; the route is re-pointed in one step.
        wish.sets.get_mut(&"node".into()).unwrap().resilient = None;
        let generation = handle.publish_nexthops(wish);
        status_where(&handle, |status| status.in_sync_with >= generation).await;
        assert!(!ip("nexthop show proto 82").contains("resilient"));
        assert_eq!(objects().len(), 3);
        let seen = watch.seen().await;
        assert!(
            !seen.iter().any(|line| line.contains("Deleted 10.1.")),
            "{seen:?}"
        );
    });
}

#[test]
fn single_changes_and_a_limit() {
    in_namespace(|| async {
        let handle = routesync::start(Settings {
            max_routes: Some(3),
            ..Settings::default()
        })
        .unwrap();
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.9"), "eth0")])]));
        let keys = [1, 2, 3, 4].map(|i| key(&format!("10.{i}.0.0/24"), 50));
        let add = keys.iter().map(|key| (*key, Some(over("node"))));
        let generation = handle.update(add.collect(), true);
        let status = status_where(&handle, |status| status.in_sync_with >= generation).await;
        assert_eq!((status.installed, status.held_back, ours()), (3, 1, 3));
        handle.installed(generation, &keys[0], PATIENCE).await.unwrap();
        let generation = handle.update(vec![(keys[0], None)], true);
        handle.installed(generation, &keys[3], PATIENCE).await.unwrap();
        let error = handle
            .installed(generation, &keys[0], PATIENCE)
            .await
            .unwrap_err();
        assert!(matches!(error, routesync::Error::NotWanted(_)), "{error}");
        assert_eq!((ours(), handle.status().borrow().held_back), (3, 0));
    });
}
