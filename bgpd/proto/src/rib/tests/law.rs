//! Law: the incremental way gives what a computation from nothing gives, and the peer knows what it should know.

use super::listener::Listener;
use super::recount;
use super::{OUR_AS, address, announce, local, net, peer, session, withdraw};
use crate::rib::filter::{
    Action, AnyCommunity, Conditions, Filters, Operation, Operator, Origin, PrefixMatch, Rule,
};
use crate::rib::reference::{Path, Reference};
use crate::rib::{
    AsRules, BestRoute, ExportPolicy, Features, ImportPolicy, ImportRules, LocRibChanges, LocalSettings,
    NextHopMode, NextHopState, NextHopTable, NodeOnly, Originated, Outcome, PeerPolicy, RemovePrivate, Rib,
};
use crate::session::AddPathSend;
use crate::types::{Asn, Family, PeerId, PerFamily, RouterId};
use crate::wire::{self, AsPath, Community, NextHop, PathAttributes, Role, RoutesIn};
use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Of these, three are inside, and two of them are told together at first.
const PEERS: u8 = 5;

#[derive(Clone, Debug)]
enum Change {
    Up {
        peer: u8,
        four_octet: bool,
        transit: bool,
        paths: AddPathSend,
    },
    Down {
        peer: u8,
    },
    /// The session ends, and routes of these families stay.
    Retain {
        peer: u8,
        keep: Vec<Family>,
    },
    SweepStale {
        peer: u8,
        family: Family,
    },
    BeginRefresh {
        peer: u8,
        family: Family,
    },
    EndRefresh {
        peer: u8,
        family: Family,
    },
    Announce {
        peer: u8,
        prefixes: Vec<IpNet>,
        next_hop: IpAddr,
        attributes: PathAttributes,
    },
    Withdraw {
        peer: u8,
        prefixes: Vec<IpNet>,
    },
    Disable {
        peer: u8,
        family: Family,
    },
    Originate(BTreeMap<IpNet, Originated>),
    NextHops(NextHopTable),
    Policy {
        peer: u8,
        policy: PeerPolicy,
    },
    Configure(LocalSettings),
    Refresh {
        peer: u8,
        family: Family,
    },
    Send {
        peer: u8,
        budget: usize,
    },
    /// Somebody asks who has something to send.
    Ask,
    Compare,
}

fn prefixes() -> Vec<IpNet> {
    [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.0/24",
        "127.0.0.0/8",
        "10.9.0.0/16",
        "::/0",
        "fd00::/16",
        "fd00:1::/32",
    ]
    .map(net)
    .to_vec()
}

fn hops_v4() -> Vec<IpAddr> {
    ["192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.1"]
        .map(address)
        .to_vec()
}

fn hops_v6() -> Vec<IpAddr> {
    ["2001:db8::10", "2001:db8::11", "2001:db8::1"]
        .map(address)
        .to_vec()
}

/// Mostly alike, so that late steps of the decision and ECMP have something to do.
fn any_attributes() -> impl Strategy<Value = PathAttributes> {
    let plain = PathAttributes {
        as_path: AsPath::sequence([Asn(65007)]),
        local_pref: Some(100),
        ..PathAttributes::default()
    };
    prop_oneof![2 => Just(plain), 1 => odd_attributes()]
}

prop_compose! {
    fn odd_attributes()(
        first in select(vec![65001, 65002, 64512]), tail in prop::collection::vec(select(vec![65007, 4_200_000_000, 65001]), 0..2),
        med in prop::option::of(0..2u32), local_pref in prop::option::of(99..102u32), origin in any::<bool>(),
        communities in subsequence(vec![
            Community::NO_EXPORT, Community::NO_ADVERTISE, Community(7), Community::GRACEFUL_SHUTDOWN,
        ], 0..2),
        cluster in prop::option::weighted(0.2, 1..3u8), otc in prop::option::weighted(0.2, 65001..65003u32),
        originator in prop::option::weighted(0.2, 1..3u8), empty in any::<bool>(),
    ) -> PathAttributes {
        let mut communities = communities;
        communities.sort();
        let path = std::iter::once(first).chain(tail).filter(|_| !empty || first != 64512).map(Asn);
        PathAttributes {
            as_path: AsPath::sequence(path), med, local_pref,
            origin: if origin { wire::Origin::Igp } else { wire::Origin::Incomplete },
            communities, originator_id: originator.map(|n| RouterId([192, 0, 2, n].into())),
            cluster_list: cluster.map(|n| [10, 0, 0, n].into()).into_iter().collect(),
            otc: otc.map(Asn),
            ..PathAttributes::default()
        }
    }
}

fn any_announcement() -> impl Strategy<Value = Change> {
    (
        0..PEERS,
        subsequence(prefixes(), 1..5),
        any::<bool>(),
        select(hops_v4()),
        select(hops_v6()),
        any_attributes(),
    )
        .prop_map(|(peer, mut prefixes, v6, hop4, hop6, mut attributes)| {
            prefixes.retain(|prefix| (Family::of(prefix) == Family::Ipv6Unicast) == v6);
            if peer < 2 {
                // What the codec leaves of an eBGP peer's attributes; and mostly the right AS in front.
                (attributes.local_pref, attributes.originator_id) = (None, None);
                attributes.cluster_list.clear();
                if attributes.as_path.first() != Some(OUR_AS) {
                    attributes.as_path = attributes.as_path.prepended(Asn(65001 + u32::from(peer)));
                }
            }
            Change::Announce {
                peer,
                prefixes,
                next_hop: if v6 { hop6 } else { hop4 },
                attributes,
            }
        })
}

fn any_next_hops() -> impl Strategy<Value = Change> {
    let all: Vec<IpAddr> = hops_v4().into_iter().chain(hops_v6()).collect();
    prop::collection::vec(prop::option::weighted(0.8, 0..2u32), all.len()).prop_map(move |metrics| {
        let state = |metric: Option<u32>| match metric {
            Some(metric) => NextHopState::Reachable { metric },
            None => NextHopState::Unreachable,
        };
        Change::NextHops(
            all.iter()
                .map(|hop| (*hop).into())
                .zip(metrics.into_iter().map(state))
                .collect(),
        )
    })
}

fn any_settings() -> impl Strategy<Value = Change> {
    (
        subsequence(vec![net("10.1.0.0/16"), net("fd00::/16")], 0..2),
        subsequence(vec![net("10.1.2.0/24"), net("fd00:1::/32")], 0..2),
        any::<bool>(),
        1..4usize,
        any::<bool>(),
        prop::option::of(1..3u8),
    )
        .prop_map(
            |(own_prefixes, on_loan, node_only, multipath, multipath_relax, cluster)| {
                let next_hops: BTreeSet<IpAddr> = [address("192.0.2.12")].into();
                let rule = NodeOnly {
                    within: net("10.0.0.0/8"),
                    next_hops: Arc::new(next_hops),
                };
                let node_only = if node_only { vec![rule] } else { Vec::new() };
                let import = ImportRules {
                    own_prefixes,
                    on_loan: on_loan.into_iter().collect(),
                    node_only,
                    own_addresses: BTreeSet::new(),
                };
                Change::Configure(LocalSettings {
                    cluster_id: cluster.map(|n| [10, 0, 0, n].into()),
                    import,
                    multipath,
                    multipath_relax,
                    ..local()
                })
            },
        )
}

/// Rules over the few prefixes, communities and AS numbers that there are here.
fn any_filters() -> impl Strategy<Value = Filters> {
    let rules = || prop::collection::vec(any_rule(), 0..3);
    (rules(), rules()).prop_map(|(v4, v6)| Filters::new(v4, v6))
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let operator = select(vec![
        Operator::Equal,
        Operator::NotEqual,
        Operator::In,
        Operator::NotIn,
    ]);
    let prefix = prop::option::of((select(prefixes()), operator, prop::option::of(16..30u8)));
    let communities = prop::option::weighted(
        0.3,
        select(vec![Community::NO_EXPORT, Community(9), Community(8)]),
    );
    let conditions = (
        prefix,
        any::<bool>(),
        communities,
        prop::option::weighted(0.2, Just(5u32)),
    );
    let operation = prop_oneof![
        Just(Operation::AddCommunity(AnyCommunity::Standard(Community(8)))),
        Just(Operation::PrependAsPath(vec![Asn(65009), Asn(65008)])),
        Just(Operation::SetPriority(5)),
    ];
    (conditions, any::<bool>(), prop::collection::vec(operation, 0..3)).prop_map(
        |((prefix, learned, communities, priority), accept, operations)| Rule {
            conditions: Conditions {
                prefix: prefix.map(|(range, operator, max)| PrefixMatch::new(range, operator, None, max)),
                learned,
                communities: communities.into_iter().map(AnyCommunity::Standard).collect(),
                priority,
                ..Conditions::default()
            },
            action: if accept { Action::Accept } else { Action::Reject },
            operations,
            origin: Origin {
                filter: "law".into(),
                list: "list",
                number: 1,
            },
        },
    )
}

fn any_role() -> impl Strategy<Value = Option<Role>> {
    prop::option::weighted(
        0.3,
        select((0..5).filter_map(Role::from_code).collect::<Vec<_>>()),
    )
}

fn any_import() -> impl Strategy<Value = ImportPolicy> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (any_filters(), flags, 0..2u8, any_role()).prop_map(
        |(filters, (transit, first, shutdown, local_as), allow_own_as, role)| ImportPolicy {
            filters,
            transit,
            allow_own_as,
            enforce_first_as: first,
            role,
            honour_graceful_shutdown: shutdown,
            prepend_local_as: local_as,
        },
    )
}

fn any_export() -> impl Strategy<Value = ExportPolicy> {
    let flags = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    let modes = select(vec![
        NextHopMode::Auto,
        NextHopMode::SelfAddress,
        NextHopMode::Keep,
    ]);
    let private = select(vec![
        RemovePrivate::Never,
        RemovePrivate::All,
        RemovePrivate::Replace,
    ]);
    (any_filters(), flags, modes, private, any_role()).prop_map(
        |(filters, (transit, client, as_override, replace_as, drain), next_hop, remove_private, role)| {
            ExportPolicy {
                filters,
                transit,
                client,
                next_hop,
                as_rules: AsRules {
                    remove_private,
                    as_override,
                    replace_as,
                },
                role,
                drain,
            }
        },
    )
}

fn any_policy() -> impl Strategy<Value = Change> {
    (
        0..PEERS,
        any::<bool>(),
        prop::option::weighted(0.8, 1..3u8),
        any_import(),
        any_export(),
    )
        .prop_map(|(peer, v6, v4, import, export)| {
            let policy = PeerPolicy {
                next_hop_v4: v4.map(|n| [192, 0, 2, n].into()),
                next_hop_v6: v6.then(|| "2001:db8::1".parse().unwrap()),
                import: Arc::new(import),
                export: Arc::new(export),
            };
            Change::Policy { peer, policy }
        })
}

fn any_originated() -> impl Strategy<Value = Change> {
    subsequence(prefixes(), 0..4).prop_flat_map(|prefixes| {
        let communities = prop::option::weighted(0.3, select(vec![Community::NO_EXPORT, Community(9)]));
        prop::collection::vec(communities, prefixes.len()).prop_map(move |communities| {
            let routes = communities.into_iter().map(|c| Originated {
                communities: c.into_iter().collect(),
                ..Originated::default()
            });
            Change::Originate(prefixes.iter().copied().zip(routes).collect())
        })
    })
}

fn any_send() -> impl Strategy<Value = AddPathSend> {
    prop_oneof![
        5 => Just(AddPathSend::None),
        1 => (1..4u8).prop_map(AddPathSend::Best),
        1 => Just(AddPathSend::All),
    ]
}

/// Few prefixes that change often, and members of one group that take what is said at times of their own.
fn any_talk() -> impl Strategy<Value = Change> {
    let plain = |up| {
        move |peer| match up {
            true => Change::Up {
                peer,
                four_octet: true,
                transit: true,
                paths: AddPathSend::None,
            },
            false => Change::Down { peer },
        }
    };
    prop_oneof![
        4 => any_originated(),
        2 => any_announcement(),
        1 => (2..PEERS).prop_map(plain(true)),
        1 => (2..PEERS).prop_map(plain(false)),
        2 => Just(Change::Ask),
        6 => (2..PEERS, select(vec![1, 1 << 16])).prop_map(|(peer, budget)| Change::Send { peer, budget }),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    let family = || select(Family::ALL.to_vec());
    prop_oneof![
        3 => (0..PEERS, any::<bool>(), any::<bool>(), any_send())
            .prop_map(|(peer, four_octet, transit, paths)| Change::Up { peer, four_octet, transit, paths }),
        1 => (0..PEERS).prop_map(|peer| Change::Down { peer }),
        12 => any_announcement(),
        4 => (0..PEERS, subsequence(prefixes(), 1..5)).prop_map(|(peer, prefixes)| Change::Withdraw { peer, prefixes }),
        2 => (0..PEERS, subsequence(Family::ALL.to_vec(), 0..3)).prop_map(|(peer, keep)| Change::Retain { peer, keep }),
        2 => (0..PEERS, family()).prop_map(|(peer, family)| Change::SweepStale { peer, family }),
        1 => (0..PEERS, family()).prop_map(|(peer, family)| Change::BeginRefresh { peer, family }),
        1 => (0..PEERS, family()).prop_map(|(peer, family)| Change::EndRefresh { peer, family }),
        1 => (0..PEERS, family()).prop_map(|(peer, family)| Change::Disable { peer, family }),
        2 => any_originated(),
        4 => any_next_hops(),
        2 => any_policy(),
        2 => any_settings(),
        1 => (0..PEERS, family()).prop_map(|(peer, family)| Change::Refresh { peer, family }),
        4 => (0..PEERS, 0..200usize).prop_map(|(peer, budget)| Change::Send { peer, budget }),
        3 => Just(Change::Compare),
    ]
}

/// A path as the looking glass shows it.
type Shown = (Option<PeerId>, PathAttributes, Option<crate::types::ScopedAddr>);

struct Pair {
    rib: Rib,
    reference: Reference,
    listeners: BTreeMap<PeerId, Listener>,
    now: Instant,
}

impl Pair {
    fn apply(&mut self, change: Change) {
        let (rib, reference) = (&mut self.rib, &mut self.reference);
        match change {
            Change::Up {
                peer: n,
                four_octet,
                transit,
                paths,
            } => {
                let up = crate::rib::PeerSession {
                    four_octet,
                    features: Features {
                        add_path_out: PerFamily {
                            ipv4: paths,
                            ipv6: paths,
                        },
                        ..Features::default()
                    },
                    ..super::with_transit(session(n), transit)
                };
                self.listeners.insert(peer(n), Listener::new(&up));
                rib.peer_up(peer(n), up.clone());
                reference.peer_up(peer(n), up);
            }
            Change::Down { peer: n } => {
                self.listeners.remove(&peer(n));
                rib.peer_down(peer(n));
                reference.peer_down(peer(n));
            }
            Change::Retain { peer: n, keep } => {
                if self.listeners.remove(&peer(n)).is_some() {
                    rib.peer_retained(peer(n), &keep);
                    reference.peer_retained(peer(n), &keep);
                }
            }
            Change::SweepStale { peer: n, family } => {
                rib.sweep_stale(peer(n), family);
                reference.sweep_stale(peer(n), family);
            }
            Change::BeginRefresh { peer: n, family } => {
                rib.begin_refresh(peer(n), family);
                reference.begin_refresh(peer(n), family);
            }
            Change::EndRefresh { peer: n, family } => {
                rib.end_refresh(peer(n), family);
                reference.end_refresh(peer(n), family);
            }
            Change::Announce {
                peer: n,
                prefixes,
                next_hop,
                attributes,
            } => {
                self.update(n, announce(&prefixes, next_hop, attributes));
            }
            Change::Withdraw { peer: n, prefixes } => self.update(n, withdraw(&prefixes)),
            Change::Disable { peer: n, family } => {
                self.update(
                    n,
                    RoutesIn {
                        disable: vec![family],
                        ..RoutesIn::default()
                    },
                );
            }
            Change::Originate(routes) => {
                rib.originate(routes.clone());
                reference.originated = routes;
            }
            Change::NextHops(table) => {
                rib.set_next_hops(table.clone());
                reference.next_hops = table;
            }
            Change::Policy { peer: n, policy } => {
                rib.peer_policy(peer(n), policy.clone());
                reference.peer_policy(peer(n), policy);
            }
            Change::Configure(local) => {
                rib.configure(local.clone());
                reference.local = local;
            }
            Change::Refresh { peer: n, family } => rib.refresh(peer(n), family),
            Change::Send { peer: n, budget } => self.send(peer(n), budget),
            Change::Ask => drop(rib.ready()),
            Change::Compare => self.compare(),
        }
    }

    fn update(&mut self, n: u8, update: RoutesIn) {
        self.rib.update(peer(n), update.clone(), self.now);
        self.reference.update(peer(n), update);
    }

    fn send(&mut self, peer: PeerId, budget: usize) {
        let mut bytes = Vec::new();
        self.rib.next_updates(peer, &mut bytes, budget);
        match self.listeners.get_mut(&peer) {
            Some(listener) => listener.hear(&bytes),
            None => assert!(bytes.is_empty()),
        }
    }

    fn loc_rib(&self) -> BTreeMap<IpNet, Vec<Shown>> {
        let paths = |route: crate::rib::BestRoute| {
            route
                .paths
                .iter()
                .map(|p| (p.peer, (*p.attributes).clone(), p.next_hop))
                .collect()
        };
        self.rib
            .loc_rib()
            .map(|route| (route.prefix, paths(route)))
            .collect()
    }

    fn compare(&mut self) {
        self.compare_loc_rib();
        self.compare_counts();
        recount::check(&self.rib);
        let peers: Vec<PeerId> = self.listeners.keys().copied().collect();
        for peer in peers {
            // A budget of one octet: one message at a time.
            for _ in 0..1000 {
                if self.rib.has_pending(peer) {
                    self.send(peer, 1);
                }
            }
            assert!(!self.rib.has_pending(peer), "there is an end to it");
            let listener = &self.listeners[&peer];
            let wanted = sorted(self.reference.advertised(peer));
            assert_eq!(sorted(listener.routes()), wanted, "what {peer} was told");
            assert_eq!(listener.end_of_rib, Family::ALL, "once, in order");
            for family in Family::ALL {
                let told = listener
                    .table
                    .keys()
                    .filter(|(prefix, _)| Family::of(prefix) == family);
                assert_eq!(self.rib.counts(peer, family).advertised, told.count());
            }
            for prefix in self.reference.prefixes() {
                assert_eq!(
                    self.rib.has_advertised(peer, &prefix),
                    wanted.contains_key(&prefix)
                );
            }
            let shown = self.rib.advertised(peer).into_iter();
            let shown: BTreeMap<_, _> = shown.map(|r| ((r.prefix, r.path_id), r.next_hop)).collect();
            let known = listener.table.iter();
            let known: BTreeMap<_, _> = known.map(|(path, (hop, _))| (*path, hop.address())).collect();
            assert_eq!(shown, known);
            for prefix in self.reference.prefixes() {
                let exports = self.rib.explain(prefix).exports;
                let export = exports.iter().find(|export| export.peer == peer).unwrap();
                assert_eq!(
                    export.refused.is_none(),
                    wanted.contains_key(&prefix),
                    "{export:?}"
                );
            }
        }
    }

    fn compare_loc_rib(&self) {
        let mut wanted = BTreeMap::new();
        for prefix in self.reference.prefixes() {
            let selected = self.reference.selected(&prefix);
            let explained = self.rib.explain(prefix).candidates;
            let used: Vec<_> = explained
                .iter()
                .filter(|e| e.outcome.is_used())
                .map(|e| e.path.peer)
                .collect();
            assert_eq!(used, selected.iter().map(|p| p.peer).collect::<Vec<_>>());
            assert_eq!(
                explained.iter().filter(|e| e.outcome == Outcome::Best).count(),
                usize::from(!used.is_empty())
            );
            if !selected.is_empty() {
                let backup = self.rib.get(&prefix).and_then(|route| route.backup);
                assert_eq!(
                    backup,
                    self.reference.backup(&prefix),
                    "what stands by for {prefix}"
                );
                let view = |p: Path| (p.peer, p.attributes, p.next_hop.map(|hop| hop.scoped()));
                wanted.insert(prefix, selected.into_iter().map(view).collect::<Vec<_>>());
            }
        }
        assert_eq!(self.loc_rib(), wanted);
        assert_eq!(self.rib.loc_rib_len(), wanted.len());
        assert_eq!(self.rib.tracked_next_hops(), self.reference.tracked());
        for text in ["10.1.2.3", "10.200.0.1", "192.168.0.1", "fd00:1::1", "fe80::1"] {
            let covers = |prefix: &&IpNet| prefix.contains(&address(text));
            let longest = wanted
                .keys()
                .filter(covers)
                .max_by_key(|prefix| prefix.prefix_len());
            assert_eq!(
                self.rib.lookup(address(text)).map(|route| route.prefix).as_ref(),
                longest,
                "{text}"
            );
        }
    }

    fn compare_counts(&self) {
        for n in 0..PEERS {
            let mut wanted: BTreeMap<Family, (usize, usize)> = BTreeMap::new();
            for ((prefix, of), route) in &self.reference.routes {
                if *of == peer(n) {
                    let count = wanted.entry(Family::of(prefix)).or_default();
                    count.0 += 1;
                    count.1 += usize::from(self.reference.verdict(prefix, *of, route).is_ok());
                }
            }
            for family in Family::ALL {
                let counts = self.rib.counts(peer(n), family);
                let (received, accepted) = wanted.get(&family).copied().unwrap_or_default();
                assert_eq!((counts.received, counts.accepted), (received, accepted));
                assert_eq!(counts.rejected, received - accepted);
            }
            let rejected = self
                .rib
                .received(peer(n))
                .iter()
                .filter(|r| r.rejected.is_some())
                .count();
            let shown = self
                .rib
                .rejected()
                .iter()
                .filter(|r| r.path.peer == Some(peer(n)))
                .count();
            assert_eq!(rejected, shown);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
fn pair() -> Pair {
    let (rib, reference) = (Rib::new(local()), Reference::new(local()));
    Pair {
        rib,
        reference,
        listeners: BTreeMap::new(),
        now: Instant::now(),
    }
}

/// The paths of each prefix in one order.
fn sorted(
    mut routes: BTreeMap<IpNet, Vec<(NextHop, PathAttributes)>>,
) -> BTreeMap<IpNet, Vec<(NextHop, PathAttributes)>> {
    let paths = routes.values_mut();
    paths.for_each(|paths| paths.sort_by_cached_key(|path| format!("{path:?}")));
    routes
}

/// What a reader does with the changes.
fn keep(copy: &mut BTreeMap<IpNet, BestRoute>, changes: LocRibChanges) {
    if changes.whole {
        copy.clear();
    }
    for (prefix, route) in changes.routes {
        match route {
            Some(route) => copy.insert(prefix, route),
            None => copy.remove(&prefix),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]
    #[test]
    fn incremental_equals_recomputed(changes in prop::collection::vec(any_change(), 1..60)) {
        let mut pair = pair();
        let reachable = NextHopState::Reachable { metric: 0 };
        let hops = hops_v4().into_iter().chain(hops_v6());
        pair.apply(Change::NextHops(hops.map(|hop| (hop.into(), reachable)).collect()));
        for n in 0..PEERS {
            let paths = [AddPathSend::None, AddPathSend::Best(2), AddPathSend::None, AddPathSend::None, AddPathSend::All];
            let paths = paths[usize::from(n)];
            pair.apply(Change::Up { peer: n, four_octet: true, transit: n < 2, paths });
        }
        let mut copy = BTreeMap::new();
        for (n, change) in changes.into_iter().enumerate() {
            let before = (pair.loc_rib(), pair.rib.tracked_next_hops());
            pair.rib.take_changed();
            pair.apply(change);
            let after = (pair.loc_rib(), pair.rib.tracked_next_hops());
            prop_assert!(before == after || pair.rib.take_changed(), "a change was not reported");
            if n % 3 == 0 {
                keep(&mut copy, pair.rib.take_loc_rib_changes());
                prop_assert!(copy.values().cloned().eq(pair.rib.loc_rib()), "a copy by changes is not the Loc-RIB");
            }
        }
        pair.compare();
        // It shares attributes with the table.
        drop(copy);
        for n in 0..PEERS {
            pair.apply(Change::Down { peer: n });
        }
        pair.apply(Change::Originate(BTreeMap::new()));
        pair.rib.forget_loc_rib_changes();
        pair.rib.forget_memo();
        prop_assert!(!pair.rib.work(), "small tables know no delay");
        prop_assert_eq!(pair.rib.attrs.len(), 0);
        prop_assert_eq!(pair.rib.attrs.hops.len(), 0);
        prop_assert_eq!(pair.rib.table.len(), 0);
        prop_assert!(pair.rib.tracked_next_hops().is_empty());
    }

    #[test]
    fn slow_and_quick_members_of_a_group_hear_the_same(changes in prop::collection::vec(any_talk(), 1..80)) {
        let mut pair = pair();
        for n in 0..PEERS {
            let paths = AddPathSend::None;
            pair.apply(Change::Up { peer: n, four_octet: true, transit: true, paths });
        }
        changes.into_iter().for_each(|change| pair.apply(change));
        pair.compare();
    }
}
