//! Links that fall, rise, vanish and come back under the same name: the kernel flushes routes silently, and numbers change.

use std::time::{Duration, Instant};

use routesync::DesiredRoute;

use crate::space::*;

#[test]
fn routes_return_with_their_link() {
    in_namespace(|| async {
        let handle = start();
        let wish = fib(
            [
                (key("10.1.0.0/24", 50), via("192.0.2.9", "eth0")),
                (key("10.2.0.0/24", 50), via("198.51.100.9", "eth1")),
                (
                    key("fd00:1::/64", 50),
                    DesiredRoute::forward(vec![hop(None, "eth0")]),
                ),
            ],
            true,
        );
        install(&handle, wish).await;
        let good = shown("10.1.0.0/24");
        ip("link set eth0 down");
        let status = status_where(&handle, |status| status.installed == 1).await;
        let reasons: Vec<_> = status
            .failed
            .iter()
            .map(|(_, reason, _)| reason.as_str())
            .collect();
        assert!(
            reasons.iter().any(|reason| reason.contains("not up")),
            "{reasons:?}"
        );
        assert_eq!(ours(), 1);
        ip("link set eth0 up");
        status_where(&handle, |status| {
            status.installed == 3 && status.failed.is_empty()
        })
        .await;
        assert_eq!(shown("10.1.0.0/24"), good);
        assert_eq!(ours(), 3);
    });
}

#[test]
fn a_link_that_comes_back_has_another_number() {
    in_namespace(|| async {
        let handle = start();
        ip("link add pod type veth peer name podpeer");
        ip("link set pod up");
        let old = handle
            .view()
            .wait_for(|view| view.link("pod").is_some())
            .await
            .unwrap()
            .link("pod")
            .unwrap()
            .index;
        let wish = fib(
            [(
                key("10.1.0.7/32", 0),
                DesiredRoute::forward(vec![hop(None, "pod")]),
            )],
            true,
        );
        install(&handle, wish).await;
        ip("link del pod");
        let status = status_where(&handle, |status| status.installed == 0).await;
        assert_eq!(status.failed[0].1, "interface pod does not exist (yet)");
        assert_eq!(ours(), 0);
        ip("link add pod type veth peer name podpeer");
        ip("link set pod up");
        status_where(&handle, |status| status.installed == 1).await;
        assert!(shown("10.1.0.7/32").contains("dev pod proto 82"));
        let new = handle.view().borrow().link("pod").unwrap().index;
        assert_ne!(old, new);
    });
}

#[test]
fn one_way_of_several_may_die_and_come_back() {
    in_namespace(|| async {
        let handle = start();
        let two = DesiredRoute::forward(vec![
            hop(Some("192.0.2.9"), "eth0"),
            hop(Some("198.51.100.9"), "eth1"),
        ]);
        install(&handle, fib([(key("10.1.0.0/24", 50), two)], true)).await;
        ip("link set eth1 down");
        // The kernel keeps the route and marks the hop; that is no drift, and the view of links tells of it.
        let mut view = handle.view();
        view.wait_for(|view| view.link("eth1").is_some_and(|link| !link.up))
            .await
            .unwrap();
        until_shown("10.1.0.0/24", |now| now.contains("dead")).await;
        ip("link set eth1 up");
        view.wait_for(|view| view.link("eth1").is_some_and(|link| link.up && link.carrier))
            .await
            .unwrap();
        until_shown("10.1.0.0/24", |now| now.contains("eth1") && !now.contains("dead")).await;
        let status = status_where(&handle, |status| {
            status.installed == 1 && status.failed.is_empty()
        })
        .await;
        assert_eq!(ours(), 1, "{status:?}");
    });
}

#[test]
fn lost_carrier_makes_foreign_hops_unusable() {
    in_namespace(|| async {
        let handle = start();
        let mut view = handle.view();
        let hop_of = |view: &routesync::KernelView| {
            let route = view
                .foreign
                .iter()
                .find(|route| route.destination.to_string() == "192.0.2.0/24");
            route.map(|route| route.hops[0].usable)
        };
        view.wait_for(|view| hop_of(view) == Some(true)).await.unwrap();
        ip("link set peer0 down");
        tokio::time::timeout(PATIENCE, view.wait_for(|view| hop_of(view) == Some(false)))
            .await
            .unwrap()
            .unwrap();
        ip("link set peer0 up");
        tokio::time::timeout(PATIENCE, view.wait_for(|view| hop_of(view) == Some(true)))
            .await
            .unwrap()
            .unwrap();
    });
}

#[test]
fn gateways_are_asked_for_again_when_the_carrier_is_back() {
    in_namespace(|| async {
        let set = |name: &str, value: &str| {
            let path = format!("/proc/sys/net/{name}");
            std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
        };
        // Nothing but questions for neighbours goes over the wire, and the kernel repeats none.
        for interface in ["eth0", "peer0"] {
            set(&format!("ipv6/conf/{interface}/disable_ipv6"), "1");
        }
        // (Longer than anyone here waits, and not for ever: a packet that waits for an answer keeps its namespace.)
        set("ipv4/neigh/eth0/retrans_time_ms", "20000");
        let handle = start();
        handle.publish_nexthops(sets([("node", vec![hop(Some("192.0.2.9"), "eth0")])]));
        let (key, route) = (key("10.1.0.0/24", 50), over("node"));
        install(&handle, fib([(key, route)], true)).await;

        ip("link set peer0 down");
        status_where(&handle, |status| !status.failed_nexthops.is_empty()).await;
        // That may have been read before the kernel was done, and drops what it knew of neighbours.
        let mut view = handle.view();
        let closed = view.wait_for(|view| view.link("eth0").is_some_and(|link| !link.running));
        tokio::time::timeout(PATIENCE, closed).await.unwrap().unwrap();
        // One is a gateway of ours, the other is somebody else's business.
        let socket = std::net::UdpSocket::bind("192.0.2.1:0").unwrap();
        for neighbour in ["192.0.2.9:9", "192.0.2.8:9"] {
            socket.send_to(b"?", neighbour).unwrap();
        }
        let waiting = || {
            let shown = ip("neigh show dev eth0");
            shown.lines().filter(|line| line.contains("INCOMPLETE")).count()
        };
        assert_eq!(waiting(), 2);
        let questions = || {
            let counters = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
            let line = counters.lines().find(|line| line.trim().starts_with("peer0:"));
            let field = line.and_then(|line| line.split_whitespace().nth(2).map(str::to_owned));
            field.unwrap().parse::<u64>().unwrap()
        };
        let before = questions();
        ip("link set peer0 up");
        let deadline = Instant::now() + PATIENCE;
        while questions() == before {
            assert!(Instant::now() < deadline, "nobody asks: {}", ip("neigh show"));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        status_where(&handle, |status| status.failed_nexthops.is_empty()).await;
        assert_eq!((questions() - before, waiting()), (1, 2));
    });
}
