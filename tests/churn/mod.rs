//! Churn: ADDs and DELs of many containers in random order, from several runtimes at once, while the agent is killed and started
//! again. No address is held twice at any time, and at the end nothing is left: no interface, route, rule or lease.

mod account;
mod chance;
mod containers;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use account::Account;
use chance::Chance;
use containers::{Containers, Left};

use crate::support::plugin::{address, answer, call, network};
use crate::support::{Builder, Fabric, SOON, check, eventually, view};

/// Calls of the plugin, ADDs and DELs together.
const CALLS: usize = 2000;
/// Runtimes at once. Each has containers of its own, as no two runtimes have one container.
const RUNTIMES: usize = 6;
/// Containers of each.
const EACH: usize = 8;
/// "Try again later" of the specification: what a runtime hears while the agent is away.
const TRY_LATER: u64 = 11;

/// What happened, for the closing line.
#[derive(Default)]
struct Tally {
    calls: AtomicUsize,
    added: AtomicUsize,
    deleted: AtomicUsize,
    told_to_wait: AtomicUsize,
    kills: AtomicUsize,
}

fn node() -> Fabric {
    let resources = "apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16 }\n---\n\
                     apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: six }\nspec: { cidr: fd00:10:244::/48 }\n---\n\
                     apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: { name: n1 }\n\
                     spec: { bgp: { ipv4Address: 192.0.2.11/24 }, podCIDRs: [10.244.1.0/25, \"fd00:10:244:1::/64\"] }\n";
    Builder::new("churn")
        .resources(resources)
        .agent("n1", &["ip addr add 192.0.2.11/24 dev eth1"])
        .host("wire", &[])
        .link("n1:eth1", "wire:eth1")
        .up()
}

#[test]
fn two_thousand_calls_with_kills_leave_nothing_behind() {
    let fabric = node();
    eventually("the node is ready", || view::converged(&fabric, "n1", 0));
    let before = Left::of(&fabric);
    let containers = Containers::new(&fabric, RUNTIMES * EACH);
    let (account, tally, over) = (
        Mutex::new(Account::default()),
        Tally::default(),
        AtomicBool::new(false),
    );
    let seed = chance::seed();
    eprintln!("churn: seed {seed}");
    let began = Instant::now();
    thread::scope(|scope| {
        let killer = scope.spawn(|| kill_again_and_again(&fabric, &tally, &over, seed));
        let runtimes: Vec<_> = (0..RUNTIMES)
            .map(|n| {
                let own = containers.names(n * EACH..(n + 1) * EACH);
                let (fabric, account, tally) = (&fabric, &account, &tally);
                scope.spawn(move || {
                    let chance = Chance::new(seed.wrapping_add(n as u64 + 1));
                    Runtime {
                        fabric,
                        account,
                        tally,
                        own,
                        chance,
                    }
                    .run();
                })
            })
            .collect();
        let ended: Vec<_> = runtimes.into_iter().map(|runtime| runtime.join()).collect();
        over.store(true, Ordering::Relaxed);
        killer.join().expect("the agent can be killed and started");
        ended
            .into_iter()
            .for_each(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    });
    let count = |n: &AtomicUsize| n.load(Ordering::Relaxed);
    eprintln!(
        "churn: {} calls in {:.1} s: {} added, {} deleted, {} told to try later, agent killed {} times",
        count(&tally.calls),
        began.elapsed().as_secs_f64(),
        count(&tally.added),
        count(&tally.deleted),
        count(&tally.told_to_wait),
        count(&tally.kills),
    );
    assert!(
        count(&tally.kills) >= 3 && count(&tally.added) > CALLS / 8,
        "the churn was none"
    );

    eventually("the agent is well", || view::converged(&fabric, "n1", 0));
    let mut account = account.into_inner().expect("no runtime failed");
    for name in containers.names(0..RUNTIMES * EACH) {
        account.gives_back(&name);
        let done = call(&fabric, "n1", "DEL", &name, "", &network());
        assert!(done.status.success(), "{done:?}");
    }
    eventually("nothing is left", || {
        let left = Left::of(&fabric);
        check(left == before, || format!("before: {before:#?}\nnow: {left:#?}"))
    });
    assert!(account.is_empty());
}

/// SIGKILL at random moments; started again after a while in which calls find nobody.
fn kill_again_and_again(fabric: &Fabric, tally: &Tally, over: &AtomicBool, seed: u64) {
    let mut chance = Chance::new(seed);
    let pause = |millis: u64| {
        let until = Instant::now() + Duration::from_millis(millis);
        while Instant::now() < until && !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
    };
    while !over.load(Ordering::Relaxed) {
        pause(1000 + chance.below(3000));
        fabric.kill_agent("n1").expect("the agent runs");
        tally.kills.fetch_add(1, Ordering::Relaxed);
        pause(chance.below(500));
        fabric.start_agent("n1").expect("the agent starts");
        fabric.wait_agent("n1", SOON).expect("the agent answers");
    }
}

/// A container runtime that cannot make up its mind.
struct Runtime<'a> {
    fabric: &'a Fabric,
    account: &'a Mutex<Account>,
    tally: &'a Tally,
    own: Vec<String>,
    chance: Chance,
}

impl Runtime<'_> {
    fn run(&mut self) {
        while self.tally.calls.fetch_add(1, Ordering::Relaxed) < CALLS {
            let n = self.chance.below(self.own.len() as u64) as usize;
            let name = self.own[n].clone();
            if self.chance.below(2) == 0 {
                self.add(&name)
            } else {
                self.del(&name)
            }
        }
        self.tally.calls.fetch_sub(1, Ordering::Relaxed);
    }

    fn account(&self) -> std::sync::MutexGuard<'_, Account> {
        self.account.lock().expect("no runtime failed")
    }

    fn add(&self, name: &str) {
        let netns = crate::support::plugin::netns(self.fabric, name);
        let done = call(self.fabric, "n1", "ADD", name, &netns, &network());
        let answer = answer(&done);
        if done.status.success() {
            self.account().holds(name, &address(&answer));
            self.tally.added.fetch_add(1, Ordering::Relaxed);
            return;
        }
        assert_eq!(answer["code"], TRY_LATER, "{answer}");
        // One that had its address before still has it, and another holds none that counts.
        self.tally.told_to_wait.fetch_add(1, Ordering::Relaxed);
        // The kubelet waits much longer; at once, the calls would all be spent on an agent that is away.
        thread::sleep(Duration::from_millis(50));
    }

    fn del(&self, name: &str) {
        // From here on the address may be another's.
        self.account().gives_back(name);
        let netns = crate::support::plugin::netns(self.fabric, name);
        let done = call(self.fabric, "n1", "DEL", name, &netns, &network());
        assert!(done.status.success(), "{done:?}");
        self.tally.deleted.fetch_add(1, Ordering::Relaxed);
    }
}
