//! Links that fall, rise, vanish and come back under the same name: the kernel flushes routes silently, and numbers change.

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
