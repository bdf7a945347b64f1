//! What others do to our routes is put right, and what is theirs is left alone.

use std::time::Duration;

use crate::support::{Fabric, check, eventually, kernel, pair, stays, view, within};

/// Repair follows the kernel's notice, it does not wait for an audit.
const AT_ONCE: Duration = Duration::from_secs(5);
const OTHER: &str = "10.244.2.0/24";
const OWN: &str = "10.244.1.0/24";

/// Two nodes, a pod on the first, and routes of other owners, one of them inside the pool.
fn fabric() -> Fabric {
    let fabric = pair::wire("repair", 2).pod("p1", "n1").up();
    eventually("the session of the nodes", || view::converged(&fabric, "n1", 1));
    eventually("the route to the other node", || {
        kernel::route(&fabric, "n1", OTHER)
    });
    for foreign in [
        "198.18.0.0/24 via 192.0.2.12 proto static",
        "198.18.1.0/24 via 192.0.2.12 proto 83",
        "10.244.200.0/24 via 192.0.2.12 proto static metric 1082",
        "blackhole 198.18.2.0/24",
    ] {
        fabric.run("n1", &format!("ip route add {foreign}"));
    }
    fabric
}

fn ours(fabric: &Fabric) -> Vec<String> {
    kernel::ours(fabric, "n1")
        .values()
        .map(ToString::to_string)
        .collect()
}

/// All routes of others, as text.
fn foreign(fabric: &Fabric) -> Vec<String> {
    let all = fabric.run("n1", "ip route show");
    all.lines()
        .filter(|line| !line.contains("proto 82"))
        .map(str::to_owned)
        .collect()
}

fn repaired(fabric: &Fabric) -> u64 {
    view::status(fabric, "n1")
        .expect("the agent answers")
        .routes
        .repaired
}

/// Does something to the routes, and sees all of them as before.
fn put_right(fabric: &Fabric, deeds: &[String]) {
    let (wanted, theirs, count) = (ours(fabric), foreign(fabric), repaired(fabric));
    for deed in deeds {
        fabric.run("n1", deed);
    }
    within(AT_ONCE, "the repair", || {
        check(ours(fabric) == wanted, || {
            format!("{:?} for {wanted:?}", ours(fabric))
        })
    });
    eventually("the count of repairs", || {
        check(repaired(fabric) > count, || format!("{count}"))
    });
    assert_eq!(foreign(fabric), theirs, "routes of others after {deeds:?}");
}

#[test]
fn a_deleted_route_comes_back() {
    let fabric = fabric();
    put_right(&fabric, &[format!("ip route del {OTHER} proto 82")]);
    put_right(&fabric, &[format!("ip route del blackhole {OWN} proto 82")]);
    let pod = fabric.pod_address("p1").expect("the pod has an address");
    put_right(&fabric, &[format!("ip route del {pod} proto 82")]);
}

#[test]
fn flushed_routes_come_back() {
    let fabric = fabric();
    assert!(
        ours(&fabric).len() >= 3,
        "block, pod and the other node: {:?}",
        ours(&fabric)
    );
    // `ip route flush` cannot: it sends a route back as it was shown, with the object and what is in it, which the
    // kernel refuses.
    let deeds: Vec<String> = (kernel::ours(&fabric, "n1").iter())
        .map(|(destination, route)| {
            let kind = kernel::text(route, "type");
            format!("ip route del {kind} {destination} proto 82")
        })
        .collect();
    put_right(&fabric, &deeds);
}

#[test]
fn a_changed_route_is_put_right() {
    let fabric = fabric();
    put_right(
        &fabric,
        &[format!(
            "ip route replace {OTHER} via 192.0.2.99 dev eth1 proto 82 metric 1082"
        )],
    );
    put_right(
        &fabric,
        &[format!("ip route replace blackhole {OTHER} proto 82 metric 1082")],
    );
}

#[test]
fn a_route_under_our_mark_that_nobody_wants_goes() {
    let fabric = fabric();
    let wanted = ours(&fabric);
    fabric.run("n1", "ip route add 198.18.9.0/24 via 192.0.2.12 proto 82");
    within(AT_ONCE, "the end of the stray route", || {
        kernel::no_route(&fabric, "n1", "198.18.9.0/24")
    });
    assert_eq!(ours(&fabric), wanted);
}

#[test]
fn with_repair_off_a_deleted_route_stays_away_and_status_says_so() {
    let builder = pair::wire("norepair", 2).agent_settings("repair: false\n");
    let fabric = builder.up();
    eventually("the session of the nodes", || view::converged(&fabric, "n1", 1));
    eventually("the route to the other node", || {
        kernel::route(&fabric, "n1", OTHER)
    });
    fabric.run("n1", &format!("ip route del {OTHER} proto 82"));
    stays(Duration::from_secs(3), "the missing route", || {
        kernel::no_route(&fabric, "n1", OTHER)
    });
    eventually("the agent says so", || {
        let status = view::status(&fabric, "n1")?;
        let said = status
            .problems
            .iter()
            .any(|p| p.part == "kernel" && p.message.contains("repair"));
        check(said, || format!("{:?}", status.problems))
    });
}
