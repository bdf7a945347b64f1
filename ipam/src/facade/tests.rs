//! The facade as its callers see it. Beside this: its steps one by one, bad disks, and random histories against
//! a reference.

mod disk;
mod model;
mod steps;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::IpNet;
use tempfile::TempDir;

use super::*;
use crate::blocks::Family;
use crate::error::Error;
use crate::lease::{Lease, Owner, Request};
use crate::ledger::{FILE, Op};
use crate::local::{BlockState, LedgerStep, Origin, OwnBlock};
use crate::rules::{LocalRules, PoolRule};

/// A folder in memory: the histories sync thousands of times, and the disk is not what they are about.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_123)
}

fn in_secs(secs: u64) -> SystemTime {
    now() + Duration::from_secs(secs)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn request(container: &str, wanted: &[&str]) -> Request {
    Request {
        owner: Owner::new(container, "eth0"),
        network: "pods".into(),
        pod: None,
        netns: format!("/run/netns/{container}"),
        host_ifname: format!("rb-{container}"),
        wanted: wanted.iter().map(|a| a.parse().unwrap()).collect(),
        pools: Vec::new(),
        sticky: None,
    }
}

fn sticky(container: &str, workload: &str) -> Request {
    Request {
        sticky: Some(workload.into()),
        ..request(container, &[])
    }
}

fn given(texts: &[&str]) -> Vec<(IpNet, Option<String>)> {
    texts.iter().map(|t| (net(t), None)).collect()
}

fn claimed(cidr: &str) -> OwnBlock {
    OwnBlock {
        cidr: net(cidr),
        pool: Some("main".into()),
        origin: Origin::Claimed,
        state: BlockState::Open,
    }
}

/// The same ledger as another process would find it after a kill at this very moment.
fn crash(ipam: Ipam, dir: TempDir) -> (Ipam, TempDir) {
    let after = folder();
    fs::copy(dir.path().join(FILE), after.path().join(FILE)).unwrap();
    drop(ipam);
    (Ipam::open(after.path()).unwrap(), after)
}

/// A ledger that is not new any more, with blocks that the resources give.
fn opened(blocks: &[&str]) -> (Ipam, TempDir) {
    let dir = folder();
    let ipam = Ipam::open(dir.path()).unwrap();
    ipam.set_given(given(blocks), now()).unwrap();
    assert_eq!(ipam.apply(&[LedgerStep::Known], now()), Ok(vec![true]));
    (ipam, dir)
}

fn first(ipam: &Ipam, request: &Request, now: SystemTime) -> String {
    ipam.assign(request, now).unwrap().addresses[0].to_string()
}

#[test]
fn an_owner_gets_the_same_answer_again_also_after_a_crash() {
    let (ipam, dir) = opened(&["10.0.0.0/26", "2001:db8::/64"]);
    let first = ipam.assign(&request("a", &[]), now()).unwrap();
    assert_eq!(first.addresses, [ip("10.0.0.1"), ip("2001:db8::1")]);
    let (ipam, _dir) = crash(ipam, dir);
    assert_eq!(ipam.blocks().len(), 2, "blocks outlive a restart");
    ipam.set_given(given(&["10.0.0.0/26"]), now()).unwrap();
    assert_eq!(ipam.assign(&request("a", &[]), in_secs(9)).unwrap(), first);
    assert!(matches!(
        ipam.assign(&request("a", &["10.0.0.9"]), now()),
        Err(Error::HasAnother { .. })
    ));
    let mut moved = request("a", &["10.0.0.1"]);
    moved.netns = "/run/netns/other".into();
    assert_eq!(ipam.assign(&moved, now()).unwrap().netns, "/run/netns/other");
    assert_eq!(ipam.leases().len(), 1);
}

#[test]
fn a_released_address_rests_until_all_others_had_their_turn() {
    let (mut ipam, mut dir) = opened(&["10.0.0.0/29"]);
    for turn in 1..=7 {
        let lease = ipam.assign(&request("a", &[]), now()).unwrap();
        assert_eq!(lease.addresses[0].to_string(), format!("10.0.0.{turn}"));
        assert_eq!(ipam.release(&lease.owner, now()).unwrap(), Some(lease.clone()));
        assert_eq!(ipam.release(&lease.owner, now()).unwrap(), None);
        (ipam, dir) = crash(ipam, dir);
    }
    assert_eq!(first(&ipam, &request("a", &[]), now()), "10.0.0.1");
    drop(dir);
}

#[test]
fn the_rest_outlives_a_crash_and_a_clock_that_is_set_back_does_not_prolong_it() {
    let (ipam, dir) = opened(&["10.0.0.0/30"]);
    for (container, at) in [("a", "10.0.0.1"), ("b", "10.0.0.2")] {
        assert_eq!(first(&ipam, &request(container, &[]), now()), at);
    }
    ipam.release(&Owner::new("a", "eth0"), now()).unwrap();
    let (ipam, dir) = crash(ipam, dir);
    assert_eq!(ipam.local(now()).blocks[0].free, 1, "one rests, one is free");
    assert_eq!(ipam.local(in_secs(61)).blocks[0].free, 2);
    // Years back: what rests until then is cut to the cool-down at the next change.
    let early = UNIX_EPOCH + Duration::from_secs(9);
    assert_eq!(first(&ipam, &request("c", &[]), early), "10.0.0.3");
    assert_eq!(ipam.local(early + Duration::from_secs(61)).blocks[0].free, 1);
    let (ipam, _dir) = crash(ipam, dir);
    assert_eq!(
        first(&ipam, &request("d", &[]), early + Duration::from_secs(1)),
        "10.0.0.1"
    );
}

#[test]
fn leases_outside_new_blocks_are_kept_and_reported() {
    let (ipam, _dir) = opened(&["10.0.0.0/30"]);
    let lease = ipam.assign(&request("a", &[]), now()).unwrap();
    assert_eq!(ipam.node_address(Family::V4), Some(ip("10.0.0.0")));
    let report = ipam.set_given(given(&["10.9.0.0/30"]), now()).unwrap();
    assert_eq!(report.outside, [lease]);
    assert_eq!(ipam.node_address(Family::V4), Some(ip("10.9.0.0")));
    assert_eq!(ipam.node_address(Family::V6), None);
    let both = given(&["10.9.0.0/30", "10.0.0.1/30", "10.9.0.0/31", "10.9.0.0/30"]);
    assert_eq!(ipam.set_given(both, now()).unwrap(), BlocksReport::default());
    let cidrs: Vec<String> = ipam.blocks().iter().map(|b| b.cidr.to_string()).collect();
    assert_eq!(cidrs, ["10.9.0.0/30", "10.0.0.0/30"]);
    ipam.set_given(Vec::new(), now()).unwrap();
    assert_eq!(ipam.node_address(Family::V4), None);
    assert!(matches!(
        ipam.assign(&request("b", &[]), now()),
        Err(Error::NoBlocks { .. })
    ));
}

#[test]
fn a_second_agent_is_refused() {
    let (_ipam, dir) = opened(&["10.0.0.0/30"]);
    assert!(matches!(Ipam::open(dir.path()).err(), Some(Error::InUse { .. })));
}

#[test]
fn a_workload_keeps_its_address_and_a_pool_is_noted_in_the_lease() {
    let (ipam, dir) = opened(&[]);
    assert_eq!(
        ipam.apply(&[LedgerStep::Take(claimed("10.0.0.0/29"))], now()),
        Ok(vec![true])
    );
    let db = ipam.assign(&sticky("db-1", "ns.db"), now()).unwrap();
    assert_eq!(db.pools[&ip("10.0.0.1")], "main");
    ipam.release(&db.owner, now()).unwrap();
    let (ipam, _dir) = crash(ipam, dir);
    let view = ipam.local(in_secs(99));
    assert_eq!(view.kept[&ip("10.0.0.1")], "ns.db");
    assert_eq!((view.blocks[0].used, view.blocks[0].free), (2, 6));
    for n in 2..=7 {
        assert_eq!(
            first(&ipam, &request(&format!("web-{n}"), &[]), in_secs(99)),
            format!("10.0.0.{n}")
        );
    }
    assert!(matches!(
        ipam.assign(&request("web-8", &[]), now()),
        Err(Error::Full(_))
    ));
    assert_eq!(first(&ipam, &sticky("db-2", "ns.db"), now()), "10.0.0.1");
    assert!(ipam.local(now()).kept.is_empty());
}

#[test]
fn a_pool_that_is_closed_gives_nothing_new_but_repeats_its_answer() {
    let (ipam, _dir) = opened(&[]);
    ipam.apply(&[LedgerStep::Take(claimed("10.0.0.0/29"))], now())
        .unwrap();
    let a = ipam.assign(&request("a", &[]), now()).unwrap();
    let rule = PoolRule {
        name: "main".into(),
        cidr: net("10.0.0.0/16"),
        open: false,
        automatic: true,
    };
    ipam.set_rules(LocalRules {
        pools: vec![rule],
        ..LocalRules::default()
    });
    assert_eq!(ipam.assign(&request("a", &[]), now()).unwrap(), a);
    assert!(matches!(
        ipam.assign(&request("b", &[]), now()),
        Err(Error::NoBlocks { .. })
    ));
}

#[test]
fn the_view_counts_what_is_held_rests_and_is_reserved() {
    let (ipam, _dir) = opened(&["10.0.0.0/24", "2001:db8::/64"]);
    ipam.set_rules(LocalRules {
        reserved: vec![
            net("10.0.0.128/25"),
            net("10.0.0.192/26"),
            net("10.0.0.0/31"),
            net("10.9.0.0/16"),
        ],
        ..LocalRules::default()
    });
    assert_eq!(first(&ipam, &request("a", &[]), now()), "10.0.0.2");
    ipam.assign(&request("b", &["10.0.0.200"]), now()).unwrap();
    ipam.assign(&request("c", &[]), now()).unwrap();
    ipam.release(&Owner::new("c", "eth0"), now()).unwrap();
    let four = &ipam.local(now()).blocks[0];
    assert_eq!((four.size, four.used), (256, 3), "two pods and the node");
    assert_eq!(four.free, 256 - 128 - 2 - 2, "and one rests");
    let six = &ipam.local(in_secs(61)).blocks[1];
    assert_eq!((six.size, six.used, six.free), (1 << 64, 3, (1 << 64) - 3));
}

#[test]
fn a_block_is_empty_since_it_was_seen_so() {
    let (ipam, _dir) = opened(&["10.9.0.0/24"]);
    ipam.apply(&[LedgerStep::Take(claimed("10.0.0.0/24"))], now())
        .unwrap();
    let since = |at: u64| {
        let view = ipam.local(in_secs(at));
        assert_eq!(
            view.blocks[0].empty_since, None,
            "the node's own address is in it"
        );
        view.blocks[1].empty_since
    };
    assert_eq!(since(10), Some(in_secs(10)));
    assert_eq!(since(20), Some(in_secs(10)));
    ipam.assign(&request("a", &["10.0.0.9"]), in_secs(30)).unwrap();
    ipam.release(&Owner::new("a", "eth0"), in_secs(31)).unwrap();
    assert_eq!(since(32), Some(in_secs(32)), "it was used meanwhile");
    assert_eq!(since(5), Some(in_secs(5)), "the clock was set back");
}

#[test]
fn wants_are_told_until_they_expire_and_changes_are_told_at_once() {
    let (ipam, _dir) = opened(&["10.0.0.0/30"]);
    let heard = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = heard.clone();
    ipam.on_change(Box::new(move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }));
    let before = ipam.changes();
    let error = ipam.assign(&request("a", &["10.7.0.1"]), now()).unwrap_err();
    let want = error.wants().remove(0);
    ipam.want(want.clone(), in_secs(5));
    ipam.want(want.clone(), in_secs(10));
    assert_eq!(ipam.local(in_secs(9)).wants, [want]);
    assert!(ipam.local(in_secs(10)).wants.is_empty());
    ipam.assign(&request("a", &[]), now()).unwrap();
    ipam.assign(&request("a", &[]), now()).unwrap();
    assert_eq!(
        heard.load(std::sync::atomic::Ordering::SeqCst),
        2,
        "a want and a lease"
    );
    assert_eq!(ipam.changes(), before + 2);
}
