//! What a change would do.

use super::*;

#[test]
fn a_change_of_mode_is_told_apart_in_all_that_follows_from_it() {
    let rib = rib(&[("10.244.2.0/24", &[(IBGP, "192.0.2.12")])]);
    let (old, new) = (plan("Never"), plan("Always"));
    let (was, is) = (decided(&old, &rib, &[]), decided(&new, &rib, &[]));
    assert_eq!(difference::between((&old, &was), (&old, &was)), []);
    let found = difference::between((&old, &was), (&new, &is));
    let of = |part, subject: &str| {
        found
            .iter()
            .find(|d| d.part == part && d.subject == subject)
            .unwrap_or_else(|| panic!("{part:?} {subject}: {found:#?}"))
    };
    let route = of(Part::Route, "10.244.2.0/24");
    assert_eq!(route.change, Change::Change);
    let ways: Vec<&str> = route.detail.split(" -> ").collect();
    assert!(
        ways[0].contains("dev eth0") && ways[1].contains("dev rb-vxlan"),
        "{ways:?}"
    );
    assert_eq!(of(Part::Device, "rb-vxlan").change, Change::Add);
    let path = of(Part::Encapsulation, "near/pods");
    assert!(
        path.detail.contains("direct") && path.detail.contains("vxlan"),
        "{}",
        path.detail
    );
    assert!(
        !found
            .iter()
            .any(|d| matches!(d.part, Part::Peer | Part::Announcement)),
        "{found:#?}"
    );
}

#[test]
fn a_changed_peer_says_whether_its_session_survives() {
    let old = plan("Never");
    let was = decided(&old, &rib(&[]), &[]);
    let id = PeerId::Address(ip("192.0.2.12"));
    let changed = |change: fn(&mut bgpd_proto::speaker::PeerConfig)| {
        let mut new = old.clone();
        change(new.speaker.peers.get_mut(&id).unwrap());
        difference::between((&old, &was), (&new, &was)).remove(0)
    };
    let kept = changed(|p| p.set_transit(true));
    assert!(kept.detail.ends_with("the session stays"), "{}", kept.detail);
    let watched = changed(|p| p.bfd = None);
    assert_eq!(
        watched.detail,
        "BFD multihop, 300 ms out, 300 ms in, times 3 -> off; the session stays"
    );
    let anew = changed(|p| p.remote_port = 1179);
    assert!(
        anew.detail.contains("port 179 -> 1179; the session starts anew"),
        "{}",
        anew.detail
    );
    let mut without = old.clone();
    without.speaker.peers.clear();
    let gone = difference::between((&old, &was), (&without, &was));
    assert!(
        gone.iter()
            .all(|d| d.part == Part::Peer && d.change == Change::Remove)
    );
    assert_eq!(gone.len(), 2);
}
