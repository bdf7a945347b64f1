//! Agents that start in any order, late or again: the cluster converges, and every node has every route.

use std::time::Duration;

use crate::support::{Fabric, SOON, check, eventually, kernel, pair, stays, view, within};

fn full_mesh(fabric: &Fabric, nodes: u8) {
    for node in 1..=nodes {
        let name = format!("n{node}");
        eventually("all sessions of the node", || {
            view::converged(fabric, &name, usize::from(nodes) - 1)
        });
        for other in (1..=nodes).filter(|other| *other != node) {
            eventually("the route to the other node", || {
                kernel::route_via(
                    fabric,
                    &name,
                    &format!("10.244.{other}.0/24"),
                    &pair::address(other),
                )
            });
        }
    }
}

fn start(fabric: &Fabric, node: &str) {
    fabric.start_agent(node).expect("the agent starts");
    fabric.wait_agent(node, SOON).expect("the agent answers");
}

fn in_order(first: &str, second: &str, alone: Duration) {
    let fabric = pair::wire("order", 2).up_without_agents();
    start(&fabric, first);
    stays(alone, "the agent that is alone", || {
        let status = view::status(&fabric, first)?;
        check(
            status.peers.established == 0 && status.datastore.state == "ok",
            || format!("{status:?}"),
        )
    });
    start(&fabric, second);
    full_mesh(&fabric, 2);
}

#[test]
fn the_first_node_first() {
    in_order("n1", "n2", Duration::ZERO);
}

#[test]
fn the_second_node_first() {
    in_order("n2", "n1", Duration::ZERO);
}

#[test]
fn one_node_long_before_the_other() {
    // Longer than the time between two attempts to connect.
    in_order("n1", "n2", Duration::from_secs(7));
}

#[test]
fn both_at_the_same_moment() {
    let fabric = pair::wire("order", 2).up_without_agents();
    std::thread::scope(|scope| {
        for node in ["n1", "n2"] {
            let fabric = &fabric;
            scope.spawn(move || start(fabric, node));
        }
    });
    full_mesh(&fabric, 2);
}

#[test]
fn one_of_three_starts_again() {
    let fabric = pair::wire("order", 3).up();
    full_mesh(&fabric, 3);
    fabric.stop_agent("n2").expect("the agent ends");
    within(Duration::from_secs(5), "the others see it go", || {
        view::down(&fabric, "n1", &pair::address(2))
    });
    assert!(
        view::established(&fabric, "n1", &pair::address(3)).is_ok(),
        "the others keep their session"
    );
    start(&fabric, "n2");
    full_mesh(&fabric, 3);
    let third = view::peer(&fabric, "n1", &pair::address(3)).expect("the session exists");
    assert_eq!(
        third.flaps, 0,
        "the session between the other two was disturbed: {third:?}"
    );
}
