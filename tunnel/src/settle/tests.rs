//! A table of moments.

use super::*;

const NODE: &str = "node-b";

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn choice(encapsulation: Encapsulation) -> Choice {
    let reason = match encapsulation {
        Encapsulation::Direct => Reason::Never,
        tunnel => Reason::Always { tunnel },
    };
    Choice {
        encapsulation,
        reason,
    }
}

/// One round with one node: what is used, and when to ask again.
fn round(
    settle: &mut Settle<&'static str>,
    devices: &[Device],
    encapsulation: Encapsulation,
    now: u64,
) -> (Choice, Option<Duration>) {
    let mut choice = choice(encapsulation);
    let devices = devices.iter().copied().collect();
    let next = settle.hold(&devices, [(NODE, Family::Ipv4, &mut choice)], at(now));
    (choice, next)
}

#[test]
fn a_new_tunnel_is_used_when_others_have_it_too() {
    use Encapsulation::{Direct, Vxlan};
    let mut settle = Settle::new(SETTLE);
    assert_eq!(round(&mut settle, &[], Direct, 0), (choice(Direct), None));
    let (held, next) = round(&mut settle, &[Device::Vxlan], Vxlan, 10_000);
    assert_eq!((held.encapsulation, next), (Direct, Some(at(12_000))));
    assert_eq!(
        held.reason.to_string(),
        "Always: the pool wants a tunnel to every node: VXLAN; the tunnel is new, and other nodes may not have it yet: \
         direct for another 2.0 s"
    );
    let (held, next) = round(&mut settle, &[Device::Vxlan], Vxlan, 11_999);
    assert_eq!((held.encapsulation, next), (Direct, Some(at(12_000))));
    assert_eq!(
        round(&mut settle, &[Device::Vxlan], Vxlan, 12_000),
        (choice(Vxlan), None)
    );
}

#[test]
fn from_one_tunnel_to_another_the_old_one_is_kept() {
    use Encapsulation::{Ipip, Vxlan};
    let mut settle = Settle::new(SETTLE);
    round(&mut settle, &[Device::Vxlan], Vxlan, 0);
    let (held, _) = round(&mut settle, &[Device::Ipip], Ipip, 5000);
    assert_eq!(held.encapsulation, Vxlan);
    assert_eq!(round(&mut settle, &[Device::Ipip], Ipip, 7000).0, choice(Ipip));
}

#[test]
fn what_a_run_starts_with_is_not_held_back() {
    let mut settle = Settle::new(SETTLE);
    let first = round(&mut settle, &[Device::Vxlan], Encapsulation::Vxlan, 0);
    assert_eq!(first, (choice(Encapsulation::Vxlan), None));
}

/// `Auto` and `CrossSubnet` have their device all along: a path that changes is followed at once.
#[test]
fn a_device_that_was_there_is_used_at_once() {
    use Encapsulation::{Direct, Vxlan};
    let mut settle = Settle::new(SETTLE);
    round(&mut settle, &[Device::Vxlan], Direct, 0);
    assert_eq!(
        round(&mut settle, &[Device::Vxlan], Vxlan, 100),
        (choice(Vxlan), None)
    );
    assert_eq!(
        round(&mut settle, &[Device::Vxlan], Direct, 200),
        (choice(Direct), None)
    );
}

#[test]
fn a_node_without_a_way_before_has_nothing_to_keep() {
    let mut settle = Settle::new(SETTLE);
    let devices = BTreeSet::from([Device::Vxlan]);
    assert_eq!(settle.hold(&BTreeSet::new(), [], at(0)), None);
    let mut new = choice(Encapsulation::Vxlan);
    assert_eq!(
        settle.hold(&devices, [(NODE, Family::Ipv4, &mut new)], at(10)),
        None
    );
    assert_eq!(new, choice(Encapsulation::Vxlan));
}

/// Given up and wanted again, a device is new again: others gave theirs up as well.
#[test]
fn a_device_wanted_again_is_new_again() {
    use Encapsulation::{Direct, Vxlan};
    let mut settle = Settle::new(SETTLE);
    round(&mut settle, &[Device::Vxlan], Vxlan, 0);
    round(&mut settle, &[], Direct, 20_000);
    let (held, _) = round(&mut settle, &[Device::Vxlan], Vxlan, 60_000);
    assert_eq!(held.encapsulation, Direct);
}
