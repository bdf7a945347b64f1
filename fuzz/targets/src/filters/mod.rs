//! BGPFilters from the text of the resource to what becomes of routes: rules as the input chooses them are written as
//! resources, read and compiled as the program does it, and asked about routes. Asked of it: each route is decided by the rule
//! that the documentation names when it is read word by word, and becomes what it says; the trace ends at that rule; and
//! a RIB that judges routes by these rules comes to the same, when it hears the routes and when rules change under them.

mod naive;
mod spec;

/// The rules of a session out of the intent, as the program compiles them: the very file.
#[path = "../../../../src/plan/filters.rs"]
#[expect(dead_code, reason = "what else the program needs of it")]
mod plan;

use crate::input::Input;
use bgpd_proto::rib::filter::{Action, Facts, Filters, apply};
use bgpd_proto::rib::{
    ExportPolicy, Features, ImportPolicy, ImportRules, LocalSettings, NextHopState, PeerPolicy, PeerSession,
    RejectReason, Rib,
};
use bgpd_proto::types::{Asn, Family, PeerId, PeerKind, RouterId};
use bgpd_proto::wire::{
    Announcement, AsPath, Community, LargeCommunity, MAX_MESSAGE, NextHop, PathAttributes, RoutesIn, Segment,
    SegmentKind,
};
use config::{Rules, Source, load_with};
use ipnet::IpNet;
use spec::{Hop, Route, Rule};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

/// Rules of one list.
const MOST_RULES: usize = 24;
/// Numbers in a segment.
const SEGMENT: usize = 255;

/// One octet about the whole, then routes, then two sets of rules.
pub fn filters(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.u8();
    let v6 = choice & 1 != 0;
    let routes: Vec<Route> = (0..=choice >> 1 & 7)
        .map(|_| spec::route(&mut input, v6))
        .collect();
    let mut sets = Vec::new();
    for missing in [choice & 16 != 0, choice & 32 != 0] {
        let count = input.below(MOST_RULES + 1);
        let near = |n: usize| routes.get(n % routes.len()).map(|route| route.net);
        let rules: Vec<Rule> = (0..count).map(|n| spec::rule(&mut input, v6, near(n))).collect();
        let Some(compiled) = compile(&rules, v6, input.below(count + 1), missing) else {
            return;
        };
        let rules = with_missing(rules, missing);
        for filters in [&compiled.0, &compiled.1] {
            routes.iter().for_each(|route| judged(filters, &rules, route, v6));
        }
        sets.push((compiled.0, rules));
    }
    in_a_rib(&sets, &routes, v6);
}

/// A filter that is not there rejects everything.
fn with_missing(mut rules: Vec<Rule>, missing: bool) -> Vec<Rule> {
    rules.extend(missing.then(|| Rule {
        range: None,
        lengths: (None, None),
        remote: false,
        interface: None,
        kind: None,
        community: None,
        path: Vec::new(),
        priority: None,
        accept: false,
        operations: Vec::new(),
    }));
    rules
}

/// The rules in two resources, each rule in the lists of both directions.
fn compile(rules: &[Rule], v6: bool, first: usize, missing: bool) -> Option<(Filters, Filters)> {
    let resource = |name: &str, rules: &[Rule]| {
        let family = if v6 { "V6" } else { "V4" };
        let lines: String = rules.iter().map(|rule| rule.text(v6)).collect();
        let head =
            format!("apiVersion: projectcalico.org/v3\nkind: BGPFilter\nmetadata: {{ name: {name} }}\n");
        match lines.is_empty() {
            true => format!("{head}spec: {{}}\n"),
            false => format!("{head}spec:\n  import{family}:\n{lines}  export{family}:\n{lines}"),
        }
    };
    let (one, two) = rules.split_at(first);
    let text = format!("{}---\n{}", resource("one", one), resource("two", two));
    let sources = [Source {
        name: "input".into(),
        text,
    }];
    let loaded = load_with(&sources, Rules::default());
    let refused = rules.iter().any(Rule::is_refused);
    assert_eq!(
        loaded.intent.is_none(),
        refused,
        "{}\n{:?}",
        sources[0].text,
        loaded.problems
    );
    let names = ["one", "two", "three"].map(str::to_owned);
    let intent = loaded.intent?;
    Some(plan::of(&intent, &names[..2 + usize::from(missing)]))
}

fn judged(filters: &Filters, rules: &[Rule], route: &Route, v6: bool) {
    let (prefix, attributes) = (prefix(route, v6), attributes(route));
    let facts = Facts {
        prefix: &prefix,
        attributes: &attributes,
        learned: route.learned,
        peer_kind: route.kind,
        interface: route.interface.as_deref(),
        priority: route.priority,
    };
    let wanted = naive::decide(rules, route);
    let found = filters.first_match(&facts);
    let place = found.map(|(id, _)| usize::from(id.0.get()) - 1);
    assert_eq!(
        place,
        wanted.as_ref().map(|wanted| wanted.place),
        "{route:?} by {rules:?}"
    );
    let trace = filters.trace(&facts);
    let looked = place.map_or(rules.len(), |place| place + 1);
    assert_eq!(trace.len(), looked);
    let matched = trace.iter().position(|looked| looked.mismatch.is_none());
    assert_eq!(matched, place);
    assert!(trace.iter().all(|looked| !looked.to_string().is_empty()));
    if let (Some((_, rule)), Some(wanted)) = (found, wanted) {
        assert_eq!(rule.action == Action::Accept, wanted.accept);
        let mut after = attributes.clone();
        apply(&rule.operations, &mut after);
        same(&after, &wanted.route);
        assert_eq!(rule.priority().or(route.priority), wanted.route.priority);
        assert!(rule.changes_attributes() || after == attributes);
    }
}

/// The attributes say what the route says.
fn same(attributes: &PathAttributes, route: &Route) {
    assert!(
        attributes
            .as_path
            .segments
            .iter()
            .all(|s| (1..=SEGMENT).contains(&s.asns.len()))
    );
    assert_eq!(hops(&attributes.as_path), route.path);
    let wanted = self::attributes(route);
    assert_eq!(attributes.communities, wanted.communities);
    assert_eq!(attributes.large_communities, wanted.large_communities);
}

fn hops(path: &AsPath) -> Vec<Hop> {
    let mut hops = Vec::new();
    for segment in &path.segments {
        let asns = segment.asns.iter().map(|asn| asn.0);
        match segment.kind {
            SegmentKind::Sequence => hops.extend(asns.map(Hop::One)),
            SegmentKind::Set => hops.push(Hop::Set(asns.collect())),
        }
    }
    hops
}

fn prefix(route: &Route, v6: bool) -> IpNet {
    match spec::cidr(route.net, v6).parse() {
        Ok(prefix) => prefix,
        Err(error) => panic!("{:?}: {error}", route.net),
    }
}

fn attributes(route: &Route) -> PathAttributes {
    let mut segments: Vec<Segment> = Vec::new();
    for hop in &route.path {
        match (hop, segments.last_mut()) {
            (Hop::One(asn), Some(last))
                if last.kind == SegmentKind::Sequence && last.asns.len() < SEGMENT =>
            {
                last.asns.push(Asn(*asn));
            }
            (Hop::One(asn), _) => segments.push(Segment {
                kind: SegmentKind::Sequence,
                asns: vec![Asn(*asn)],
            }),
            (Hop::Set(asns), _) => segments.push(Segment {
                kind: SegmentKind::Set,
                asns: asns.iter().copied().map(Asn).collect(),
            }),
        }
    }
    let large = |(global, local1, local2): (u32, u32, u32)| LargeCommunity {
        global,
        local1,
        local2,
    };
    PathAttributes {
        as_path: AsPath { segments },
        communities: (route.standard.iter())
            .map(|(a, b)| Community(u32::from(*a) << 16 | u32::from(*b)))
            .collect(),
        large_communities: route.large.iter().copied().map(large).collect(),
        ..PathAttributes::default()
    }
}

/// A peer of another AS says the routes; its filters are the first set, then the second.
fn in_a_rib(sets: &[(Filters, Vec<Rule>)], routes: &[Route], v6: bool) {
    let (peer, hop) = (PeerId::Address(IpAddr::from([192, 0, 2, 10])), next_hop(v6));
    let mut rib = Rib::new(LocalSettings {
        asn: Asn(64999),
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, 1)),
        cluster_id: None,
        import: ImportRules::default(),
        multipath: 1,
        multipath_relax: false,
    });
    rib.set_next_hops(
        [(hop.into(), NextHopState::Reachable { metric: 1 })]
            .into_iter()
            .collect(),
    );
    rib.peer_up(peer, session(&sets[0].0));
    let mut said = BTreeMap::new();
    for route in routes {
        // As a session would teach it.
        let route = Route {
            learned: true,
            kind: PeerKind::External,
            interface: None,
            priority: None,
            ..route.clone()
        };
        let prefix = prefix(&route, v6);
        let announced = Announcement {
            family: Family::of(&prefix),
            next_hop: NextHop::from(hop),
            nlri: vec![prefix.into()],
        };
        let update = RoutesIn {
            attributes: attributes(&route),
            announced: vec![announced],
            ..RoutesIn::default()
        };
        rib.update(peer, update, Instant::now());
        said.insert(prefix, route);
    }
    for (round, (filters, rules)) in sets.iter().enumerate() {
        if round > 0 {
            let session = session(filters);
            rib.peer_policy(
                peer,
                PeerPolicy {
                    next_hop_v4: session.next_hop_v4,
                    next_hop_v6: session.next_hop_v6,
                    import: session.import,
                    export: session.export,
                },
            );
            while rib.work() {}
        }
        as_judged(&rib, peer, rules, &said);
        if let Err(error) = rib.check() {
            panic!("{error}");
        }
    }
}

fn as_judged(rib: &Rib, peer: PeerId, rules: &[Rule], said: &BTreeMap<IpNet, Route>) {
    let best: BTreeMap<IpNet, _> = rib.loc_rib().map(|best| (best.prefix, best.paths)).collect();
    let received = rib.received(peer);
    assert_eq!(received.len(), said.len());
    for view in received {
        let route = &said[&view.prefix];
        // Martians and loops are refused before any rule is asked.
        if view.rejected.is_some_and(|reason| reason != RejectReason::Filter) {
            assert!(!best.contains_key(&view.prefix));
            continue;
        }
        let wanted = naive::decide(rules, route);
        let rejected = wanted.as_ref().is_some_and(|wanted| !wanted.accept);
        assert_eq!(view.rejected.is_some(), rejected, "{} by {rules:?}", view.prefix);
        assert_eq!(view.rule.is_some(), wanted.is_some());
        assert_eq!(best.contains_key(&view.prefix), !rejected);
        if let Some(paths) = best.get(&view.prefix) {
            let after = wanted.map_or_else(|| route.clone(), |wanted| wanted.route);
            same(&paths[0].attributes, &after);
            assert_eq!(paths[0].priority, after.priority);
        }
    }
}

fn next_hop(v6: bool) -> IpAddr {
    if v6 {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 10))
    } else {
        IpAddr::from([192, 0, 2, 10])
    }
}

fn session(filters: &Filters) -> PeerSession {
    PeerSession {
        kind: PeerKind::External,
        local_asn: Asn(64999),
        remote_asn: Asn(65001),
        remote_router_id: RouterId(Ipv4Addr::new(192, 0, 2, 10)),
        remote_address: IpAddr::from([192, 0, 2, 10]),
        families: Family::ALL.to_vec(),
        four_octet: true,
        max_message_len: MAX_MESSAGE,
        features: Features::default(),
        next_hop_v4: Some(Ipv4Addr::new(192, 0, 2, 1)),
        next_hop_v6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        import: Arc::new(ImportPolicy {
            filters: filters.clone(),
            enforce_first_as: false,
            ..ImportPolicy::default()
        }),
        export: Arc::new(ExportPolicy::default()),
    }
}
