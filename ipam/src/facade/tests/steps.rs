//! The steps of ownership, one by one: what each does, what it refuses, and that a second time changes nothing.

use super::*;
use crate::local::{Borrowed, LedgerStep as Step, Lent};

fn lent(workload: Option<&str>) -> Lent {
    Lent {
        borrower: "node-b".parse().unwrap(),
        workload: workload.map(str::to_owned),
    }
}

fn borrowed(workload: Option<&str>) -> Borrowed {
    Borrowed {
        lender: "node-b".parse().unwrap(),
        workload: workload.map(str::to_owned),
        pool: Some("main".into()),
    }
}

/// A step alone, and once more.
fn step(ipam: &Ipam, step: Step) -> bool {
    let once = ipam.apply(std::slice::from_ref(&step), now()).unwrap()[0];
    let (view, changes) = (ipam.local(now()), ipam.changes());
    let twice = ipam.apply(&[step], now()).unwrap()[0];
    assert_eq!(once, twice);
    assert_eq!(
        (ipam.local(now()), ipam.changes()),
        (view, changes),
        "a second time changed something"
    );
    once
}

/// Two blocks: `10.0.0.0/29` with the node's own address, and `10.0.1.0/29`.
fn two() -> (Ipam, TempDir) {
    let (ipam, dir) = opened(&[]);
    assert!(step(&ipam, Step::Take(claimed("10.0.0.0/29"))));
    assert!(step(&ipam, Step::Take(claimed("10.0.1.5/29"))));
    (ipam, dir)
}

#[test]
fn blocks_are_taken_left_and_dropped() {
    let (ipam, dir) = two();
    for overlapping in ["10.0.0.0/28", "10.0.0.4/30", "10.0.0.0/16"] {
        assert!(!step(&ipam, Step::Take(claimed(overlapping))), "{overlapping}");
    }
    let mut other = claimed("10.0.0.0/29");
    other.origin = Origin::Given;
    assert!(!step(&ipam, Step::Take(other)), "it is claimed, not given");
    assert!(step(&ipam, Step::Leave(net("10.0.1.0/29"))));
    let view = ipam.local(now());
    assert!(!view.blocks[1].announced() && view.blocks[1].free == 0);
    let (ipam, _dir) = crash(ipam, dir);
    assert_eq!(ipam.local(now()).blocks[1].block.state, BlockState::Leaving);
    assert!(step(&ipam, Step::Stay(net("10.0.1.0/29"))));
    assert!(ipam.local(now()).blocks[1].announced());
    assert!(!step(&ipam, Step::Leave(net("10.0.9.0/29"))), "not ours");
    assert!(
        step(&ipam, Step::Drop(net("10.0.9.0/29"))),
        "it is not ours already"
    );
    let a = ipam.assign(&request("a", &[]), now()).unwrap();
    assert!(step(&ipam, Step::Drop(net("10.0.0.0/29"))));
    assert_eq!(
        ipam.node_address(Family::V4),
        Some(ip("10.0.1.0")),
        "the next block gives one"
    );
    assert_eq!(ipam.leases(), [a], "the pod keeps what it has");
}

#[test]
fn blocks_that_the_resources_give_are_theirs() {
    let (ipam, _dir) = opened(&["10.5.0.0/24"]);
    assert!(!step(&ipam, Step::Drop(net("10.5.0.0/24"))));
    assert!(!step(&ipam, Step::Leave(net("10.5.0.0/24"))));
    assert!(step(&ipam, Step::Take(claimed("10.6.0.0/24"))));
    let report = ipam
        .set_given(given(&["10.6.0.0/25", "10.7.0.0/24"]), now())
        .unwrap();
    assert_eq!(report.refused, [net("10.6.0.0/25")]);
    let cidrs: Vec<String> = ipam.blocks().iter().map(|b| b.cidr.to_string()).collect();
    assert_eq!(cidrs, ["10.7.0.0/24", "10.6.0.0/24"]);
}

#[test]
fn what_is_lent_is_given_to_no_pod() {
    let (ipam, dir) = two();
    ipam.assign(&request("a", &["10.0.1.1"]), now()).unwrap();
    assert!(step(&ipam, Step::Keep(ip("10.0.1.2"), "ns.db".into())));
    for refused in ["10.0.1.1", "10.0.0.0", "10.0.1.2", "10.0.9.1"] {
        assert!(
            !step(&ipam, Step::Lend(ip(refused), lent(Some("ns.x")))),
            "{refused}"
        );
    }
    assert!(
        step(&ipam, Step::Lend(ip("10.0.1.2"), lent(Some("ns.db")))),
        "to the workload it is kept for"
    );
    assert!(step(&ipam, Step::Lend(ip("10.0.1.3"), lent(None))));
    let other = Lent {
        borrower: "node-c".parse().unwrap(),
        workload: None,
    };
    assert!(
        !step(&ipam, Step::Lend(ip("10.0.1.3"), other)),
        "another one has it"
    );
    let (ipam, _dir) = crash(ipam, dir);
    let view = ipam.local(now());
    assert_eq!((view.lent.len(), view.kept.len(), view.blocks[1].used), (2, 0, 3));
    assert!(matches!(
        ipam.assign(&request("b", &["10.0.1.3"]), now()),
        Err(Error::OnLoan { .. })
    ));
    assert!(step(&ipam, Step::TakeBack(ip("10.0.1.3"))));
    assert_eq!(ipam.local(now()).blocks[1].free, 8 - 2 - 1, "it rests");
    assert_eq!(ipam.local(in_secs(61)).blocks[1].free, 8 - 2);
    ipam.apply(&[Step::Leave(net("10.0.1.0/29"))], now()).unwrap();
    assert!(
        !step(&ipam, Step::Lend(ip("10.0.1.5"), lent(None))),
        "the block is to be given back"
    );
}

#[test]
fn what_is_borrowed_is_for_its_workload_and_goes_back_when_it_is_free() {
    let (ipam, dir) = two();
    assert!(
        !step(&ipam, Step::Borrow(ip("10.0.1.1"), borrowed(None))),
        "it is our own"
    );
    assert!(step(&ipam, Step::Borrow(ip("10.8.0.1"), borrowed(Some("ns.db")))));
    let db = ipam.assign(&sticky("db-1", "ns.db"), now()).unwrap();
    assert_eq!(db.addresses, [ip("10.8.0.1")]);
    assert_eq!(db.pools[&ip("10.8.0.1")], "main");
    assert_eq!(ipam.set_given(Vec::new(), now()).unwrap().outside, []);
    assert!(!step(&ipam, Step::Return(ip("10.8.0.1"))), "a pod has it");
    let (ipam, _dir) = crash(ipam, dir);
    ipam.release(&db.owner, now()).unwrap();
    let again = ipam.assign(&sticky("db-2", "ns.db"), now()).unwrap();
    assert_eq!(again.addresses, db.addresses, "it may have it back at once");
    ipam.release(&again.owner, now()).unwrap();
    assert!(step(&ipam, Step::Return(ip("10.8.0.1"))));
    assert!(ipam.local(now()).borrowed.is_empty());
    assert!(matches!(
        ipam.assign(&request("a", &["10.8.0.1"]), now()),
        Err(Error::OutsideBlocks { .. })
    ));
}

#[test]
fn a_loan_from_a_block_that_is_ours_now_is_no_loan() {
    let (ipam, _dir) = two();
    for (address, workload) in [
        ("10.8.0.1", Some("ns.db")),
        ("10.8.0.2", None),
        ("10.8.0.3", Some("ns.x")),
    ] {
        assert!(step(&ipam, Step::Borrow(ip(address), borrowed(workload))));
    }
    ipam.assign(&sticky("x", "ns.x"), now()).unwrap();
    assert!(step(&ipam, Step::Take(claimed("10.8.0.0/29"))));
    let view = ipam.local(now());
    assert!(view.borrowed.is_empty());
    assert_eq!(
        view.kept.into_iter().collect::<Vec<_>>(),
        [(ip("10.8.0.1"), "ns.db".to_owned())]
    );
    assert_eq!(view.blocks[2].used, 2);
}

#[test]
fn kept_addresses_are_let_go_of() {
    let (ipam, _dir) = two();
    assert!(
        !step(&ipam, Step::Keep(ip("10.0.0.0"), "ns.db".into())),
        "the node has it"
    );
    assert!(
        !step(&ipam, Step::Keep(ip("10.8.0.0"), "ns.db".into())),
        "not ours"
    );
    assert!(step(&ipam, Step::Keep(ip("10.0.0.1"), "ns.db".into())));
    assert!(!step(&ipam, Step::Keep(ip("10.0.0.1"), "ns.other".into())));
    assert!(step(&ipam, Step::Unkeep(ip("10.0.0.1"))));
    assert_eq!(
        first(&ipam, &request("a", &[]), now()),
        "10.0.0.2",
        "it rests first"
    );
}

#[test]
fn a_new_ledger_waits_for_what_was_given_before() {
    let dir = folder();
    let ipam = Ipam::open(dir.path()).unwrap();
    assert!(step(&ipam, Step::Take(claimed("10.0.0.0/29"))));
    assert!(ipam.local(now()).fresh);
    assert_eq!(ipam.node_address(Family::V4), None, "a pod may have it");
    assert_eq!(ipam.assign(&request("new", &[]), now()), Err(Error::Recovering));
    let unknown = Owner::new("a", "eth0");
    assert_eq!(
        ipam.release(&unknown, now()),
        Err(Error::Recovering),
        "it would come back"
    );
    assert!(!step(&ipam, Step::Lend(ip("10.0.0.3"), lent(None))));
    let old = |container: &str, address: &str| {
        let (other, _dir) = opened(&["10.0.0.0/29"]);
        other.assign(&request(container, &[address]), now()).unwrap()
    };
    let (a, b) = (old("a", "10.0.0.1"), old("b", "10.0.0.2"));
    let twice = Lease {
        owner: Owner::new("c", "eth0"),
        ..b.clone()
    };
    assert!(step(&ipam, Step::Restore(vec![a.clone(), b.clone()])));
    assert!(
        !step(&ipam, Step::Restore(vec![twice])),
        "it stays with its holder"
    );
    assert_eq!(
        ipam.assign(&request("a", &[]), now()).unwrap(),
        a,
        "it is known already"
    );
    assert!(step(&ipam, Step::Known));
    let (ipam, _dir) = crash(ipam, dir);
    assert_eq!(ipam.leases(), [a, b]);
    assert_eq!(ipam.node_address(Family::V4), Some(ip("10.0.0.0")));
    assert_eq!(first(&ipam, &request("new", &[]), now()), "10.0.0.3");
}

#[test]
fn steps_of_one_call_see_each_other() {
    let (ipam, _dir) = opened(&[]);
    let done = ipam.apply(
        &[
            Step::Lend(ip("10.0.0.3"), lent(None)),
            Step::Take(claimed("10.0.0.0/29")),
            Step::Lend(ip("10.0.0.3"), lent(None)),
            Step::Drop(net("10.0.0.0/29")),
        ],
        now(),
    );
    assert_eq!(done, Ok(vec![false, true, true, true]));
    assert!(ipam.local(now()).lent.is_empty(), "gone with its block");
}
