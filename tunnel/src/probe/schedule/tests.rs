//! Many peers on virtual time: rates, fairness, changes of what is wanted.

use super::*;
use crate::family::Family;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn ways(peers: usize) -> BTreeMap<ProbeKey, Arc<Way>> {
    let way = |n: usize| Way {
        from: "10.0.0.0".parse().unwrap(),
        to: std::net::Ipv4Addr::from(0x0a01_0000 + u32::try_from(n).unwrap() * 64).into(),
        others: Vec::new(),
        gateway: "192.0.2.1".parse().unwrap(),
        interface: "eth0".into(),
        size: 1500,
    };
    (0..peers)
        .map(|n| {
            (
                ProbeKey::new(&format!("node-{n:04}"), Family::Ipv4),
                Arc::new(way(n)),
            )
        })
        .collect()
}

/// Runs until `until`; answers what `arrives` lets through after 2 ms. Returns when requests were sent, and to whom.
fn run(
    schedule: &mut Schedule,
    from: Duration,
    until: Duration,
    arrives: impl Fn(&Request) -> bool,
) -> Vec<(Duration, Request)> {
    let mut sent = Vec::new();
    let mut answers: VecDeque<(Duration, Request)> = VecDeque::new();
    let mut now = from;
    loop {
        let answer = answers.front().map(|answer| answer.0);
        let Some(next) = answer.into_iter().chain(schedule.wake()).min() else {
            return sent;
        };
        now = now.max(next);
        if now > until {
            return sent;
        }
        if answer.is_some_and(|at| at <= now) {
            let (_, request) = answers.pop_front().unwrap();
            assert!(schedule.answered(now, &request.key, request.sequence, Arrival::Native));
            continue;
        }
        for request in schedule.poll(now) {
            if arrives(&request) {
                answers.push_back((now + ms(2), request.clone()));
            }
            sent.push((now, request));
        }
    }
}

fn carrying(schedule: &Schedule, now: Duration) -> usize {
    let verdicts = schedule.entries.values().map(|entry| entry.machine.verdict(now));
    verdicts.filter(ProbeVerdict::carries).count()
}

/// No second, wherever it begins, has more requests than the rate and the burst allow.
fn assert_bounded(sent: &[(Duration, Request)], most: usize) {
    for (at, (begin, _)) in sent.iter().enumerate() {
        let end = *begin + ms(1000);
        let within = sent[at..].iter().take_while(|(when, _)| *when < end).count();
        assert!(within <= most, "{within} requests in the second from {begin:?}");
    }
}

#[test]
fn a_thousand_peers_stay_below_the_rates() {
    let mut schedule = Schedule::new(Tuning::default(), 7);
    schedule.set(&ways(1000), &BTreeSet::new(), ms(0));
    let sent = run(&mut schedule, ms(0), ms(20_000), |_| true);
    assert_eq!(
        carrying(&schedule, ms(20_000)),
        1000,
        "all are proven within 20 s"
    );
    assert_bounded(&sent, 440);

    // Quiet times: the sum of all is the steady rate, whatever the number of peers.
    let sent = run(&mut schedule, ms(20_000), ms(140_000), |_| true);
    let rate = sent.len() as f64 / 120.0;
    assert!((85.0..=105.0).contains(&rate), "{rate} a second");
    let full = sent.iter().filter(|(_, request)| request.full).count() as f64 / sent.len() as f64;
    assert!((0.08..=0.16).contains(&full), "{full} of them have the full size");

    // The whole fabric breaks: all are in doubt at once.
    let sent = run(&mut schedule, ms(140_000), ms(180_000), |_| false);
    assert_bounded(&sent, 440);
    assert_eq!(carrying(&schedule, ms(180_000)), 0);
    let sent = run(&mut schedule, ms(180_000), ms(240_000), |_| true);
    assert_bounded(&sent, 440);
    assert_eq!(carrying(&schedule, ms(240_000)), 1000);
}

#[test]
fn a_hundred_peers_are_probed_at_the_usual_interval() {
    let mut schedule = Schedule::new(Tuning::default(), 7);
    schedule.set(&ways(100), &BTreeSet::new(), ms(0));
    run(&mut schedule, ms(0), ms(10_000), |_| true);
    assert_eq!(carrying(&schedule, ms(10_000)), 100);
    let sent = run(&mut schedule, ms(10_000), ms(70_000), |_| true);
    let rate = sent.len() as f64 / 60.0;
    assert!((28.0..=38.0).contains(&rate), "{rate} a second");
    // At most once in 0.8 of the interval each.
    assert_bounded(&sent, 100);
}

#[test]
fn nobody_is_starved_while_many_are_in_doubt() {
    let mut schedule = Schedule::new(Tuning::default(), 7);
    schedule.set(&ways(1000), &BTreeSet::new(), ms(0));
    let sent = run(&mut schedule, ms(0), ms(5_000), |_| false);
    let mut counts: BTreeMap<&ProbeKey, u32> = BTreeMap::new();
    for (_, request) in &sent {
        *counts.entry(&request.key).or_default() += 1;
    }
    assert_eq!(counts.len(), 1000, "each had its turn");
    let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
    assert!(most - least <= 2, "from {least} to {most}");
}

#[test]
fn one_silent_peer_does_not_concern_the_others() {
    let mut schedule = Schedule::new(Tuning::default(), 7);
    schedule.set(&ways(10), &BTreeSet::new(), ms(0));
    run(&mut schedule, ms(0), ms(10_000), |request| {
        &*request.key.node != "node-0003"
    });
    assert_eq!(carrying(&schedule, ms(10_000)), 9);
    let changes = schedule.changes(ms(10_000));
    assert_eq!(changes.len(), 10);
    for (key, verdict) in changes {
        let verdict = verdict.unwrap();
        assert_eq!(verdict.carries(), &*key.node != "node-0003", "{key}: {verdict}");
    }
    assert!(schedule.changes(ms(10_000)).is_empty());
}

#[test]
fn what_is_known_stays_known_when_others_come_and_go() {
    let mut schedule = Schedule::new(Tuning::default(), 7);
    schedule.set(&ways(3), &BTreeSet::new(), ms(0));
    run(&mut schedule, ms(0), ms(5_000), |_| true);
    assert_eq!(carrying(&schedule, ms(5_000)), 3);
    schedule.changes(ms(5_000));
    schedule.set(&ways(5), &BTreeSet::new(), ms(5_000));
    assert_eq!(carrying(&schedule, ms(5_000)), 3);
    schedule.set(&ways(2), &BTreeSet::new(), ms(5_000));
    assert_eq!(carrying(&schedule, ms(5_000)), 2);
    let gone = schedule
        .changes(ms(5_000))
        .into_iter()
        .filter(|(_, verdict)| verdict.is_none());
    assert_eq!(gone.count(), 3);

    // Another gateway is another way, which proves itself anew; another size is the same way.
    let mut moved = ways(2);
    let key = ProbeKey::new("node-0001", Family::Ipv4);
    let old = (*moved[&key]).clone();
    let gateway = "192.0.2.2".parse().unwrap();
    moved.insert(
        key.clone(),
        Arc::new(Way {
            size: 1400,
            ..old.clone()
        }),
    );
    schedule.set(&moved, &BTreeSet::new(), ms(5_000));
    assert_eq!(carrying(&schedule, ms(5_000)), 2);
    moved.insert(key, Arc::new(Way { gateway, ..old }));
    schedule.set(&moved, &BTreeSet::new(), ms(5_000));
    assert_eq!(carrying(&schedule, ms(5_000)), 1);

    schedule.set(&BTreeMap::new(), &BTreeSet::new(), ms(5_000));
    assert_eq!(schedule.wake(), None);
    assert!(schedule.poll(ms(60_000)).is_empty());
}

#[test]
fn the_bucket_lets_through_its_burst_and_then_its_rate() {
    let mut bucket = Bucket::new(100, 5);
    let now = ms(1000);
    assert_eq!((0..10).filter(|_| bucket.take(now)).count(), 5);
    assert_eq!(bucket.free_at(), ms(1010));
    assert_eq!((1000..2000).filter(|at| bucket.take(ms(*at))).count(), 99);
}

#[test]
fn what_carried_before_the_start_is_not_left_unless_its_probes_fail() {
    let mut schedule = Schedule::new(Tuning::default(), 7);
    let carried: BTreeSet<_> = ways(2).into_keys().collect();
    schedule.set(&ways(3), &carried, ms(0));
    assert_eq!(carrying(&schedule, ms(0)), 2);
    assert_eq!(schedule.changes(ms(0)).len(), 2, "it is told at once");
    run(&mut schedule, ms(0), ms(6_000), |request| {
        &*request.key.node != "node-0001"
    });
    let verdicts = schedule.changes(ms(6_000));
    let carrying = verdicts
        .iter()
        .filter(|(_, verdict)| verdict.as_ref().unwrap().carries());
    let names: Vec<_> = carrying.map(|(key, _)| key.node.to_string()).collect();
    assert_eq!(
        names,
        ["node-0000", "node-0002"],
        "one proven, one failed, one new"
    );
    // Met before: whoever comes back proves itself.
    schedule.set(&BTreeMap::new(), &carried, ms(6_000));
    schedule.set(&ways(1), &carried, ms(6_000));
    let verdicts = schedule.changes(ms(6_000));
    assert!(
        verdicts
            .iter()
            .all(|(_, verdict)| !verdict.as_ref().is_some_and(ProbeVerdict::carries))
    );
}
