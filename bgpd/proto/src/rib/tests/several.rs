//! Peers that are told several paths of a prefix (RFC 7911).

use super::listener::Listener;
use super::recount;
use super::{address, announce, local, net, peer, reachable, session, with_transit, withdraw};
use crate::rib::{Features, PeerPolicy, PeerSession, Rib};
use crate::session::AddPathSend;
use crate::types::{Asn, PerFamily};
use crate::wire::{AsPath, Nlri, PathAttributes};
use std::sync::Arc;
use std::time::Instant;

/// Peers 0 and 1 are outside and teach; peer 3 is inside and takes several paths.
fn rib(send: AddPathSend) -> (Rib, Listener) {
    let mut rib = Rib::new(local());
    (0..2).for_each(|n| rib.peer_up(peer(n), with_transit(session(n), true)));
    rib.set_next_hops(reachable(&[
        ("192.0.2.10", 0),
        ("192.0.2.11", 0),
        ("192.0.2.12", 0),
    ]));
    let told = taker(send);
    rib.peer_up(peer(3), told.clone());
    (rib, Listener::new(&told))
}

fn taker(send: AddPathSend) -> PeerSession {
    let add_path_out = PerFamily {
        ipv4: send,
        ipv6: send,
    };
    PeerSession {
        features: Features {
            add_path_out,
            ..Features::default()
        },
        ..with_transit(session(3), true)
    }
}

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
fn teach(rib: &mut Rib, n: u8, hops: u32, path_id: Option<u32>) {
    let path = std::iter::repeat_n(Asn(65001 + u32::from(n)), hops as usize);
    let attributes = PathAttributes {
        as_path: AsPath::sequence(path),
        ..PathAttributes::default()
    };
    let mut routes = announce(
        &[net("10.1.0.0/16")],
        address(&format!("192.0.2.1{n}")),
        attributes,
    );
    routes.announced[0].nlri = vec![nlri(path_id)];
    rib.update(peer(n), routes, Instant::now());
}

fn nlri(path_id: Option<u32>) -> Nlri {
    Nlri {
        prefix: net("10.1.0.0/16"),
        path_id,
    }
}

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
fn unteach(rib: &mut Rib, n: u8, path_id: Option<u32>) {
    let mut routes = withdraw(&[net("10.1.0.0/16")]);
    routes.withdrawn[0].nlri = vec![nlri(path_id)];
    rib.update(peer(n), routes, Instant::now());
}

/// The lengths of the AS paths that the peer has, and how many messages it took to tell it.
fn told(rib: &mut Rib, listener: &mut Listener) -> (Vec<usize>, usize) {
    let before = listener.messages;
    while rib.has_pending(peer(3)) {
        let mut bytes = Vec::new();
        rib.next_updates(peer(3), &mut bytes, 1 << 16);
        listener.hear(&bytes);
    }
    let paths = listener.table.values();
    let mut lengths: Vec<usize> = paths.map(|(_, says)| says.as_path.hops()).collect();
    lengths.sort_unstable();
    (lengths, listener.messages - before)
}

#[test]
fn a_path_that_comes_or_goes_says_nothing_about_the_others() {
    let (mut rib, mut listener) = rib(AddPathSend::All);
    told(&mut rib, &mut listener);
    teach(&mut rib, 0, 2, None);
    assert_eq!(told(&mut rib, &mut listener), (vec![2], 1));
    let first = listener.table.keys().next().copied();
    teach(&mut rib, 1, 1, None);
    assert_eq!(told(&mut rib, &mut listener), (vec![1, 2], 1), "a better one");
    assert!(
        listener.table.contains_key(&first.unwrap()),
        "it keeps its number"
    );
    teach(&mut rib, 0, 3, None);
    assert_eq!(
        told(&mut rib, &mut listener),
        (vec![1, 3], 1),
        "another path, the same number"
    );
    unteach(&mut rib, 1, None);
    assert_eq!(told(&mut rib, &mut listener), (vec![3], 1));
    unteach(&mut rib, 0, None);
    assert_eq!(told(&mut rib, &mut listener), (vec![], 1));
}

#[test]
fn the_best_so_many_are_told_and_a_lost_one_is_replaced_before_it_goes() {
    let (mut rib, mut listener) = rib(AddPathSend::Best(2));
    for (n, hops) in [(0, 1), (1, 2)] {
        teach(&mut rib, n, hops, None);
    }
    teach(&mut rib, 1, 3, Some(7));
    assert_eq!(told(&mut rib, &mut listener).0, [1, 2]);
    unteach(&mut rib, 1, None);
    let mut bytes = Vec::new();
    rib.next_updates(peer(3), &mut bytes, 1 << 16);
    // What came first of the two is an announcement: its first two octets count what is withdrawn.
    assert_eq!(bytes[19..21], [0, 0], "{bytes:?}");
    listener.hear(&bytes);
    assert_eq!(told(&mut rib, &mut listener).0, [1, 3]);
}

#[test]
fn paths_of_one_peer_are_told_apart_whatever_their_identifiers_are() {
    let (mut rib, mut listener) = rib(AddPathSend::All);
    for (hops, id) in [(1, u32::MAX), (2, 0), (3, 70_000), (4, 1)] {
        teach(&mut rib, 0, hops, Some(id));
    }
    assert_eq!(told(&mut rib, &mut listener).0, [1, 2, 3, 4]);
    unteach(&mut rib, 0, Some(70_000));
    assert_eq!(told(&mut rib, &mut listener).0, [1, 2, 4]);
    rib.peer_down(peer(0));
    assert_eq!(told(&mut rib, &mut listener).0, [0_usize; 0]);
}

/// Identifiers are a peer's choice, and it may never use one twice.
#[test]
fn numbers_are_used_again() {
    let (mut rib, mut listener) = rib(AddPathSend::All);
    for id in 1..100_000 {
        teach(&mut rib, 0, 1, Some(id));
        if id > 1 {
            unteach(&mut rib, 0, Some(id - 1));
        }
        if id % 1000 == 0 {
            assert_eq!(told(&mut rib, &mut listener).0, [1], "{id}");
            recount::check(&rib);
        }
    }
    for id in 100_000..100_003 {
        teach(&mut rib, 0, 2, Some(id));
        assert_eq!(told(&mut rib, &mut listener).0.last(), Some(&2), "{id}");
        unteach(&mut rib, 0, Some(id));
    }
    rib.peer_down(peer(0));
    told(&mut rib, &mut listener);
    recount::check(&rib);
}

/// Whether what a peer inside teaches goes to others inside hangs on what it is: it need not be the best path that this is about.
#[test]
fn a_policy_that_changes_concerns_all_paths() {
    let (mut rib, mut listener) = rib(AddPathSend::All);
    let inside = session(2);
    rib.peer_up(peer(2), inside.clone());
    teach(&mut rib, 0, 1, None);
    teach(&mut rib, 2, 2, None);
    assert_eq!(told(&mut rib, &mut listener).0, [1]);
    for (client, wanted) in [(true, vec![1, 2]), (false, vec![1])] {
        let mut export = (*inside.export).clone();
        export.client = client;
        let policy = PeerPolicy {
            next_hop_v4: inside.next_hop_v4,
            next_hop_v6: inside.next_hop_v6,
            import: Arc::clone(&inside.import),
            export: Arc::new(export),
        };
        rib.peer_policy(peer(2), policy);
        assert_eq!(told(&mut rib, &mut listener).0, wanted);
    }
}

#[test]
fn a_refresh_says_all_paths_again() {
    let (mut rib, mut listener) = rib(AddPathSend::All);
    teach(&mut rib, 0, 1, None);
    teach(&mut rib, 1, 2, None);
    told(&mut rib, &mut listener);
    listener.table.clear();
    rib.refresh(peer(3), crate::types::Family::Ipv4Unicast);
    assert_eq!(told(&mut rib, &mut listener).0, [1, 2]);
}
