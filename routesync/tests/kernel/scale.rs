//! Many routes: they go in in batches, and no notification is lost or costs a second look.

use std::time::{Duration, Instant};

use routesync::{DesiredRoute, RouteKey};

use crate::space::*;

const MANY: u32 = 20_000;

fn many(gateway: &str) -> impl Iterator<Item = (RouteKey, DesiredRoute)> {
    let route = via(gateway, "eth0");
    (0..MANY).map(move |i| {
        (
            key(
                &format!("10.{}.{}.{}/30", i >> 14, (i >> 6) & 255, (i & 63) << 2),
                50,
            ),
            route.clone(),
        )
    })
}

#[test]
fn twenty_thousand_routes() {
    in_namespace(|| async {
        let handle = start();
        let timed = async |what: &str, wish| {
            let start = Instant::now();
            let status = install(&handle, wish).await;
            println!("{what}: {:?}", start.elapsed());
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "{what} took {:?}",
                start.elapsed()
            );
            status
        };
        timed("install", fib(many("192.0.2.9"), true)).await;
        assert_eq!(ours(), MANY as usize);
        timed("replace", fib(many("192.0.2.8"), true)).await;
        assert_eq!(ours(), MANY as usize);
        let start = Instant::now();
        ip("route flush proto 82");
        let status = status_where(&handle, |status| {
            status.repaired >= u64::from(MANY) && status.installed == MANY as usize
        })
        .await;
        println!("flush and repair: {:?}", start.elapsed());
        assert_eq!(status.failed, []);
        assert_eq!(ours(), MANY as usize);
        let start = Instant::now();
        ip("route del 10.0.0.0/30");
        until_shown("10.0.0.0/30", |now| now.contains("proto 82")).await;
        println!("one of many repaired: {:?}", start.elapsed());
        timed("remove", fib([], true)).await;
        assert_eq!(ours(), 0);
    });
}
