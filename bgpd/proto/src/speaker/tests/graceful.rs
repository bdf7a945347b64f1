//! What a peer taught, over the loss of its session and its restarts (RFC 4724).

use super::*;
use crate::types::Family;
use crate::wire::{
    Capability, DecodeContext, GracefulFamily, Message, Open, decode, encode_end_of_rib, encode_keepalive,
};

impl Pair {
    /// A peer by hand comes back to speaker 2 in place of speaker 1: a session with these bits of graceful restart, and no routes
    /// yet.
    fn back_by_hand(&mut self, restarting: bool, forwarding_kept: bool) {
        let conn = self.speakers[1].next_conn();
        self.conns[1] = conn;
        self.speakers[1].handle_incoming(conn, (address(2), 179).into(), (address(1), 999).into(), self.now);
        let families = [Family::Ipv4Unicast, Family::Ipv6Unicast];
        let open = Open {
            asn: 65001,
            hold_time: 90,
            router_id: RouterId(address(1)),
            capabilities: families
                .map(Capability::MultiProtocol)
                .into_iter()
                .chain([Capability::GracefulRestart {
                    restarting,
                    notification: false,
                    time: 120,
                    families: families
                        .map(|family| GracefulFamily {
                            family,
                            forwarding_kept,
                        })
                        .to_vec(),
                }])
                .collect(),
        };
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        encode_keepalive(&mut bytes);
        self.speakers[1].handle_bytes(conn, &bytes, self.now);
        assert_eq!(self.state(1), State::Established);
    }

    /// It announces 10.1.0.0/24 and so on, as many as that.
    fn announce_by_hand(&mut self, count: u8) {
        let attributes = crate::wire::PathAttributes {
            as_path: crate::wire::AsPath::default().prepended(Asn(65001)),
            ..Default::default()
        };
        let mut bytes = Vec::new();
        let nlri = routes(count)
            .into_keys()
            .map(crate::wire::Nlri::from)
            .collect::<Vec<_>>();
        crate::wire::encode_announcements(
            &mut bytes,
            &crate::wire::EncodeContext {
                four_octet: false,
                ..Default::default()
            },
            &attributes,
            Family::Ipv4Unicast,
            crate::wire::NextHop::V4(address(1)),
            nlri,
        )
        .unwrap();
        self.speakers[1].handle_bytes(self.conns[1], &bytes, self.now);
    }

    fn reconfigure(&mut self, change: impl FnOnce(&mut PeerConfig)) {
        let mut changed = config(2, &[1]);
        change(changed.peers.get_mut(&id(1)).unwrap());
        self.speakers[1].reconfigure(changed, self.now);
    }

    /// It has said all that it has of IPv4.
    fn end_of_rib_by_hand(&mut self) {
        let mut bytes = Vec::new();
        encode_end_of_rib(&mut bytes, Family::Ipv4Unicast);
        self.speakers[1].handle_bytes(self.conns[1], &bytes, self.now);
    }
}

#[test]
fn a_peer_that_restarts_loses_only_what_it_does_not_say_again() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    pair.cut();
    assert_eq!(pair.known(1), 10, "the routes outlive the session");
    assert!(pair.speakers[1].peers(pair.now)[0].retained_until.is_some());
    pair.now += 5 * SECOND;
    pair.restart(routes(4));
    assert_eq!(pair.known(1), 4, "at End-of-RIB the others are gone");
    assert_eq!(pair.speakers[1].peers(pair.now)[0].retained_until, None);
    let status = &pair.speakers[1].peers(pair.now)[0];
    assert_eq!(status.families[0].received, 4);
}

#[test]
fn only_a_restart_that_lost_its_forwarding_costs_routes_before_end_of_rib() {
    // R bit, F bit, what is known between the return of the session and End-of-RIB.
    for (restarting, kept, known) in [
        (true, true, 10),
        (true, false, 0),
        // A mere reset of the TCP connection, as BIRD tells it, and as FRR does.
        (false, false, 10),
        (false, true, 10),
    ] {
        let mut pair = Pair::new();
        pair.speakers[0].originate(routes(10), pair.now);
        pair.settle();
        pair.cut();
        pair.now += 5 * SECOND;
        pair.back_by_hand(restarting, kept);
        let bits = format!("R {restarting}, F {kept}");
        assert_eq!(pair.known(1), known, "{bits}: before End-of-RIB");
        pair.end_of_rib_by_hand();
        assert_eq!(pair.known(1), 0, "{bits}: after End-of-RIB");
    }
}

#[test]
fn stale_routes_of_a_peer_that_never_ends_its_feed_go_in_time() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    pair.cut();
    pair.back_by_hand(false, false);
    let until = pair.speakers[1].peers(pair.now)[0].retained_until.unwrap();
    assert_eq!(until, pair.now + 360 * SECOND);
    while pair.now < until {
        assert_eq!(pair.known(1), 10);
        pair.now += 30 * SECOND;
        let mut alive = Vec::new();
        encode_keepalive(&mut alive);
        pair.speakers[1].handle_bytes(pair.conns[1], &alive, pair.now);
        pair.speakers[1].handle_timeout(pair.now);
    }
    assert_eq!(pair.known(1), 0);
    assert_eq!(pair.state(1), State::Established);
}

#[test]
fn our_open_says_that_we_restarted_until_we_are_fed_and_always_that_we_forward() {
    let said = |speaker: &mut Speaker, conn, now| {
        let mut bytes = Vec::new();
        speaker.transmit(conn, &mut bytes, 4096, now);
        let Ok(Some((Message::Open(open), _))) = decode(&bytes, &DecodeContext::default()) else {
            panic!("no OPEN in {bytes:?}")
        };
        open.capabilities
            .iter()
            .find_map(|c| match c {
                Capability::GracefulRestart {
                    restarting, families, ..
                } => Some((
                    *restarting,
                    families.iter().all(|f| f.forwarding_kept) && families.len() == 2,
                )),
                _ => None,
            })
            .expect("graceful restart is announced")
    };
    // New, and not fed yet.
    let mut speakers = [
        Speaker::new(config(1, &[2]), *ORIGIN),
        Speaker::new(config(2, &[1]), *ORIGIN),
    ];
    let conns = connect(&mut speakers, *ORIGIN);
    assert_eq!(said(&mut speakers[0], conns[0], *ORIGIN), (true, true));
    // After a reset of a session that was fed.
    let mut pair = Pair::new();
    pair.cut();
    let again = pair.speakers[1].next_conn();
    pair.speakers[1].handle_incoming(
        again,
        (address(2), 179).into(),
        (address(1), 999).into(),
        pair.now,
    );
    assert_eq!(said(&mut pair.speakers[1], again, pair.now), (false, true));
}

#[test]
fn a_peer_that_does_not_come_back_is_forgotten_in_time() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    pair.cut();
    let until = pair.speakers[1].peers(pair.now)[0].retained_until.unwrap();
    assert_eq!(until, pair.now + 120 * SECOND);
    pair.speakers[1].handle_timeout(until - SECOND);
    assert_eq!(pair.known(1), 10);
    assert!(pair.speakers[1].poll_timeout().unwrap() <= until);
    pair.speakers[1].handle_timeout(until);
    assert_eq!(pair.known(1), 0);
}

#[test]
fn a_peer_that_says_goodbye_or_falls_silent_is_forgotten_at_once() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    pair.speakers[1].handle_timeout(pair.now + 91 * SECOND);
    assert_eq!(pair.known(1), 0, "the hold timer says that the peer is dead");

    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    pair.speakers[0].shutdown(None, pair.now);
    for action in actions(&mut pair.speakers[0]) {
        if let Action::Close { conn, last_words } = action
            && conn == pair.conns[0]
        {
            pair.speakers[1].handle_bytes(pair.conns[1], &last_words, pair.now);
        }
    }
    assert_eq!(pair.known(1), 0, "Cease is no restart");
}

#[test]
fn nothing_is_kept_of_a_peer_that_is_removed_or_changed() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    pair.cut();
    pair.speakers[1].reconfigure(config(2, &[]), pair.now);
    assert_eq!(pair.known(1), 0);
}

#[test]
fn a_change_of_policy_between_return_and_end_of_rib_leaves_nothing_stale() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    pair.cut();
    pair.back_by_hand(true, true);
    pair.reconfigure(|peer| peer.set_transit(true));
    assert_eq!(pair.known(1), 10);
    pair.announce_by_hand(4);
    pair.end_of_rib_by_hand();
    assert_eq!(pair.known(1), 4);
}

#[test]
fn a_new_name_costs_no_retained_route_and_another_as_all() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    pair.cut();
    pair.reconfigure(|peer| peer.name = "renamed".into());
    assert_eq!(pair.known(1), 10);
    assert!(pair.speakers[1].peers(pair.now)[0].retained_until.is_some());
    pair.reconfigure(|peer| peer.remote_as = Asn(65077).into());
    assert_eq!(pair.known(1), 0);
    assert_eq!(pair.speakers[1].peers(pair.now)[0].retained_until, None);
}

#[test]
fn what_was_not_said_again_before_the_next_loss_is_gone() {
    for (said, left) in [(0, 0), (5, 5)] {
        let mut pair = Pair::new();
        pair.speakers[0].originate(routes(10), pair.now);
        pair.settle();
        pair.cut();
        pair.back_by_hand(true, true);
        if said > 0 {
            pair.announce_by_hand(said);
        }
        assert_eq!(pair.known(1), 10);
        pair.speakers[1].handle_closed(pair.conns[1], "reset".into(), pair.now);
        assert_eq!(pair.known(1), left, "{said} said again");
    }
}

#[test]
fn a_family_that_is_switched_off_is_not_retained_any_more() {
    let mut pair = Pair::new();
    pair.cut();
    pair.back_by_hand(true, true);
    pair.end_of_rib_by_hand();
    assert!(
        pair.speakers[1].peers(pair.now)[0].retained_until.is_some(),
        "IPv6"
    );
    // MP_REACH_NLRI of IPv6 with a next hop of no octets.
    let mut bytes = vec![0xff; 16];
    bytes.extend([0, 31, 2, 0, 0, 0, 8, 0x80, 14, 5, 0, 2, 1, 0, 0]);
    pair.speakers[1].handle_bytes(pair.conns[1], &bytes, pair.now);
    let status = &pair.speakers[1].peers(pair.now)[0];
    assert!(status.families[1].disabled);
    assert_eq!(status.retained_until, None);
}

#[test]
fn a_peer_that_boots_within_the_hold_time_is_taken_up_with_its_routes() {
    let mut pair = Pair::new();
    pair.speakers[0].originate(routes(10), pair.now);
    pair.settle();
    // Its power fails: nobody closes the connection of before.
    pair.now += 30 * SECOND;
    pair.back_by_hand(true, true);
    assert_eq!(pair.known(1), 10);
    pair.announce_by_hand(10);
    pair.end_of_rib_by_hand();
    assert_eq!(pair.known(1), 10);
    assert_eq!(pair.speakers[1].peers(pair.now)[0].counters.flaps, 1);
}
