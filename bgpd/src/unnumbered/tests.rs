//! What is heard, and on real links: two ends of one in a namespace of its own.

#[path = "../../tests/sockets/namespace.rs"]
mod namespace;

use super::*;
use namespace::{in_namespace, ip};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

/// In a namespace with the two ends of one link, `left` and `right`.
fn with_a_link<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    in_namespace(&[], || {
        ip("link add left type veth peer name right");
        for (end, address) in [("left", "fe80::1"), ("right", "fe80::2")] {
            ip(&format!("link set {end} addrgenmode none"));
            ip(&format!("link set {end} up"));
            ip(&format!("address add {address}/64 dev {end} nodad"));
        }
        work()
    });
}

/// Waits until somebody is found, or lost, on a link.
async fn find(discovery: &mut Discovery, interface: InterfaceName, neighbour: Option<&str>) {
    let wanted: Option<Ipv6Addr> = neighbour.map(|address| address.parse().unwrap());
    let search = async {
        loop {
            let found = discovery.found().await;
            let address = found.neighbour.map(|at| *at.ip());
            if (found.interface, address) == (interface, wanted) {
                return;
            }
        }
    };
    let search = tokio::time::timeout(DEADLINE, search);
    assert!(search.await.is_ok(), "never {wanted:?} on {interface}");
}

#[test]
fn both_ends_hear_each_other_until_the_link_is_gone() {
    with_a_link(|| async {
        let [left, right] = ["left", "right"].map(|name| name.parse().unwrap());
        let mut discovery = Discovery::default();
        discovery.listen_on(Places::from([(left, None), (right, None)]));
        find(&mut discovery, left, Some("fe80::2")).await;
        find(&mut discovery, right, Some("fe80::1")).await;
        ip("link del left");
        find(&mut discovery, left, None).await;
    });
}

#[test]
fn a_neighbour_that_does_not_advertise_is_in_the_table_or_is_configured() {
    with_a_link(|| async {
        let left: InterfaceName = "left".parse().unwrap();
        let mut discovery = Discovery::default();
        discovery.listen_on(Places::from([(left, None)]));
        find(&mut discovery, left, None).await;
        ip("neighbour add fe80::77 lladdr 02:00:00:00:00:77 dev left nud permanent");
        find(&mut discovery, left, Some("fe80::77")).await;
        ip("neighbour del fe80::77 dev left");
        find(&mut discovery, left, None).await;
        discovery.listen_on(Places::from([(left, Some("fe80::99".parse().unwrap()))]));
        find(&mut discovery, left, Some("fe80::99")).await;
    });
}

#[test]
fn only_advertisements_of_neighbours_and_solicitations_count() {
    let link: Ipv6Addr = "fe80::1".parse().unwrap();
    let global: Ipv6Addr = "2001:db8::1".parse().unwrap();
    assert_eq!(judge(&OURS, link), Some(Heard::Advertisement(Duration::ZERO)));
    let mut router = OURS;
    router[7] = 30;
    let lifetime = Duration::from_secs(30);
    assert_eq!(judge(&router, link), Some(Heard::Advertisement(lifetime)));
    assert_eq!(judge(&OURS, global), None);
    assert_eq!(judge(&OURS[..15], link), None);
    assert_eq!(judge(&ASK, link), Some(Heard::Solicitation));
    assert_eq!(judge(&ASK, Ipv6Addr::UNSPECIFIED), Some(Heard::Solicitation));
    assert_eq!(judge(&[], link), None);
    assert_eq!(judge(&[136; 24], link), None, "a neighbour advertisement");
    let mut other = OURS;
    other[1] = 1;
    assert_eq!(judge(&other, link), None, "an unknown code");
}

#[test]
fn an_interface_is_found_by_its_scope() {
    let at = |text: &str, scope| SocketAddrV6::new(text.parse().unwrap(), 0, 0, scope);
    let lo = if_nametoindex("lo").unwrap();
    assert_eq!(interface_of(at("fe80::1", lo)), Some("lo".parse().unwrap()));
    assert_eq!(interface_of(at("2001:db8::1", lo)), None);
    assert_eq!(interface_of(at("fe80::1", 4_000_000)), None);
}
