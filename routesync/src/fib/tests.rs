//! The mirror, case by case.

use super::*;

fn route(protocol: u8, index: u32) -> KernelRoute {
    KernelRoute::on_link(Protocol(protocol), index)
}

fn event(change: RouteChange, route: KernelRoute, destination: &str) -> RouteEvent {
    let key = RouteKey::main(destination.parse().unwrap(), Metric(7));
    RouteEvent { key, route, change }
}

#[test]
fn follows_adding_replacing_and_removing() {
    let mut fib = Fib::new(Protocol(82));
    let add = event(RouteChange::Added, route(4, 1), "10.0.0.0/8");
    assert_eq!(fib.apply(&add), Applied::Changed);
    assert_eq!(fib.apply(&add), Applied::Nothing);
    assert_eq!(fib.foreign(&add.key).len(), 1);
    // Someone replaces the static route by one with our mark: ownership follows the mark.
    let replace = event(RouteChange::Replaced, route(82, 2), "10.0.0.0/8");
    assert_eq!(fib.apply(&replace), Applied::Changed);
    assert!(fib.foreign(&add.key).is_empty());
    assert_eq!(fib.ours(&add.key), &[route(82, 2)]);
    let remove = event(RouteChange::Removed, route(82, 2), "10.0.0.0/8");
    assert_eq!(fib.apply(&remove), Applied::Changed);
    assert_eq!(fib.apply(&remove), Applied::Nothing);
    assert_eq!(fib.our_keys().count(), 0);
}

#[test]
fn admits_what_a_notification_leaves_open() {
    let mut fib = Fib::new(Protocol(82));
    fib.apply(&event(RouteChange::Added, route(4, 1), "10.0.0.0/8"));
    fib.apply(&event(RouteChange::Added, route(4, 2), "10.0.0.0/8"));
    let replace = event(RouteChange::Replaced, route(4, 3), "10.0.0.0/8");
    assert_eq!(fib.apply(&replace), Applied::Unsure);
    let stranger = event(RouteChange::Removed, route(4, 9), "10.0.0.0/8");
    assert_eq!(fib.apply(&stranger), Applied::Unsure);
    fib.apply(&event(RouteChange::Added, route(4, 1), "fd00::/8"));
    assert_eq!(
        fib.apply(&event(RouteChange::Added, route(4, 2), "fd00::/8")),
        Applied::Changed
    );
    let mut gatewayed = route(82, 2);
    gatewayed.hops[0].gateway = Some("fd00::1".parse().unwrap());
    let sibling = event(RouteChange::Added, gatewayed, "fd00::/8");
    assert_eq!(fib.apply(&sibling), Applied::Unsure);
}

#[test]
fn a_link_that_goes_takes_its_routes_along() {
    let mut fib = Fib::new(Protocol(82));
    fib.apply(&event(RouteChange::Added, route(4, 1), "10.0.0.0/8"));
    fib.apply(&event(RouteChange::Added, route(4, 2), "10.0.0.0/8"));
    fib.apply(&event(RouteChange::Added, route(82, 1), "10.1.0.0/16"));
    let staying = event(RouteChange::Added, route(82, 2), "10.2.0.0/16");
    fib.apply(&staying);
    let went = fib.link_gone(1).unwrap();
    assert_eq!(went, [RouteKey::main("10.1.0.0/16".parse().unwrap(), Metric(7))]);
    assert_eq!(fib.foreign_routes(&Mirror::default()).len(), 1);
    assert_eq!(fib.our_keys().collect::<Vec<_>>(), [&staying.key]);
    // The kernel may say it as well.
    let said = event(RouteChange::Removed, route(82, 1), "10.1.0.0/16");
    assert_eq!(fib.apply(&said), Applied::Nothing);
    // What becomes of a route with another hop is for the kernel to say.
    let mut spread = route(4, 1);
    spread.hops.push(route(4, 2).hops[0]);
    fib.apply(&event(RouteChange::Added, spread, "10.3.0.0/16"));
    assert_eq!(fib.link_gone(2), None);
    assert_eq!(fib.ours(&staying.key).len(), 1);
}

#[test]
fn revives_dead_hops_and_knows_preferred_sources() {
    let mut fib = Fib::new(Protocol(82));
    let mut dead = route(82, 3);
    dead.hops[0].usable = false;
    dead.preferred_source = "10.0.0.1".parse().ok();
    fib.apply(&event(RouteChange::Added, dead, "10.1.0.0/16"));
    fib.apply(&event(RouteChange::Added, route(82, 4), "10.2.0.0/16"));
    let key = RouteKey::main("10.1.0.0/16".parse().unwrap(), Metric(7));
    assert_eq!(fib.link_alive(4), []);
    assert_eq!(fib.link_alive(3), [key]);
    assert!(fib.ours(&key)[0].hops[0].usable);
    assert_eq!(fib.link_alive(3), []);
    assert!(fib.prefers("10.0.0.1".parse().unwrap()) && !fib.prefers("10.0.0.2".parse().unwrap()));
}

#[test]
fn knows_which_objects_are_used() {
    let mut fib = Fib::new(Protocol(82));
    let over = |id: Option<u32>| KernelRoute {
        nexthop: id.map(NexthopId),
        ..route(82, 1)
    };
    let used = |fib: &Fib| {
        fib.refers(&[1, 2].map(NexthopId).into())
            .iter()
            .map(|id| id.0)
            .collect::<Vec<_>>()
    };
    let at = |change, id, destination| event(change, over(id), destination);
    fib.apply(&at(RouteChange::Added, Some(1), "10.0.0.0/8"));
    fib.apply(&at(RouteChange::Added, Some(1), "10.1.0.0/16"));
    fib.apply(&at(RouteChange::Replaced, Some(1), "10.1.0.0/16"));
    assert_eq!(used(&fib), [1]);
    fib.apply(&at(RouteChange::Replaced, Some(2), "10.1.0.0/16"));
    assert_eq!(used(&fib), [1, 2]);
    fib.apply(&at(RouteChange::Removed, Some(1), "10.0.0.0/8"));
    assert_eq!(used(&fib), [2]);
    assert_eq!(fib.nexthops_gone(&[NexthopId(1)]), []);
    fib.apply(&at(RouteChange::Replaced, None, "10.1.0.0/16"));
    assert_eq!(used(&fib), []);
    fib.apply(&at(RouteChange::Added, Some(2), "10.2.0.0/16"));
    assert_eq!(fib.nexthops_gone(&[NexthopId(2)]).len(), 1);
    assert_eq!((used(&fib), fib.our_count()), (vec![], 1));
}

#[test]
fn only_the_main_table_is_published() {
    let mut fib = Fib::new(Protocol(82));
    fib.apply(&event(RouteChange::Added, route(4, 1), "10.0.0.0/8"));
    let mut other = event(RouteChange::Added, route(4, 1), "10.1.0.0/16");
    other.key.table = Table(100);
    fib.apply(&other);
    fib.apply(&event(RouteChange::Added, route(82, 1), "10.2.0.0/16"));
    let published: Vec<_> = fib
        .foreign_routes(&Mirror::default())
        .iter()
        .map(|r| r.destination.to_string())
        .collect();
    assert_eq!(published, ["10.0.0.0/8"]);
}

#[test]
fn follows_our_own_writes() {
    let mut fib = Fib::new(Protocol(82));
    let key = RouteKey::main("10.0.0.0/8".parse().unwrap(), Metric(7));
    let over = |id| KernelRoute {
        nexthop: Some(NexthopId(id)),
        ..route(82, 1)
    };
    fib.wrote(key, over(1));
    fib.wrote(key, over(2));
    assert_eq!(fib.ours(&key), &[over(2)]);
    assert_eq!(fib.refers(&[1, 2].map(NexthopId).into()), [NexthopId(2)].into());
    assert!(fib.removed(&key));
    assert!(fib.refers(&[1, 2].map(NexthopId).into()).is_empty() && fib.our_count() == 0);
    // Somebody doubled ours: a removal takes the first.
    let mut doubled = Fib::load(
        Protocol(82),
        vec![(key, over(2)), (key, route(4, 1)), (key, over(3))],
    );
    assert!(!doubled.removed(&key));
    assert_eq!(
        (doubled.ours(&key), doubled.foreign(&key)),
        (&[over(3)][..], &[route(4, 1)][..])
    );
    assert!(doubled.removed(&key) && doubled.removed(&key));
}
