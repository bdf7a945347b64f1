//! The rules one by one, on books made by hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::lease::{Lease, Owner};
use crate::ledger::{Book, Cooling, Op};
use crate::local::{BlockState, Borrowed, Lent, Origin, OwnBlock, Want};
use crate::rules::{LocalRules, PoolRule};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn in_secs(secs: u64) -> SystemTime {
    now() + Duration::from_secs(secs)
}

/// Blocks written as `cidr pool`, each with the node's own address.
fn book(blocks: &[&str]) -> Book {
    let mut book = Book::default();
    let own = |text: &&str| {
        let (cidr, pool) = text.split_once(' ').unwrap_or((text, ""));
        OwnBlock {
            cidr: cidr.parse().unwrap(),
            pool: (!pool.is_empty()).then(|| pool.to_owned()),
            origin: Origin::Claimed,
            state: BlockState::Open,
        }
    };
    book.apply(&Op::Blocks(blocks.iter().map(own).collect()));
    for family in Family::ALL {
        let node = book.node_address(family, &[]);
        book.apply(&Op::Node(family, node));
    }
    book
}

fn take(book: &mut Book, addresses: &[&str]) {
    for address in addresses {
        book.apply(&Op::PutLease(Lease {
            owner: Owner::new(*address, "eth0"),
            network: String::new(),
            pod: None,
            addresses: vec![ip(address)],
            host_ifname: String::new(),
            netns: String::new(),
            sticky: None,
            pools: BTreeMap::new(),
            created_at: now(),
        }));
    }
}

fn cool(book: &mut Book, address: &str, secs: u64, workload: Option<&str>) {
    let workload = workload.map(str::to_owned);
    let until = in_secs(secs);
    book.apply(&Op::Cool(ip(address), Cooling { until, workload }));
}

fn request(wanted: &[&str], pools: &[&str], sticky: Option<&str>) -> Request {
    Request {
        owner: Owner::new("new", "eth0"),
        network: "pods".into(),
        pod: None,
        netns: String::new(),
        host_ifname: String::new(),
        wanted: wanted.iter().map(|a| ip(a)).collect(),
        pools: pools.iter().map(|p| (*p).to_owned()).collect(),
        sticky: sticky.map(str::to_owned),
    }
}

fn rule(name: &str, cidr: &str, open: bool, automatic: bool) -> PoolRule {
    PoolRule {
        name: name.into(),
        cidr: cidr.parse().unwrap(),
        open,
        automatic,
    }
}

fn pools() -> LocalRules {
    LocalRules {
        pools: vec![
            rule("main", "10.0.0.0/16", true, true),
            rule("gold", "10.1.0.0/16", true, false),
            rule("shut", "10.2.0.0/16", false, true),
            rule("six", "2001:db8::/48", true, true),
        ],
        ..LocalRules::default()
    }
}

fn pick(book: &Book, rules: Option<&LocalRules>, request: &Request) -> Result<Vec<String>, Error> {
    let at = Situation {
        book,
        rules,
        aside: &[],
        now: now(),
    };
    choose(at, request).map(|c| c.addresses.iter().map(IpAddr::to_string).collect())
}

fn any(book: &Book) -> Vec<String> {
    pick(book, None, &request(&[], &[], None)).unwrap()
}

#[test]
fn the_next_address_in_turn_is_given() {
    let mut b = book(&["10.0.0.0/29"]);
    assert_eq!(any(&b), ["10.0.0.1"]);
    let turn = |pool: Option<&str>| Turn {
        family: Family::V4,
        pool: pool.map(str::to_owned),
    };
    b.apply(&Op::Turn(turn(None), ip("10.0.0.3")));
    take(&mut b, &["10.0.0.4"]);
    assert_eq!(any(&b), ["10.0.0.5"]);
    b.apply(&Op::Turn(turn(None), ip("10.0.0.7")));
    assert_eq!(any(&b), ["10.0.0.1"]);
}

#[test]
fn each_family_with_blocks_gets_an_address() {
    let b = book(&["10.0.0.0/29", "2001:db8::/64"]);
    assert_eq!(any(&b), ["10.0.0.1", "2001:db8::1"]);
    let six = pick(&b, None, &request(&["2001:db8::9"], &[], None));
    assert_eq!(six.unwrap(), ["10.0.0.1", "2001:db8::9"]);
}

#[test]
fn a_wish_that_cannot_be_granted_says_why() {
    let mut b = book(&["10.0.0.0/28 main", "10.2.0.0/28 shut"]);
    take(&mut b, &["10.0.0.3"]);
    let lent = Lent {
        borrower: "other".parse().unwrap(),
        workload: None,
    };
    b.apply(&Op::Lend(ip("10.0.0.4"), lent));
    b.apply(&Op::Keep(ip("10.0.0.5"), "ns.db".into()));
    cool(&mut b, "10.0.0.6", 30, Some("ns.web"));
    let ask = |wanted: &[&str]| pick(&b, Some(&pools()), &request(wanted, &[], None)).unwrap_err();
    let outside = ask(&["10.0.9.1"]);
    assert_eq!(outside.wants()[0].address, Some(ip("10.0.9.1")));
    assert!(matches!(ask(&["10.0.0.0"]), Error::Reserved { .. }));
    assert!(matches!(ask(&["10.0.0.3"]), Error::Taken { .. }));
    assert!(matches!(ask(&["10.0.0.4"]), Error::OnLoan { .. }));
    assert!(matches!(ask(&["10.0.0.5"]), Error::Kept { .. }));
    assert!(matches!(ask(&["10.0.0.6"]), Error::Cooling { .. }));
    assert!(matches!(ask(&["10.2.0.1"]), Error::PoolClosed { .. }));
    assert!(matches!(
        ask(&["10.0.0.7", "10.0.0.8"]),
        Error::TwoOfOneFamily { .. }
    ));
    let same = pick(&b, Some(&pools()), &request(&["10.0.0.6"], &[], Some("ns.web")));
    assert_eq!(same.unwrap(), ["10.0.0.6"], "the one who had it may have it back");
    let same = pick(&b, Some(&pools()), &request(&["10.0.0.5"], &[], Some("ns.db")));
    assert_eq!(same.unwrap(), ["10.0.0.5"]);
}

#[test]
fn a_block_that_is_being_left_gives_nothing() {
    let mut b = book(&["10.0.0.0/29", "10.0.1.0/29"]);
    b.blocks[1].state = BlockState::Leaving;
    take(
        &mut b,
        &[
            "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7",
        ],
    );
    assert!(matches!(
        pick(&b, None, &request(&[], &[], None)),
        Err(Error::Full(_))
    ));
    let named = pick(&b, None, &request(&["10.0.1.1"], &[], None));
    assert!(matches!(named, Err(Error::Leaving { .. })));
}

#[test]
fn a_full_block_names_itself_its_pool_and_what_holds_it() {
    let mut b = book(&["10.0.0.0/30 main"]);
    take(&mut b, &["10.0.0.1"]);
    b.apply(&Op::Keep(ip("10.0.0.2"), "ns.db".into()));
    let rules = LocalRules {
        reserved: vec!["10.0.0.3/32".parse().unwrap()],
        ..pools()
    };
    let full = pick(&b, Some(&rules), &request(&[], &["main"], None)).unwrap_err();
    let text = full.to_string();
    for part in [
        "of pool main",
        "all 4 addresses",
        "10.0.0.0/30",
        "1 by pods",
        "1 kept",
        "1 reserved",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let wanted = Want {
        family: Family::V4,
        pools: vec!["main".into()],
        address: None,
        workload: None,
    };
    assert_eq!(full.wants(), [wanted]);
}

#[test]
fn pools_that_are_named_come_in_order_and_others_do_not_come() {
    let mut b = book(&[
        "10.0.0.0/30 main",
        "10.1.0.0/30 gold",
        "10.2.0.0/30 shut",
        "2001:db8::/64 six",
    ]);
    let rules = pools();
    let ask = |b: &Book, pools: &[&str]| pick(b, Some(&rules), &request(&[], pools, None));
    assert_eq!(ask(&b, &[]).unwrap(), ["10.0.0.1", "2001:db8::1"]);
    assert_eq!(
        ask(&b, &["gold", "main"]).unwrap(),
        ["10.1.0.0"],
        "families of other pools are not asked for"
    );
    take(&mut b, &["10.1.0.0", "10.1.0.1", "10.1.0.2", "10.1.0.3"]);
    assert_eq!(ask(&b, &["gold", "main"]).unwrap(), ["10.0.0.1"]);
    assert!(matches!(ask(&b, &["gold"]), Err(Error::Full(_))));
    assert!(matches!(ask(&b, &["shut"]), Err(Error::NoBlocks { .. })));
    assert!(matches!(ask(&b, &["nobody"]), Err(Error::NoBlocks { .. })));
    take(&mut b, &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert!(
        matches!(ask(&b, &[]), Err(Error::Full(_))),
        "a manual pool is not for everybody"
    );
    let by_name = pick(&b, Some(&rules), &request(&["10.1.0.1"], &[], None));
    assert!(
        matches!(by_name, Err(Error::Taken { .. })),
        "by name it may be had"
    );
}

#[test]
fn a_family_with_an_open_pool_is_waited_for_where_blocks_are_claimed() {
    let b = book(&["10.0.0.0/29 main"]);
    let rules = LocalRules {
        shared_out: true,
        ..pools()
    };
    let error = pick(&b, Some(&rules), &request(&[], &[], None)).unwrap_err();
    assert!(matches!(error, Error::NoBlocks { .. }), "{error}");
    assert_eq!(error.wants().len(), 1);
    assert_eq!(error.wants()[0].family, Family::V6);
    assert_eq!(
        pick(&b, Some(&pools()), &request(&[], &[], None)).unwrap(),
        ["10.0.0.1"]
    );
    let mut given = book(&["10.0.0.0/29 main", "2001:db8::/64 shut"]);
    given.blocks[1].origin = Origin::Given;
    let four = pick(&given, Some(&rules), &request(&[], &[], None));
    assert_eq!(
        four.unwrap(),
        ["10.0.0.1"],
        "it has a block of its own, and claims none"
    );
    let nothing = pick(&Book::default(), Some(&rules), &request(&[], &[], None)).unwrap_err();
    let families: Vec<Family> = nothing.wants().iter().map(|w| w.family).collect();
    assert_eq!(families, Family::ALL);
}

#[test]
fn reserved_addresses_are_given_only_by_name() {
    let b = book(&["10.0.0.0/24", "2001:db8::/64"]);
    let rules = LocalRules {
        reserved: vec!["10.0.0.0/28".parse().unwrap(), "2001:db8::/65".parse().unwrap()],
        ..LocalRules::default()
    };
    assert_eq!(
        pick(&b, Some(&rules), &request(&[], &[], None)).unwrap(),
        ["10.0.0.16", "2001:db8:0:0:8000::"]
    );
    assert_eq!(
        pick(
            &b,
            Some(&rules),
            &request(&["10.0.0.5", "2001:db8::5"], &[], None)
        )
        .unwrap(),
        ["10.0.0.5", "2001:db8::5"]
    );
    assert_eq!(b.node_address(Family::V4, &[]), Some(ip("10.0.0.0")));
    let mut anew = b.clone();
    anew.node.clear();
    assert_eq!(
        anew.node_address(Family::V4, &rules.reserved),
        Some(ip("10.0.0.16"))
    );
    let all = ["10.0.0.0/8".parse().unwrap()];
    assert_eq!(
        anew.node_address(Family::V4, &all),
        Some(ip("10.0.0.0")),
        "better reserved than none"
    );
}

#[test]
fn an_address_rests_unless_nothing_else_is_free() {
    let mut b = book(&["10.0.0.0/29"]);
    cool(&mut b, "10.0.0.1", 30, None);
    cool(&mut b, "10.0.0.2", 20, None);
    assert_eq!(any(&b), ["10.0.0.3"]);
    take(
        &mut b,
        &["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"],
    );
    assert_eq!(any(&b), ["10.0.0.2"], "the one that has rested longest");
    cool(&mut b, "10.0.0.1", 0, None);
    assert_eq!(any(&b), ["10.0.0.1"], "its rest is over");
    let zero = LocalRules {
        cool_down: Duration::ZERO,
        ..LocalRules::default()
    };
    cool(&mut b, "10.0.0.1", 99, None);
    let at_once = pick(&b, Some(&zero), &request(&[], &[], None)).unwrap();
    assert_eq!(at_once, ["10.0.0.1"], "no rest is longer than the cool-down");
}

#[test]
fn a_workload_gets_its_own_address_and_nobody_else_does() {
    let mut b = book(&["10.0.0.0/30 main"]);
    b.apply(&Op::Keep(ip("10.0.0.1"), "ns.db-0".into()));
    let loan = |workload: Option<&str>| Borrowed {
        lender: "other".parse().unwrap(),
        workload: workload.map(str::to_owned),
        pool: Some("main".into()),
    };
    b.apply(&Op::Borrow(ip("10.0.7.1"), loan(Some("ns.db-1"))));
    let rules = pools();
    let sticky = |b: &Book, workload: &str| pick(b, Some(&rules), &request(&[], &[], Some(workload)));
    assert_eq!(any(&b), ["10.0.0.2"]);
    assert_eq!(sticky(&b, "ns.db-0").unwrap(), ["10.0.0.1"]);
    assert_eq!(sticky(&b, "ns.db-1").unwrap(), ["10.0.7.1"]);
    assert_eq!(sticky(&b, "ns.db-2").unwrap(), ["10.0.0.2"]);
    let other = pick(&b, Some(&rules), &request(&["10.0.7.1"], &[], None));
    assert!(matches!(other, Err(Error::Kept { .. })));
    take(&mut b, &["10.0.0.2", "10.0.0.3"]);
    assert!(matches!(sticky(&b, "ns.db-2"), Err(Error::Full(_))));
    b.apply(&Op::Borrow(ip("10.0.7.2"), loan(None)));
    assert_eq!(
        sticky(&b, "ns.db-2").unwrap(),
        ["10.0.7.2"],
        "on loan for anybody"
    );
    take(&mut b, &["10.0.7.1"]);
    assert_eq!(sticky(&b, "ns.db-1").unwrap(), ["10.0.7.2"], "its own is in use");
}

#[test]
fn the_nodes_address_stays_while_a_block_contains_it() {
    let mut b = book(&["10.1.0.0/24", "10.0.0.0/24"]);
    let own = |b: &Book| b.node_address(Family::V4, &[]).map(|a| a.to_string());
    assert_eq!(own(&b).as_deref(), Some("10.1.0.0"));
    for (current, expected) in [("10.0.0.0", "10.0.0.0"), ("10.9.0.0", "10.1.0.0")] {
        b.apply(&Op::Node(Family::V4, Some(ip(current))));
        assert_eq!(own(&b).as_deref(), Some(expected));
    }
    take(&mut b, &["10.1.0.0"]);
    b.apply(&Op::Keep(ip("10.1.0.1"), "ns.db".into()));
    assert_eq!(own(&b).as_deref(), Some("10.1.0.2"));
    b.blocks[0].state = BlockState::Leaving;
    assert_eq!(own(&b).as_deref(), Some("10.0.0.0"));
    assert_eq!(b.node_address(Family::V6, &[]), None);
}
