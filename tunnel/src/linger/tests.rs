//! A table of moments, and the law: nothing wanted is ever missing, nothing kept outlives its time.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::diff::arbitrary::a_desired;

const KEEP: Duration = Duration::from_secs(5);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn remote(host: u8) -> Remote {
    let endpoint = IpAddr::from([192, 0, 2, host]);
    Remote {
        endpoint,
        mac: [0x66, 0, 0, 0, 1, host],
        gateway: endpoint,
    }
}

fn key(node: &str) -> RemoteKey {
    RemoteKey::new(node, Family::Ipv4)
}

fn both() -> DesiredTunnels {
    DesiredTunnels {
        vxlan: Some(VxlanDevice {
            vni: 4096,
            port: 4789,
            local: "192.0.2.11".parse().unwrap(),
            mtu: 1450,
            mac: [0x66, 0, 0, 0, 0, 1],
            address: None,
        }),
        ipip: Some(IpipDevice {
            local: "192.0.2.11".parse().unwrap(),
            mtu: 1480,
            address: None,
        }),
        remotes: [(key("b"), remote(12)), (key("c"), remote(13))].into(),
        sweep: true,
        ..DesiredTunnels::default()
    }
}

/// After a first sweep that is long over.
fn started() -> Linger {
    let mut linger = Linger::new(KEEP);
    linger.take(Arc::new(both()), at(0));
    linger
}

#[test]
fn the_first_sweep_waits_and_later_ones_do_not() {
    let mut linger = started();
    assert!(!linger.effective(at(4)).sweep);
    assert_eq!(linger.next(at(4)), Some(at(5)));
    assert!(linger.effective(at(5)).sweep);
    assert_eq!(linger.next(at(5)), None);
    linger.take(Arc::new(both()), at(9));
    assert!(linger.effective(at(9)).sweep);
    let unfed = DesiredTunnels {
        sweep: false,
        ..both()
    };
    linger.take(Arc::new(unfed), at(10));
    assert!(!linger.effective(at(30)).sweep);
}

#[test]
fn a_device_and_its_remotes_stay_for_a_while() {
    let mut linger = started();
    let none = DesiredTunnels {
        sweep: true,
        ..DesiredTunnels::default()
    };
    linger.take(Arc::new(none.clone()), at(10));
    assert_eq!(linger.effective(at(14)), both());
    assert!(!linger.expire(at(14)));
    assert_eq!(linger.next(at(14)), Some(at(15)));
    assert!(linger.expire(at(15)));
    assert_eq!(linger.effective(at(15)), none);
    assert_eq!(linger.next(at(15)), None);
}

#[test]
fn what_is_wanted_again_is_no_longer_kept() {
    let mut linger = started();
    let mut fewer = both();
    fewer.remotes.remove(&key("c"));
    fewer.ipip = None;
    linger.take(Arc::new(fewer), at(10));
    let mut again = both();
    again.remotes.insert(key("c"), remote(99));
    linger.take(Arc::new(again.clone()), at(12));
    assert_eq!(linger.effective(at(12)), again);
    assert_eq!(linger.next(at(12)), None);
}

#[test]
fn a_second_change_does_not_lengthen_the_first() {
    let mut linger = started();
    let mut fewer = both();
    fewer.remotes.remove(&key("c"));
    linger.take(Arc::new(fewer.clone()), at(10));
    fewer.remotes.remove(&key("b"));
    linger.take(Arc::new(fewer), at(13));
    linger.expire(at(15));
    assert_eq!(linger.effective(at(15)).remotes, [(key("b"), remote(12))].into());
    linger.expire(at(18));
    assert!(linger.effective(at(18)).remotes.is_empty());
}

#[test]
fn a_node_with_another_name_takes_its_place_at_once() {
    let mut linger = started();
    let mut renamed = both();
    renamed.remotes = [(key("d"), remote(12))].into();
    linger.take(Arc::new(renamed), at(10));
    let expected = [(key("c"), remote(13)), (key("d"), remote(12))].into();
    assert_eq!(linger.effective(at(10)).remotes, expected);
}

proptest! {
    #[test]
    fn nothing_wanted_is_missing_and_nothing_outlives_its_time(
        steps in prop::collection::vec((a_desired(), 0u64..8), 1..8),
    ) {
        let mut linger = Linger::new(KEEP);
        let mut now = 0;
        let mut history: Vec<(u64, DesiredTunnels)> = Vec::new();
        for (desired, pause) in steps {
            now += pause;
            linger.take(Arc::new(desired.clone()), at(now));
            linger.expire(at(now));
            let effective = linger.effective(at(now));
            for (key, remote) in &desired.remotes {
                prop_assert_eq!(effective.remotes.get(key), Some(remote));
            }
            for (device, config) in desired.vxlans() {
                prop_assert!(effective.vxlans().any(|(d, c)| d == device && c == config));
            }
            prop_assert_eq!(&effective.loopback, &desired.loopback);
            // What is kept was wanted by a state that was replaced no longer ago than the time it is kept.
            history.push((now, desired.clone()));
            for key in effective.remotes.keys().filter(|key| !desired.remotes.contains_key(*key)) {
                let replaced = history.windows(2).any(|pair| match pair {
                    [(_, old), (at, _)] => old.remotes.contains_key(key) && at + KEEP.as_secs() > now,
                    _ => false,
                });
                prop_assert!(replaced, "{key:?}");
            }
        }
        linger.expire(at(now) + KEEP);
        let last = &history.last().expect("at least one step").1;
        let settled = linger.effective(at(now) + KEEP);
        prop_assert_eq!(&settled.remotes, &last.remotes);
        prop_assert_eq!((&settled.vxlan, &settled.vxlan6, &settled.ipip), (&last.vxlan, &last.vxlan6, &last.ipip));
        prop_assert_eq!(settled.sweep, last.sweep);
    }

    /// With no time to keep there is nothing between wanted and effective.
    #[test]
    fn zero_keeps_nothing(steps in prop::collection::vec(a_desired(), 1..5)) {
        let mut linger = Linger::new(Duration::ZERO);
        for desired in steps {
            linger.take(Arc::new(desired.clone()), at(1));
            linger.expire(at(1));
            prop_assert_eq!(linger.effective(at(1)), desired);
        }
    }
}
