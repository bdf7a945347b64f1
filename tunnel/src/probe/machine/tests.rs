//! One machine on virtual time against a network that is a function of time, size and number.

use proptest::prelude::*;

use super::*;

const STEADY: Duration = Duration::from_secs(3);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn way(size: u32) -> Arc<Way> {
    Arc::new(Way {
        from: "10.244.1.0".parse().unwrap(),
        to: "10.244.2.0".parse().unwrap(),
        others: Vec::new(),
        gateway: "192.0.2.1".parse().unwrap(),
        interface: "eth0".into(),
        size,
    })
}

/// What the network does with a request: its time of travel and how it arrives, or nothing.
type Fate = Option<(Duration, Arrival)>;

const ARRIVES: Fate = Some((Duration::from_millis(2), Arrival::Native));

/// A machine and its virtual time.
struct Sim {
    machine: Machine,
    now: Duration,
    sequence: u64,
    answers: Vec<(Duration, u64, Arrival)>,
    sent: Vec<(Duration, bool)>,
    /// Every verdict with the time from which it held.
    changes: Vec<(Duration, State)>,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let machine = Machine::new(Tuning::default(), way(1500), seed, Duration::ZERO);
        Self {
            machine,
            now: Duration::ZERO,
            sequence: 0,
            answers: Vec::new(),
            sent: Vec::new(),
            changes: vec![(Duration::ZERO, State::Unknown)],
        }
    }

    fn run(&mut self, until: Duration, mut network: impl FnMut(Duration, bool) -> Fate) {
        loop {
            let arrival = self.answers.iter().map(|answer| answer.0).min();
            let next = arrival.unwrap_or(Duration::MAX).min(self.machine.due());
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            self.step(&mut network);
            if self.changes.last().unwrap().1 != self.machine.state {
                self.changes.push((self.now, self.machine.state));
            }
        }
    }

    fn step(&mut self, network: &mut impl FnMut(Duration, bool) -> Fate) {
        let now = self.now;
        if let Some(at) = self.answers.iter().position(|answer| answer.0 <= now) {
            let (_, sequence, arrival) = self.answers.remove(at);
            self.machine.answered(now, sequence, arrival);
            return;
        }
        self.machine.expire(now);
        if self.machine.wants(now) {
            self.sequence += 1;
            if let Some(turn) = self.machine.send(now, self.sequence, STEADY) {
                self.sent.push((now, turn.full));
                if let Some((trip, arrival)) = network(now, turn.full) {
                    self.answers.push((now + trip, self.sequence, arrival));
                }
            }
        }
    }

    fn state(&self) -> State {
        self.machine.state
    }
}

#[test]
fn a_way_that_carries_is_proven_within_two_seconds_and_then_costs_little() {
    let mut sim = Sim::new(1);
    sim.run(ms(2000), |_, _| ARRIVES);
    assert_eq!(sim.state(), State::Carries);
    let early = sim.sent.len();
    sim.run(ms(302_000), |_, _| ARRIVES);
    let steady = sim.sent.len() - early;
    assert!((80..=125).contains(&steady), "{steady} requests in 300 s");
    let full = sim.sent[early..].iter().filter(|sent| sent.1).count();
    assert!((9..=16).contains(&full), "{full} of {steady} have the full size");
    let verdict = sim.machine.verdict(sim.now);
    assert!(verdict.carries());
    assert_eq!(verdict.seen().sent, verdict.seen().answered);
    assert_eq!(verdict.seen().round_trip, Some(ms(2)));
    assert!(verdict.seen().since >= ms(300_000), "{verdict}");
}

#[test]
fn a_way_that_drops_is_silent_and_heals() {
    let mut sim = Sim::new(2);
    sim.run(ms(4000), |_, _| None);
    assert_eq!(sim.state(), State::Silent(Silence::Lost));
    assert!(
        sim.sent.iter().all(|sent| !sent.1),
        "no full-size request where nothing arrives"
    );
    sim.run(ms(60_000), |_, _| None);
    // It never carried, so there is no hold: what heals is in use as soon as it is proven.
    sim.run(ms(67_000), |_, _| ARRIVES);
    assert_eq!(sim.state(), State::Carries);
}

#[test]
fn the_loss_of_a_way_is_seen_within_the_interval_and_five_seconds() {
    for seed in 0..200 {
        let mut sim = Sim::new(seed);
        sim.run(ms(20_000), |_, _| ARRIVES);
        assert_eq!(sim.state(), State::Carries);
        sim.run(ms(60_000), |_, _| None);
        let (at, state) = sim.changes[2];
        assert_eq!(state, State::Silent(Silence::Lost));
        let took = at - ms(20_000);
        assert!(took <= STEADY.mul_f64(1.2) + ms(5000), "seed {seed}: {took:?}");
    }
}

#[test]
fn a_small_mtu_on_the_way_is_seen_as_such() {
    let small_only = |_: Duration, full: bool| if full { None } else { ARRIVES };
    let mut sim = Sim::new(3);
    sim.run(ms(10_000), small_only);
    assert_eq!(sim.state(), State::Silent(Silence::TooLarge));
    sim.run(ms(25_000), |_, _| ARRIVES);
    assert_eq!(sim.state(), State::Carries);
    // Later it shrinks: found by the next full-size request, and by no loss of small ones.
    sim.run(ms(100_000), small_only);
    assert_eq!(sim.state(), State::Silent(Silence::TooLarge));
    sim.run(ms(140_000), |_, _| None);
    assert_eq!(sim.state(), State::Silent(Silence::Lost));
}

#[test]
fn what_arrives_through_a_tunnel_proves_nothing() {
    let mut sim = Sim::new(4);
    sim.run(ms(10_000), |_, _| Some((ms(1), Arrival::Tunnel)));
    assert_eq!(sim.state(), State::Silent(Silence::Tunnelled));
    assert_eq!(sim.machine.verdict(sim.now).seen().answered, 0);
}

#[test]
fn late_and_repeated_answers_count_for_nothing() {
    let mut sim = Sim::new(5);
    sim.run(ms(10_000), |_, _| Some((ms(1001), Arrival::Native)));
    assert_eq!(sim.state(), State::Silent(Silence::Lost));
    let machine = &mut sim.machine;
    machine.next = sim.now;
    assert!(machine.send(sim.now, 900, STEADY).is_some());
    assert!(!machine.answered(sim.now, 901, Arrival::Native));
    assert!(machine.answered(sim.now, 900, Arrival::Native));
    assert!(!machine.answered(sim.now, 900, Arrival::Native));
}

#[test]
fn a_way_that_breaks_again_and_again_is_used_less_and_less() {
    let mut sim = Sim::new(6);
    // It works for 20 s, then not for 10 s, for two hours.
    sim.run(ms(7_200_000), |now, _| {
        if now.as_secs() % 30 < 20 { ARRIVES } else { None }
    });
    let silent = sim
        .changes
        .iter()
        .filter(|change| matches!(change.1, State::Silent(_)));
    let silent: Vec<_> = silent.map(|change| change.0).collect();
    assert!(silent.len() < 35, "{} times", silent.len());
    let (last, before) = (silent[silent.len() - 1], silent[silent.len() - 2]);
    assert!(
        last - before >= Tuning::default().hold_most,
        "{before:?} {last:?}"
    );
}

#[test]
fn another_size_is_proven_anew_while_the_verdict_stands() {
    let mut sim = Sim::new(7);
    sim.run(ms(10_000), |_, _| ARRIVES);
    sim.machine.redeclare(way(9000), sim.now);
    assert_eq!(sim.state(), State::Carries);
    sim.run(ms(20_000), |_, full| if full { None } else { ARRIVES });
    assert_eq!(sim.state(), State::Silent(Silence::TooLarge));
}

#[test]
fn another_way_differs_and_another_size_does_not() {
    let base = way(1500);
    let machine = Machine::new(Tuning::default(), base.clone(), 1, Duration::ZERO);
    assert!(machine.serves(&way(9000)));
    let other = |change: fn(&mut Way)| {
        let mut other = (*base).clone();
        change(&mut other);
        machine.serves(&other)
    };
    assert!(!other(|way| way.gateway = "192.0.2.2".parse().unwrap()));
    assert!(!other(|way| way.interface = "eth1".into()));
    assert!(!other(|way| way.to = "10.244.3.0".parse().unwrap()));
    let more =
        |way: &mut Way| way.others = vec![std::mem::replace(&mut way.to, "10.244.3.0".parse().unwrap())];
    assert!(other(more), "its destination is one of several now");
}

/// Which of its blocks a node took first is not always known: its address is found, and then kept.
#[test]
fn of_several_destinations_the_one_that_answers_is_used() {
    let others = ["10.244.3.0", "10.244.4.0"].map(|to| to.parse().unwrap());
    let several = Arc::new(Way {
        others: others.to_vec(),
        ..(*way(1500)).clone()
    });
    let mut sim = Sim::new(5);
    sim.machine = Machine::new(Tuning::default(), several.clone(), 5, Duration::ZERO);
    let used = |sim: &Sim| sim.machine.way().unwrap().to;
    let search = |sim: &mut Sim| {
        let (mut seen, end) = (Vec::new(), sim.now + ms(60_000));
        while sim.state() != State::Carries {
            let right = used(sim) == others[1];
            if seen.last() != Some(&used(sim)) {
                seen.push(used(sim));
            }
            sim.run(sim.now + ms(50), |_, _| if right { ARRIVES } else { None });
            assert!(sim.now < end, "not found: {seen:?}");
        }
        seen
    };
    assert_eq!(search(&mut sim), [several.to, others[0], others[1]], "in turn");
    sim.run(ms(600_000), |_, _| ARRIVES);
    assert_eq!((used(&sim), sim.state()), (others[1], State::Carries));
    // What is declared anew keeps it, as long as it is among them.
    assert!(sim.machine.serves(&several));
    sim.machine.redeclare(several, sim.now);
    assert_eq!((used(&sim), sim.state()), (others[1], State::Carries));
    // The node may have taken another one meanwhile: all are tried again.
    sim.run(ms(620_000), |_, _| None);
    assert!(matches!(sim.state(), State::Silent(_)));
    search(&mut sim);
    assert_eq!(used(&sim), others[1]);
}

/// One hour at five per cent loss: no machine changes its mind.
#[test]
fn five_per_cent_loss_does_not_flip() {
    for seed in 0..50 {
        let mut sim = Sim::new(seed);
        sim.run(ms(5000), |_, _| ARRIVES);
        let mut random = Sim::new(seed ^ 0xabcd).machine;
        sim.run(ms(3_600_000), |_, _| {
            if random.fraction() < 0.05 { None } else { ARRIVES }
        });
        assert_eq!(sim.changes.len(), 2, "seed {seed}: {:?}", sim.changes);
    }
}

/// Outages: when they begin and how long they last, in ms.
fn outages() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0u64..300_000, 1u64..60_000), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the network does, a way that stopped carrying is not used before its hold is over, and it carries only
    /// after the answers that a proof needs.
    #[test]
    fn never_faster_than_the_hysteresis(seed: u64, outages in outages(), full_too: bool) {
        let mut sim = Sim::new(seed);
        sim.run(ms(400_000), |now, full| {
            let out = outages.iter().any(|(at, long)| (ms(*at)..ms(at + long)).contains(&now));
            if out && (full || full_too) { None } else { ARRIVES }
        });
        let tuning = Tuning::default();
        for pair in sim.changes.windows(2) {
            let ((before, from), (at, to)) = (pair[0], pair[1]);
            let lasted = at - before;
            if from == State::Unknown && to == State::Carries {
                prop_assert!(lasted >= tuning.fast.mul_f64(0.8) * (tuning.prove - 1), "{lasted:?}");
            }
            if from == State::Carries {
                prop_assert!(lasted >= tuning.timeout, "{lasted:?}");
            }
        }
        // From one loss of the way to its next use: at least the first hold.
        let mut lost = None;
        for pair in sim.changes.windows(2) {
            if pair[0].1 == State::Carries {
                lost = Some(pair[1].0);
            }
            if let (State::Carries, Some(lost)) = (pair[1].1, lost) {
                prop_assert!(pair[1].0 - lost >= tuning.hold);
            }
        }
    }

    /// Fewer losses in a row than make a way silent change nothing, whatever their pattern.
    #[test]
    fn short_runs_of_losses_do_not_flip(seed: u64, pattern in prop::collection::vec(0u8..5, 1..40)) {
        let mut sim = Sim::new(seed);
        sim.run(ms(5000), |_, _| ARRIVES);
        prop_assert_eq!(sim.state(), State::Carries);
        // Before each answer so many are lost, each size counted by itself.
        let mut left = [0u8; 2];
        let mut turns = pattern.iter().cycle();
        sim.run(ms(600_000), |_, full| {
            let left = &mut left[usize::from(full)];
            if *left > 0 {
                *left -= 1;
                None
            } else {
                *left = *turns.next().unwrap();
                ARRIVES
            }
        });
        prop_assert_eq!(sim.changes.len(), 2);
    }

    /// After whatever has happened: what works for long is in use again, within the longest hold and a few intervals.
    #[test]
    fn what_heals_is_used_in_bounded_time(seed: u64, outages in outages()) {
        let mut sim = Sim::new(seed);
        sim.run(ms(360_000), |now, _| {
            let out = outages.iter().any(|(at, long)| (ms(*at)..ms(at + long)).contains(&now));
            if out { None } else { ARRIVES }
        });
        sim.run(ms(360_000) + Tuning::default().hold_most + STEADY * 4, |_, _| ARRIVES);
        prop_assert_eq!(sim.state(), State::Carries);
    }

    /// And what does not work any more is not in use for long.
    #[test]
    fn what_breaks_is_left_in_bounded_time(seed: u64, outages in outages()) {
        let mut sim = Sim::new(seed);
        sim.run(ms(360_000), |now, _| {
            let out = outages.iter().any(|(at, long)| (ms(*at)..ms(at + long)).contains(&now));
            if out { None } else { ARRIVES }
        });
        sim.run(ms(360_000) + STEADY.mul_f64(1.2) + ms(5000), |_, _| None);
        prop_assert!(matches!(sim.state(), State::Silent(_)));
    }
}
