use super::*;
use crate::table::Feed;

fn set() -> Attributes {
    Attributes {
        origin: 0,
        path: vec![64_512, 1, 2],
        next_hop: 7,
        med: Some(5),
        local_pref: Some(100),
        atomic: true,
        aggregator: Some((1, 2)),
        communities: vec![3, 1, 2],
        originator: Some(4),
        cluster_list: vec![5, 6],
        large: vec![[1, 2, 3], [0, 0, 1]],
        other: vec![99, 1],
    }
}

#[test]
fn every_attribute_counts() {
    let changes: [fn(&mut Attributes); 19] = [
        |a| a.origin = 2,
        |a| a.path[1] = 9,
        |a| a.path.swap(1, 2),
        |a| a.path.push(2),
        |a| a.next_hop = 8,
        |a| a.med = Some(6),
        |a| a.med = None,
        |a| a.local_pref = None,
        |a| a.atomic = false,
        |a| a.aggregator = Some((1, 3)),
        |a| a.aggregator = None,
        |a| a.communities[0] = 4,
        |a| a.communities.clear(),
        |a| a.originator = Some(3),
        |a| a.cluster_list.reverse(),
        |a| _ = a.cluster_list.pop(),
        |a| a.large[0][2] = 4,
        |a| a.other[1] = 2,
        |a| a.other.clear(),
    ];
    let plain = number(&mut set(), Hops::Router);
    let mut all = HashSet::from([plain]);
    for (at, change) in changes.iter().enumerate() {
        let mut changed = set();
        change(&mut changed);
        assert!(
            all.insert(number(&mut changed, Hops::Router)),
            "change {at} is not seen"
        );
    }
}

#[test]
fn what_speakers_may_choose_does_not_count() {
    let plain = number(&mut set(), Hops::Router);
    let mut other = set();
    other.communities = vec![2, 3, 3, 1];
    other.large.reverse();
    assert_eq!(number(&mut other, Hops::Router), plain);
    let hop = |hop, hops| {
        number(
            &mut Attributes {
                next_hop: hop,
                ..set()
            },
            hops,
        )
    };
    let [one, two] = scene::ROUTER.map(u32::from);
    assert_eq!(hop(one, Hops::Router), hop(two, Hops::Router));
    assert_ne!(hop(one, Hops::Router), hop(7, Hops::Router));
    assert_eq!(hop(7, Hops::Any), hop(8, Hops::Any));
}

fn both(feed: &Feed) -> (Arc<Expected>, Seen) {
    let mut expected = Expected::new(Arc::new(Index::new(&feed.prefixes)), Hops::Router);
    for (set, prefixes) in feed.routes() {
        expected.add(set, prefixes);
    }
    let expected = Arc::new(expected);
    (expected.clone(), Seen::new(expected))
}

fn tell(seen: &mut Seen, set: &Attributes, prefixes: &[Prefix]) {
    let mut set = set.clone();
    let number = seen.number(&mut set);
    for prefix in prefixes {
        seen.announced(*prefix, number, &set);
    }
}

#[test]
fn the_whole_feed_is_complete_in_any_order_and_nothing_less_is() {
    let feed = Feed::new(3, 2_000);
    let (expected, mut seen) = both(&feed);
    assert_eq!(expected.count(), 2_000);
    let routes: Vec<_> = feed.routes().collect();
    for (set, prefixes) in routes.iter().rev() {
        assert!(!seen.complete());
        // First with another path, then with the right one, twice.
        let mut other = (*set).clone();
        other.path.insert(0, 65_000);
        tell(&mut seen, &other, prefixes);
        assert!(!seen.complete());
        tell(&mut seen, set, prefixes);
        tell(&mut seen, set, prefixes);
    }
    assert!(seen.complete(), "{}", seen.differences());
}

#[test]
fn a_changed_attribute_a_missing_prefix_and_one_too_many_are_seen() {
    let feed = Feed::new(4, 500);
    let (_, mut seen) = both(&feed);
    for (set, prefixes) in feed.routes() {
        tell(&mut seen, set, prefixes);
    }
    assert!(seen.complete());
    let (set, prefixes) = feed.routes().next().unwrap();
    let one = prefixes[0];
    let mut other = set.clone();
    other.communities.push(77);
    tell(&mut seen, &other, &[one]);
    assert!(!seen.complete());
    let text = seen.differences();
    assert!(
        text.contains("1 with other attributes") && text.contains(&format!("{one} has")),
        "{text}"
    );
    seen.withdrawn(one);
    assert!(!seen.complete() && seen.differences().contains("1 missing"));
    tell(&mut seen, set, &[one]);
    assert!(seen.complete());
    let foreign = Prefix::around(0x0a00_0000, 8);
    tell(&mut seen, set, &[foreign]);
    assert!(!seen.complete() && seen.differences().contains("10.0.0.0/8 is in no feed"));
    seen.withdrawn(foreign);
    assert!(seen.complete());
    // The right attributes at the wrong prefixes.
    let (_, mut swapped) = both(&feed);
    let routes: Vec<_> = feed.routes().collect();
    let sets = routes.iter().map(|(set, _)| set).cycle().skip(1);
    for ((_, prefixes), set) in routes.iter().zip(sets) {
        tell(&mut swapped, set, prefixes);
    }
    assert!(!swapped.complete());
}
