//! Very many routes that move with one object. As a kernel is by default (`net.ipv4.nexthop_compat_mode=1`) it then tells of
//! every route, and no receive buffer holds that: our own doing is not listened to, others' is.

use std::time::Instant;

use routesync::{DesiredRoute, Handle, Metric, RouteKey};

use crate::space::*;

/// What the kernel tells of so many fills a receive buffer of 32 MiB several times over.
const MANY: u32 = 60_000;
const SETS: [(&str, &str); 2] = [("192.0.2.9", "eth0"), ("198.51.100.9", "eth1")];
const SETS6: [(&str, &str); 2] = [("2001:db8::9", "eth0"), ("2001:db8:1::9", "eth1")];

fn many(v6: u32) -> impl Iterator<Item = (RouteKey, DesiredRoute)> {
    let (v4, six) = (over("v4"), over("v6"));
    (0..MANY).map(move |i| {
        let (destination, route) = if i < v6 {
            (format!("fd01:{:x}:{:x}::/64", i >> 8, i & 255), &six)
        } else {
            (
                format!("10.{}.{}.{}/30", i >> 14, (i >> 6) & 255, (i & 63) << 2),
                &v4,
            )
        };
        (
            RouteKey::main(destination.parse().unwrap(), Metric(50)),
            route.clone(),
        )
    })
}

/// Moves all sets to that link.
fn move_to(handle: &Handle, link: usize) -> u64 {
    let ways = [("v4", SETS[link]), ("v6", SETS6[link])];
    handle.publish_nexthops(sets(
        ways.map(|(set, (gateway, link))| (set, vec![hop(Some(gateway), link)])),
    ))
}

fn compat_mode() -> String {
    std::fs::read_to_string("/proc/sys/net/ipv4/nexthop_compat_mode").unwrap()
}

#[test]
fn sixty_thousand_routes_move_without_a_second_look() {
    in_namespace(|| async {
        assert_eq!(compat_mode().trim(), "1", "as it is by default");
        let handle = start();
        move_to(&handle, 0);
        let before = install(&handle, fib(many(20_000), true)).await;
        for link in [1, 0, 1] {
            let started = Instant::now();
            let generation = move_to(&handle, link);
            status_where(&handle, |status| status.in_sync_with >= generation).await;
            println!(
                "moved {MANY} routes to {} in {:?}",
                SETS[link].1,
                started.elapsed()
            );
            for (destination, way) in [("10.2.0.0/30", SETS[link]), ("fd01:0:7::/64", SETS6[link])] {
                let (gateway, name) = way;
                let shown = shown(destination);
                assert!(shown.contains(&format!("via {gateway} dev {name}")), "{shown}");
            }
        }
        // Nothing was lost, nothing looks like somebody else's doing.
        let after = handle.status().borrow().clone();
        assert_eq!(
            (after.resyncs, after.repaired),
            (before.resyncs, 0),
            "{:?}",
            after.last_error
        );
        assert_eq!((after.installed, ours()), (MANY as usize, MANY as usize));
    });
}

#[test]
fn what_others_remove_during_moves_comes_back() {
    in_namespace(|| async {
        let handle = start();
        move_to(&handle, 0);
        let before = install(&handle, fib(many(0), true)).await;
        // From a thread of its own, which is in this namespace too: between, during and after the moves.
        let deleting = std::thread::spawn(|| {
            for i in 0..40 {
                ip(&format!("route del 10.1.{i}.0/30 proto 82"));
            }
        });
        let mut link = 0;
        while !deleting.is_finished() {
            link = 1 - link;
            let generation = move_to(&handle, link);
            status_where(&handle, |status| status.in_sync_with >= generation).await;
        }
        deleting.join().unwrap();
        let status = status_where(&handle, |status| {
            status.repaired == 40 && status.installed == MANY as usize
        })
        .await;
        assert_eq!(
            (status.resyncs, status.failed.len()),
            (before.resyncs, 0),
            "{:?}",
            status.last_error
        );
        assert_eq!(ours(), MANY as usize);
        assert!(shown("10.1.7.0/30").contains(SETS[link].0));
        // And of one alone, at rest.
        for i in 0..5 {
            let destination = format!("10.1.{i}.0/30");
            ip(&format!("route del {destination}"));
            status_where(&handle, |status| status.repaired > 40 + i).await;
            assert!(shown(&destination).contains("proto 82"));
        }
    });
}

#[test]
fn a_hop_that_dies_leaves_without_a_word_about_its_routes() {
    in_namespace(|| async {
        assert_eq!(compat_mode().trim(), "1", "as it is by default");
        let both =
            |ways: [(&str, &'static str); 2]| ways.map(|(gateway, link)| hop(Some(gateway), link)).to_vec();
        let wish = |v4: Vec<_>, v6: Vec<_>| sets([("v4", v4), ("v6", v6)]);
        let handle = start();
        handle.publish_nexthops(wish(both(SETS), both(SETS6)));
        let routes = many(1000).take(2000);
        let before = install(&handle, fib(routes, true)).await;
        let mut watch = Watch::start().await;
        let alone = |ways: [(&str, &'static str); 2]| both(ways)[1..].to_vec();
        let generation = handle.publish_nexthops(wish(alone(SETS), alone(SETS6)));
        status_where(&handle, |status| status.in_sync_with >= generation).await;
        let seen = watch.seen().await;
        // Two objects are gone, of two groups one member is left.
        assert!(
            seen.iter()
                .all(|line| line.contains("id ") && !line.contains("fd01:")),
            "{seen:?}"
        );
        assert_eq!(
            seen.iter().filter(|line| line.contains("Deleted")).count(),
            2,
            "{seen:?}"
        );
        for i in 0..8 {
            assert!(ip(&format!("route get 10.0.20.{i}")).contains("via 198.51.100.9 dev eth1"));
            assert!(ip(&format!("route get fd01:0:7::{i}")).contains("dev eth1"));
        }
        // It comes back, and the groups are written.
        let generation = handle.publish_nexthops(wish(both(SETS), both(SETS6)));
        let after = status_where(&handle, |status| status.in_sync_with >= generation).await;
        assert!(shown("10.0.20.0/30").contains("eth0") && shown("10.0.20.0/30").contains("eth1"));
        assert_eq!(
            (after.installed, after.repaired, after.resyncs),
            (2000, 0, before.resyncs)
        );
        assert_eq!((ours(), objects().len()), (2000, 6));
    });
}
