//! What a change of each field of a peer's configuration does to its session.

use super::hand::{Hand, abilities, known, speaker};
use super::*;
use crate::speaker::{Graceful, MaxPrefix, MaxPrefixAction};
use crate::types::{Family, PerFamily};

#[test]
fn each_field_costs_the_session_or_does_not() {
    type Change = fn(&mut PeerConfig);
    let rows: [(&str, bool, Change); 24] = [
        ("name", false, |p| p.name = "other".into()),
        ("remote_as", true, |p| p.remote_as = Asn(65077).into()),
        ("local_asn", true, |p| p.local_asn = Some(Asn(65088))),
        ("local_address", true, |p| {
            p.local_address = Some(address(99).into())
        }),
        ("remote_port", true, |p| p.remote_port = 1179),
        ("passive", false, |p| p.passive = true),
        ("hold_time", true, |p| p.hold_time = 30 * SECOND),
        ("min_hold_time", false, |p| p.min_hold_time = 9 * SECOND),
        ("keepalive_time", false, |p| p.keepalive_time = Some(SECOND)),
        ("connect_retry", false, |p| p.connect_retry = 60 * SECOND),
        ("advertisement_interval", false, |p| {
            p.advertisement_interval = 5 * SECOND
        }),
        ("families", true, |p| p.families = vec![Family::Ipv4Unicast]),
        ("graceful", true, |p| p.offer.graceful = None),
        ("graceful.notification", true, |p| {
            p.offer.graceful = Some(Graceful {
                time: 120,
                notification: true,
            });
        }),
        ("long_lived", true, |p| p.offer.long_lived.ipv4 = Some(60)),
        ("enhanced_refresh", true, |p| p.offer.enhanced_refresh = false),
        ("add_path", true, |p| p.offer.add_path.ipv4.receive = true),
        ("extended_next_hop", true, |p| p.offer.extended_next_hop = true),
        ("strict_role", true, |p| p.offer.strict_role = true),
        ("restart_limit", false, |p| p.restart_limit = SECOND),
        ("max_prefix", false, |p| {
            let limit = MaxPrefix {
                limit: 100,
                warn_percent: 75,
                restart: None,
                action: MaxPrefixAction::Restart,
            };
            p.max_prefix = PerFamily {
                ipv4: Some(limit),
                ipv6: Some(limit),
            };
        }),
        ("next hops", false, |p| {
            p.next_hop_v4 = Some(address(77));
            p.next_hop_v6 = Some("2001:db8::77".parse().unwrap());
        }),
        ("multihop", true, |p| p.multihop = 2),
        ("transit", false, |p| p.set_transit(true)),
    ];
    for (field, reset, change) in rows {
        let mut speaker = speaker(|_| ());
        let hand = Hand::up(&mut speaker, 1, abilities(false, false, &[]), *ORIGIN);
        hand.announce(&mut speaker, routes(5), &[], *ORIGIN);
        let mut changed = speaker.config().clone();
        change(changed.peers.get_mut(&id(1)).unwrap());
        speaker.reconfigure(changed, *ORIGIN);
        let flaps = speaker.peers(*ORIGIN)[0].counters.flaps;
        let wanted = if reset { (1, 0) } else { (0, 5) };
        assert_eq!((flaps, known(&speaker)), wanted, "{field}");
    }
}
