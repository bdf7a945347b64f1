//! Random histories with crashes between any two steps and clocks that jump, against a reference that knows
//! only who has what: no address twice, nothing that was answered is lost, all figures equal a recount.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::local::{Borrowed, LedgerStep as Step, Lent, LocalView};

#[derive(Debug, Clone)]
enum Act {
    Assign {
        pod: u8,
        wanted: Option<u8>,
        gold: bool,
        workload: Option<u8>,
    },
    Release {
        pod: u8,
    },
    Given {
        set: usize,
    },
    Rules {
        set: u8,
    },
    Apply(Vec<Step>),
    Crash,
    Clock {
        to: u64,
    },
}

const GIVEN: &[&[&str]] = &[
    &["10.0.0.0/29"],
    &["10.0.0.8/29", "10.0.0.0/30"],
    &["10.0.0.0/30", "2001:db8::/124"],
    &[],
];
const CLAIMED: &[&str] = &["10.0.0.16/29", "10.0.0.24/30", "10.0.0.0/28", "2001:db8::10/124"];

/// Addresses in and around all blocks.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        8 => (0u8..40).prop_map(|n| IpAddr::from([10, 0, 0, n])),
        1 => (0u16..0x20).prop_map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n])),
    ]
}

fn workload() -> impl Strategy<Value = Option<String>> {
    proptest::option::of((0u8..3).prop_map(|w| format!("ns.w{w}")))
}

fn step() -> impl Strategy<Value = Step> {
    let cidr = || (0..CLAIMED.len()).prop_map(|n| net(CLAIMED[n]));
    let take = |gold: bool, n: usize| {
        Step::Take(OwnBlock {
            pool: Some(if gold { "gold" } else { "main" }.into()),
            ..claimed(CLAIMED[n])
        })
    };
    let node = "node-b".parse::<config::NodeName>().unwrap();
    let (borrower, lender) = (node.clone(), node);
    prop_oneof![
        4 => (any::<bool>(), 0..CLAIMED.len()).prop_map(move |(gold, n)| take(gold, n)),
        1 => cidr().prop_map(Step::Leave),
        1 => cidr().prop_map(Step::Stay),
        1 => cidr().prop_map(Step::Drop),
        3 => (address(), workload()).prop_map(move |(a, workload)| {
            let borrower = borrower.clone();
            Step::Lend(a, Lent { borrower, workload })
        }),
        1 => address().prop_map(Step::TakeBack),
        2 => (address(), workload()).prop_map(move |(a, workload)| {
            let lender = lender.clone();
            Step::Borrow(a, Borrowed { lender, workload, pool: Some("main".into()) })
        }),
        1 => address().prop_map(Step::Return),
        1 => (address(), 0u8..3).prop_map(|(a, w)| Step::Keep(a, format!("ns.w{w}"))),
        1 => address().prop_map(Step::Unkeep),
        1 => Just(Step::Known),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let assign = (
        0u8..12,
        proptest::option::weighted(0.2, 0u8..40),
        proptest::bool::weighted(0.2),
        proptest::option::weighted(0.3, 0u8..3),
    );
    let act = prop_oneof![
        12 => assign.prop_map(|(pod, wanted, gold, workload)| Act::Assign { pod, wanted, gold, workload }),
        8 => (0u8..12).prop_map(|pod| Act::Release { pod }),
        1 => (0..GIVEN.len()).prop_map(|set| Act::Given { set }),
        1 => (0u8..3).prop_map(|set| Act::Rules { set }),
        6 => proptest::collection::vec(step(), 1..4).prop_map(Act::Apply),
        3 => Just(Act::Crash),
        2 => (0u64..2_000).prop_map(|to| Act::Clock { to }),
    ];
    proptest::collection::vec(act, 1..60)
}

fn rules(set: u8) -> LocalRules {
    let pool = |name: &str, open: bool, automatic: bool| PoolRule {
        name: name.into(),
        cidr: net("10.0.0.0/16"),
        open,
        automatic,
    };
    LocalRules {
        cool_down: Duration::from_secs(if set == 2 { 0 } else { 60 }),
        reserved: if set == 0 {
            vec![net("10.0.0.2/31"), net("10.0.0.20/32")]
        } else {
            Vec::new()
        },
        pools: vec![pool("main", set != 2, true), pool("gold", true, set == 1)],
        shared_out: false,
    }
}

/// Who has which addresses, and what is kept for whom while a pod of that workload is not here.
#[derive(Default)]
struct Model {
    held: BTreeMap<Owner, Lease>,
    rules: Option<LocalRules>,
}

impl Model {
    fn assign(&mut self, ipam: &Ipam, request: &Request, now: SystemTime) {
        let before = ipam.local(now);
        match (ipam.assign(request, now), self.held.get(&request.owner)) {
            (Ok(lease), Some(held)) => {
                assert_eq!(
                    lease.addresses, held.addresses,
                    "a repeated request got something else"
                );
                self.held.insert(request.owner.clone(), lease);
            }
            (Ok(lease), None) => {
                assert!(!lease.addresses.is_empty() && !before.fresh);
                for address in &lease.addresses {
                    self.check_given(&before, request, *address);
                }
                self.held.insert(request.owner.clone(), lease);
            }
            (Err(Error::HasAnother { asked, .. }), Some(held)) => assert!(!held.addresses.contains(&asked)),
            (Err(error), Some(_)) => panic!("a repeated request failed: {error}"),
            (Err(Error::Recovering), None) => assert!(before.fresh),
            (Err(Error::Full(full)), None) => {
                let free = before
                    .blocks
                    .iter()
                    .filter(|b| full.blocks.contains(&b.block.cidr));
                assert_eq!(free.map(|b| b.free).sum::<u128>(), 0, "{full}");
            }
            (Err(_), None) => {}
        }
    }

    /// An address that was given is one that nobody else had, in a place that gives.
    fn check_given(&self, before: &LocalView, request: &Request, address: IpAddr) {
        assert!(
            !self.held.values().any(|l| l.addresses.contains(&address)),
            "{address} is given twice"
        );
        assert_ne!(before.node.get(&Family::of(address)), Some(&address));
        assert!(!before.lent.contains_key(&address));
        if let Some(of) = before.kept.get(&address) {
            assert_eq!(Some(of), request.sticky.as_ref());
        }
        let by_name = request.wanted.contains(&address);
        let its_own = before.kept.contains_key(&address);
        match before.blocks.iter().find(|b| b.block.cidr.contains(&address)) {
            Some(block) => {
                assert_eq!(block.block.state, BlockState::Open);
                if let (Some(rules), Some(pool), false) = (&self.rules, &block.block.pool, its_own) {
                    let rule = rules.pools.iter().find(|r| r.name == *pool).unwrap();
                    assert!(rule.open && (by_name || rule.automatic || request.pools.contains(pool)));
                }
                let reserved = |net: &IpNet| net.contains(&address);
                let kept_out = self
                    .rules
                    .as_ref()
                    .is_some_and(|r| r.reserved.iter().any(reserved));
                assert!(by_name || its_own || !kept_out, "{address} is reserved");
            }
            None => {
                let loan = &before.borrowed[&address];
                assert!(loan.workload.is_none() || loan.workload == request.sticky);
            }
        }
    }

    /// The addresses of a workload in our blocks wait for it.
    fn check_kept(&self, ipam: &Ipam, released: Option<&Lease>, now: SystemTime) {
        let view = ipam.local(now);
        let ours = |a: &IpAddr| view.blocks.iter().any(|b| b.block.cidr.contains(a));
        let workload = released.and_then(|lease| lease.sticky.as_ref());
        for address in released.iter().flat_map(|l| &l.addresses).filter(|a| ours(a)) {
            assert_eq!(view.kept.get(address), workload, "{address}");
        }
    }

    /// What must hold at any time.
    fn check(&self, ipam: &Ipam, now: SystemTime) {
        let view = ipam.local(now);
        let held: Vec<Lease> = self.held.values().cloned().collect();
        assert_eq!(view.leases, held);
        let pods: BTreeSet<IpAddr> = held.iter().flat_map(|l| l.addresses.clone()).collect();
        assert_eq!(pods.len(), held.iter().map(|l| l.addresses.len()).sum::<usize>());
        let node: BTreeSet<IpAddr> = view.node.values().copied().collect();
        let lent: BTreeSet<IpAddr> = view.lent.keys().copied().collect();
        let kept: BTreeSet<IpAddr> = view.kept.keys().copied().collect();
        let all: BTreeSet<IpAddr> = [&pods, &node, &lent, &kept]
            .into_iter()
            .flatten()
            .copied()
            .collect();
        assert_eq!(
            all.len(),
            pods.len() + node.len() + lent.len() + kept.len(),
            "one address, two holders"
        );
        for (n, block) in view.blocks.iter().enumerate() {
            let cidr = block.block.cidr;
            let used = all.iter().filter(|a| cidr.contains(*a)).count();
            assert_eq!(block.used, used as u128, "{cidr}");
            assert_eq!(block.used == 0, block.empty_since.is_some());
            assert!(
                view.blocks[..n]
                    .iter()
                    .all(|b| !crate::blocks::overlap(b.block.cidr, cidr))
            );
            let open = block.block.state == BlockState::Open;
            let state = ipam.lock();
            let resting = |a: &IpAddr| {
                let until = state.shown.cooling.get(a).map(|c| c.until);
                let cool_down = self
                    .rules
                    .as_ref()
                    .map_or(crate::rules::COOL_DOWN, |r| r.cool_down);
                until.is_some_and(|until| until > now) && !cool_down.is_zero()
            };
            let reserved = |a: &IpAddr| {
                self.rules
                    .iter()
                    .flat_map(|r| &r.reserved)
                    .any(|net| net.contains(a))
            };
            let free = crate::blocks::walk(&[cidr], Family::of(cidr.addr()), None, &[])
                .filter(|a| open && !all.contains(a) && !resting(a) && !reserved(a))
                .count();
            assert_eq!(block.free, free as u128, "{cidr}");
        }
        let ours = |a: &IpAddr| view.blocks.iter().any(|b| b.block.cidr.contains(a));
        assert!(node.iter().chain(&lent).chain(&kept).all(ours));
        assert!(!view.borrowed.keys().any(ours));
    }
}

fn request_of(pod: u8, wanted: Option<u8>, gold: bool, workload: Option<u8>) -> Request {
    let wanted = wanted.map(|w| format!("10.0.0.{w}"));
    Request {
        pools: if gold { vec!["gold".into()] } else { Vec::new() },
        sticky: workload.map(|w| format!("ns.w{w}")),
        ..request(&format!("pod-{pod}"), wanted.as_deref().as_slice())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_address_twice_and_nothing_acknowledged_is_lost(acts in acts()) {
        let (mut ipam, mut dir) = opened(GIVEN[0]);
        let mut model = Model::default();
        let mut clock = in_secs(0);
        for act in acts {
            match act {
                Act::Assign { pod, wanted, gold, workload } => {
                    model.assign(&ipam, &request_of(pod, wanted, gold, workload), clock);
                }
                Act::Release { pod } => {
                    let owner = Owner::new(format!("pod-{pod}"), "eth0");
                    let fresh = ipam.local(clock).fresh;
                    let released = match ipam.release(&owner, clock) {
                        Err(Error::Recovering) if fresh => None,
                        done => done.unwrap(),
                    };
                    prop_assert_eq!(&released, &model.held.remove(&owner));
                    model.check_kept(&ipam, released.as_ref(), clock);
                }
                Act::Given { set } => {
                    ipam.set_given(given(GIVEN[set]), clock).unwrap();
                }
                Act::Rules { set } => {
                    ipam.set_rules(rules(set));
                    model.rules = Some(rules(set));
                }
                Act::Apply(steps) => {
                    let done = ipam.apply(&steps, clock).unwrap();
                    prop_assert_eq!(done.len(), steps.len());
                }
                Act::Crash => {
                    let before = LocalView { wants: Vec::new(), ..ipam.local(clock) };
                    (ipam, dir) = crash(ipam, dir);
                    if let Some(rules) = &model.rules {
                        ipam.set_rules(rules.clone());
                    }
                    let mut after = ipam.local(clock);
                    for (b, a) in before.blocks.iter().zip(&mut after.blocks) {
                        a.empty_since = b.empty_since;
                    }
                    prop_assert_eq!(after, before);
                }
                Act::Clock { to } => clock = in_secs(to),
            }
            model.check(&ipam, clock);
        }
        drop(dir);
    }
}
