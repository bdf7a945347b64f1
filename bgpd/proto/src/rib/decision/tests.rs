use super::*;
use crate::types::{PeerId, RouterId};
use crate::wire::{AsPath, Origin, Segment, SegmentKind};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

fn sequence(asns: &[u32]) -> AsPath {
    AsPath::sequence(asns.iter().copied().map(Asn))
}

static PATH: LazyLock<AsPath> = LazyLock::new(|| sequence(&[65001, 65002]));
static SAME_LENGTH: LazyLock<AsPath> = LazyLock::new(|| sequence(&[65003, 65002]));
static LONGER: LazyLock<AsPath> = LazyLock::new(|| sequence(&[65001, 65002, 65003]));
/// Two hops: a sequence of one, and a set that counts as one.
static WITH_SET: LazyLock<AsPath> = LazyLock::new(|| AsPath {
    segments: vec![
        Segment {
            kind: SegmentKind::Sequence,
            asns: vec![Asn(65001)],
        },
        Segment {
            kind: SegmentKind::Set,
            asns: vec![Asn(65002), Asn(65004), Asn(65005)],
        },
    ],
});

fn peer(last: u8) -> Option<PeerId> {
    Some(PeerId::Address(IpAddr::from([192, 0, 2, last])))
}

/// An eBGP path of peer 192.0.2.`n`.
fn path(n: u8) -> Candidate<'static> {
    Candidate {
        kind: PathKind::External,
        metric: Some(10),
        stale: false,
        local_pref: 100,
        as_path: &PATH,
        origin: Origin::Igp,
        med: 0,
        router_id: RouterId(Ipv4Addr::new(1, 1, 1, n)),
        cluster_list_length: 0,
        peer: peer(n),
        next_hop: peer(n).and_then(|p| p.address()).map(Into::into),
    }
}

fn run(candidates: &[Candidate<'_>], multipath: usize) -> (Vec<usize>, Vec<Fate>) {
    let mut fates = vec![None; candidates.len()];
    let used = decide(candidates, multipath, |i, fate| {
        assert_eq!(fates[i].replace(fate), None, "every candidate has one fate");
    });
    (
        used,
        fates
            .into_iter()
            .map(|fate| fate.expect("every candidate has a fate"))
            .collect(),
    )
}

type Change = fn(&mut Candidate<'static>);

/// Better in one step and worse in all later ones: that step must decide.
#[test]
fn every_step_outranks_those_behind_it() {
    let worse: [(Step, Change); 10] = [
        (Step::LongLivedStale, |c| c.stale = true),
        (Step::LocalPref, |c| c.local_pref = 50),
        (Step::AsPathLength, |c| c.as_path = &LONGER),
        (Step::Origin, |c| c.origin = Origin::Incomplete),
        (Step::Med, |c| c.med = 7),
        (Step::External, |c| c.kind = PathKind::Internal),
        (Step::IgpMetric, |c| c.metric = Some(20)),
        (Step::RouterId, |c| {
            c.router_id = RouterId(Ipv4Addr::new(9, 9, 9, 9))
        }),
        (Step::ClusterListLength, |c| c.cluster_list_length = 1),
        (Step::PeerAddress, |c| c.peer = peer(99)),
    ];
    for (i, (step, change)) in worse.iter().enumerate() {
        let (mut loser, mut winner) = (path(2), path(2));
        winner.peer = peer(3);
        if *step == Step::PeerAddress {
            winner.peer = peer(1);
        }
        change(&mut loser);
        for (_, later) in &worse[i + 1..] {
            later(&mut winner);
        }
        let (used, fates) = run(&[loser, winner], 1);
        assert_eq!(used, [1], "{step}");
        let decided = match fates[0] {
            Fate::Lost { step, against: 1 } => step,
            // Not a matter of merit.
            Fate::Unpaired(step, _) => step,
            fate => panic!("{step}: {fate:?}"),
        };
        assert_eq!(decided, *step);
        assert_eq!(fates[1], Fate::Best);
    }
}

#[test]
fn unreachable_next_hops_are_out_of_the_race() {
    let mut better = path(1);
    better.local_pref = 500;
    better.metric = None;
    let (used, fates) = run(&[better.clone(), path(2)], 8);
    assert_eq!(used, [1]);
    assert_eq!(fates[0], Fate::Unreachable);
    assert_eq!(run(&[better], 8).0, [] as [usize; 0]);
}

#[test]
fn own_routes_beat_learned_ones_of_the_same_preference() {
    let mut own = path(9);
    (own.kind, own.peer, own.next_hop, own.metric) = (PathKind::Local, None, None, Some(0));
    own.origin = Origin::Incomplete;
    let (used, fates) = run(&[path(1), own.clone()], 8);
    assert_eq!(used, [1]);
    assert_eq!(
        fates[0],
        Fate::Lost {
            step: Step::Originated,
            against: 1
        }
    );
    let mut preferred = path(1);
    preferred.local_pref = 200;
    assert_eq!(run(&[preferred, own], 8).0, [0]);
}

#[test]
fn a_set_counts_as_one() {
    let mut with_set = path(2);
    with_set.as_path = &WITH_SET;
    let mut longer = path(1);
    longer.as_path = &LONGER;
    assert_eq!(run(&[longer, with_set], 1).0, [1]);
}

#[test]
fn med_counts_among_paths_of_one_neighbour_only() {
    let (mut a, mut b) = (path(1), path(2));
    (a.med, b.med) = (50, 10);
    assert_eq!(run(&[a.clone(), b.clone()], 1).0, [1]);
    b.as_path = &SAME_LENGTH;
    assert_eq!(run(&[a, b], 1).0, [0], "other neighbour: the router id decides");
}

/// The textbook case in which comparing pairs in the order of arrival gives three results.
#[test]
fn med_does_not_depend_on_the_order() {
    let (mut a, mut b, mut c) = (path(1), path(2), path(3));
    (a.as_path, a.med, a.metric) = (&PATH, 100, Some(1));
    (b.as_path, b.med, b.metric) = (&SAME_LENGTH, 50, Some(2));
    (c.as_path, c.med, c.metric) = (&PATH, 10, Some(3));
    for c in [&mut a, &mut b, &mut c] {
        c.kind = PathKind::Internal;
    }
    let all = [a, b, c];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let candidates: Vec<_> = order.iter().map(|i| all[*i].clone()).collect();
        let best = run(&candidates, 1).0[0];
        assert_eq!(candidates[best].peer, peer(2), "{order:?}");
    }
}

#[test]
fn companions() {
    let used = |candidates: &[Candidate<'static>], multipath| -> Vec<Option<PeerId>> {
        run(candidates, multipath)
            .0
            .into_iter()
            .map(|i| candidates[i].peer)
            .collect()
    };
    let all = [path(3), path(1), path(2)];
    assert_eq!(used(&all, 8), [peer(1), peer(2), peer(3)]);
    assert_eq!(used(&all, 2), [peer(1), peer(2)]);
    assert_eq!(used(&all, 1), [peer(1)]);

    let mut other_as = path(2);
    other_as.as_path = &SAME_LENGTH;
    let (_, fates) = run(&[path(1), other_as.clone()], 8);
    assert_eq!(fates[1], Fate::Unpaired(Step::RouterId, Unpaired::OtherAsPath));
    let (mut inside, mut inside_other) = (path(1), other_as);
    (inside.kind, inside_other.kind) = (PathKind::Internal, PathKind::Internal);
    assert_eq!(
        used(&[inside, inside_other], 8).len(),
        2,
        "iBGP: the length is enough"
    );

    let mut same_hop = path(2);
    same_hop.next_hop = path(1).next_hop;
    let (_, fates) = run(&[path(1), same_hop], 8);
    assert_eq!(fates[1], Fate::Unpaired(Step::RouterId, Unpaired::SameNextHop));
    let (_, fates) = run(&[path(1), path(2)], 1);
    assert_eq!(fates[1], Fate::Unpaired(Step::RouterId, Unpaired::TooMany));
    let mut farther = path(2);
    farther.metric = Some(11);
    assert_eq!(used(&[path(1), farther], 8), [peer(1)]);
}

#[test]
fn descriptions_carry_the_values() {
    let (mut a, mut b) = (path(1), path(2));
    (a.local_pref, b.local_pref) = (100, 200);
    assert_eq!(Step::LocalPref.describe(&a, &b), "LOCAL_PREF 100 < 200");
    (a.as_path, a.med, a.origin, a.metric) = (&LONGER, 5, Origin::Incomplete, Some(30));
    assert_eq!(Step::AsPathLength.describe(&a, &b), "AS_PATH length 3 > 2");
    assert_eq!(Step::Origin.describe(&a, &b), "ORIGIN incomplete > IGP");
    assert_eq!(Step::Med.describe(&a, &b), "MED 5 > 0, both from AS 65001");
    assert_eq!(Step::IgpMetric.describe(&a, &b), "metric to NEXT_HOP 30 > 10");
    assert_eq!(Step::RouterId.describe(&b, &a), "router id 1.1.1.2 > 1.1.1.1");
    assert_eq!(
        Step::PeerAddress.describe(&b, &a),
        "peer address 192.0.2.2 > 192.0.2.1"
    );
}

static PATHS: LazyLock<Vec<AsPath>> = LazyLock::new(|| {
    vec![
        sequence(&[]),
        sequence(&[1]),
        sequence(&[2]),
        sequence(&[1, 3]),
        sequence(&[2, 3]),
    ]
});

prop_compose! {
    fn any_candidate()(
        kind in 0..3u8, metric in prop::option::weighted(0.8, 0..2u32), local_pref in 0..2u32, as_path in 0..5usize,
        origin in 0..2u8, med in 0..3u32, id in 0..3u8, clusters in 0..2usize, hop in 0..5u8,
        stale in prop::bool::weighted(0.2),
    ) -> Candidate<'static> {
        let kind = match kind {
            0 => PathKind::External,
            1 => PathKind::Internal,
            _ if id == 0 => PathKind::Local,
            _ => PathKind::External,
        };
        Candidate {
            kind, metric, stale, local_pref, as_path: &PATHS[as_path],
            origin: if origin == 0 { Origin::Igp } else { Origin::Egp },
            med, router_id: RouterId(Ipv4Addr::new(1, 1, 1, id)), cluster_list_length: clusters,
            peer: None, next_hop: Some(IpAddr::from([10, 0, 0, hop]).into()),
        }
    }
}

fn any_candidates() -> impl Strategy<Value = Vec<Candidate<'static>>> {
    prop::collection::vec(any_candidate(), 0..9).prop_map(|mut candidates| {
        for (i, candidate) in candidates.iter_mut().enumerate() {
            candidate.peer = peer(i as u8);
        }
        candidates
    })
}

/// RFC 4271 §9.1.2.2, and RFC 9494 §4.4 before it, said once more, as plainly as possible: a path is in the set of equals if nothing beats it in
/// the first step at which it is not equal to the best that is still there.
fn reference_equals(candidates: &[Candidate<'_>]) -> Vec<Option<PeerId>> {
    let mut left: Vec<&Candidate<'_>> = candidates.iter().filter(|c| c.metric.is_some()).collect();
    macro_rules! keep {
        ($key:expr) => {{
            let key = $key;
            if let Some(least) = left.iter().map(|c| key(c)).min() {
                left.retain(|c| key(c) == least);
            }
        }};
    }
    keep!(|c: &Candidate<'_>| c.stale);
    keep!(|c: &Candidate<'_>| u32::MAX - c.local_pref);
    keep!(|c: &Candidate<'_>| c.kind != PathKind::Local);
    keep!(|c: &Candidate<'_>| c.as_path.hops());
    keep!(|c: &Candidate<'_>| c.origin);
    let before = left.clone();
    left.retain(|c| {
        !before
            .iter()
            .any(|o| o.as_path.first() == c.as_path.first() && o.med < c.med)
    });
    keep!(|c: &Candidate<'_>| c.kind == PathKind::Internal);
    keep!(|c: &Candidate<'_>| c.metric);
    left.sort_by_key(|c| (c.router_id, c.cluster_list_length, c.peer));
    left.iter().map(|c| c.peer).collect()
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(
        (given, shuffled) in any_candidates().prop_flat_map(|c| (Just(c.clone()), Just(c).prop_shuffle())),
        multipath in 1..4usize,
    ) {
        let peers = |candidates: &[Candidate<'static>]| -> Vec<Option<PeerId>> {
            run(candidates, multipath).0.into_iter().map(|i| candidates[i].peer).collect()
        };
        prop_assert_eq!(peers(&given), peers(&shuffled));
    }

    #[test]
    fn agrees_with_the_text_of_the_rfc(candidates in any_candidates(), multipath in 1..4usize) {
        let (used, fates) = run(&candidates, multipath);
        let equals = reference_equals(&candidates);
        prop_assert_eq!(used.first().map(|i| candidates[*i].peer), equals.first().copied());
        prop_assert!(used.len() <= multipath);
        for (i, fate) in fates.iter().enumerate() {
            let is_equal = equals.contains(&candidates[i].peer);
            let said = matches!(fate, Fate::Best | Fate::Companion(_) | Fate::Unpaired(..));
            prop_assert_eq!(is_equal, said, "{:?}", fate);
            let is_used = matches!(fate, Fate::Best | Fate::Companion(_));
            prop_assert_eq!(used.contains(&i), is_used);
            if let Fate::Lost { step, against } = fate {
                prop_assert!(step.compare(&candidates[*against], &candidates[i]).is_lt());
            }
        }
    }
}

#[test]
fn other_ases_are_no_obstacle_where_multipath_is_relaxed() {
    let mut other = path(2);
    other.as_path = &SAME_LENGTH;
    let candidates = [path(1), other];
    assert_eq!(run(&candidates, 8).0, [0]);
    let relaxed = Multipath { most: 8, relax: true };
    assert_eq!(decide(&candidates, relaxed, |_, _| {}), [0, 1]);
    let mut longer = path(2);
    longer.as_path = &LONGER;
    assert_eq!(
        decide(&[path(1), longer], relaxed, |_, _| {}),
        [0],
        "length still counts"
    );
    let mut dearer = path(2);
    (dearer.as_path, dearer.metric) = (&SAME_LENGTH, Some(20));
    assert_eq!(
        decide(&[path(1), dearer], relaxed, |_, _| {}),
        [0],
        "and distance"
    );
}
