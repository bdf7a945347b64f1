//! Changes around one [`Rib`], as the input chooses them. Asked after each few: every Adj-RIB-In holds what its peer said last,
//! as stale as it is; all that follows from that is what a computation from nothing gives; a copy kept by changes is the
//! Loc-RIB; and each peer's own table, made from the bytes alone, is what it should know. In the end nothing is left.

use crate::input::Input;
use bgpd_proto::rib::{
    BestRoute, ExportPolicy, Held, ImportPolicy, ImportRules, LocalSettings, NextHopState, Originated,
    PeerPolicy, PeerSession, Rib,
};
use bgpd_proto::types::{Asn, Family, PeerId, PeerKind, RouterId};
use bgpd_proto::wire::{
    Announcement, AsPath, Community, DecodeContext, MAX_MESSAGE, Message, NextHop, PathAttributes, RoutesIn,
    Withdrawal, decode,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

const PEERS: usize = 4;
const OURS: Asn = Asn(64512);
/// Changes in one input.
const MOST: usize = 400;

/// Each change is an octet that chooses it, and what it needs.
pub fn rib(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new();
    for step in 0..MOST {
        if input.is_empty() {
            break;
        }
        world.change(&mut input);
        if step % 4 == 3 {
            world.check();
        }
    }
    world.told();
    world.check();
    world.end();
}

/// A route as its peer said it, and whether that was in a session that has ended.
struct Said {
    next_hop: IpAddr,
    attributes: PathAttributes,
    stale: bool,
}

struct World {
    rib: Rib,
    now: Instant,
    local: LocalSettings,
    sessions: BTreeMap<PeerId, PeerSession>,
    said: BTreeMap<(PeerId, IpNet), Said>,
    /// Families that nothing is taken from any more.
    disabled: Vec<(PeerId, Family)>,
    /// What each peer knows by the bytes.
    known: BTreeMap<PeerId, BTreeMap<IpNet, NextHop>>,
    copy: BTreeMap<IpNet, BestRoute>,
}

fn peer(n: usize) -> PeerId {
    PeerId::Address(IpAddr::from([192, 0, 2, 10 + n as u8]))
}

/// Two are eBGP.
fn session(n: usize, choice: u8) -> PeerSession {
    let bit = |n: u8| choice & (1 << n) != 0;
    let inside = n >= 2;
    PeerSession {
        kind: if inside {
            PeerKind::Internal
        } else {
            PeerKind::External
        },
        local_asn: OURS,
        remote_asn: if inside { OURS } else { Asn(65001 + n as u32) },
        remote_router_id: RouterId(Ipv4Addr::new(192, 0, 2, if bit(3) { 10 } else { 10 + n as u8 })),
        remote_address: IpAddr::from([192, 0, 2, 10 + n as u8]),
        families: if bit(2) {
            Family::ALL[..1].to_vec()
        } else {
            Family::ALL.to_vec()
        },
        four_octet: !bit(0),
        max_message_len: MAX_MESSAGE,
        features: bgpd_proto::rib::Features::default(),
        next_hop_v4: Some(Ipv4Addr::new(192, 0, 2, 1)),
        next_hop_v6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        import: import(bit(1)),
        export: export(bit(1)),
    }
}

fn import(transit: bool) -> Arc<ImportPolicy> {
    Arc::new(ImportPolicy {
        transit,
        ..ImportPolicy::default()
    })
}

fn export(transit: bool) -> Arc<ExportPolicy> {
    Arc::new(ExportPolicy {
        transit,
        ..ExportPolicy::default()
    })
}

fn prefix(family: Family, n: u8) -> Option<IpNet> {
    match family {
        Family::Ipv4Unicast => {
            let length = 8 + n % 4 * 8;
            Ipv4Net::new(Ipv4Addr::new(10, n >> 4, n >> 2, n), length)
                .map(|net| IpNet::V4(net.trunc()))
                .ok()
        }
        Family::Ipv6Unicast => {
            let address = Ipv6Addr::new(0xfd00, u16::from(n >> 2), 0, 0, 0, 0, 0, 0);
            Ipv6Net::new(address, 16 + n % 4 * 8)
                .map(|net| IpNet::V6(net.trunc()))
                .ok()
        }
    }
}

fn next_hops(family: Family) -> [IpAddr; 4] {
    [1, 10, 11, 12].map(|n| match family {
        Family::Ipv4Unicast => IpAddr::from([192, 0, 2, n]),
        Family::Ipv6Unicast => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(n))),
    })
}

fn attributes(n: usize, choice: u8) -> PathAttributes {
    let bit = |n: u8| choice & (1 << n) != 0;
    let inside = n >= 2;
    let mut path: Vec<Asn> = Vec::new();
    path.extend((!inside).then_some(Asn(65001 + n as u32)));
    path.extend(bit(0).then_some(Asn(65007)));
    path.extend(bit(1).then_some(Asn(if bit(2) { 4_200_000_000 } else { 65001 })));
    PathAttributes {
        as_path: AsPath::sequence(path),
        med: bit(3).then_some(u32::from(bit(4))),
        local_pref: inside.then_some(if bit(5) { 101 } else { 100 }),
        communities: if bit(6) {
            vec![Community::NO_EXPORT]
        } else {
            Vec::new()
        },
        originator_id: (inside && bit(7)).then_some(RouterId(Ipv4Addr::new(192, 0, 2, 1 + u8::from(bit(4))))),
        ..PathAttributes::default()
    }
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let local = LocalSettings {
            asn: OURS,
            router_id: RouterId(Ipv4Addr::new(192, 0, 2, 1)),
            cluster_id: None,
            import: ImportRules::default(),
            multipath: 8,
            multipath_relax: false,
        };
        let mut world = Self {
            rib: Rib::new(local.clone()),
            now,
            local,
            sessions: BTreeMap::new(),
            said: BTreeMap::new(),
            disabled: Vec::new(),
            known: BTreeMap::new(),
            copy: BTreeMap::new(),
        };
        world.next_hops(0);
        (0..PEERS).for_each(|n| world.up(n, n as u8 & 2));
        world
    }

    fn change(&mut self, input: &mut Input<'_>) {
        let (what, n) = (input.u8(), input.below(PEERS));
        match what % 16 {
            0 => self.up(n, input.u8()),
            1 => {
                self.rib.peer_down(peer(n));
                self.gone(peer(n));
            }
            2 => self.retain(n, input.below(4)),
            3 => {
                let family = *input.pick(&Family::ALL);
                self.rib.sweep_stale(peer(n), family);
                self.said
                    .retain(|(of, net), said| *of != peer(n) || Family::of(net) != family || !said.stale);
            }
            4..=8 => self.announce(n, input),
            9 => self.withdraw(n, input),
            10 => self.surroundings(input),
            11 => self.policy(n, input.u8()),
            12 => self.next_hops(input.u8()),
            13 => self.rib.refresh(peer(n), *input.pick(&Family::ALL)),
            14 => self.send(peer(n), usize::from(input.u8())),
            _ => self.told(),
        }
    }

    fn up(&mut self, n: usize, choice: u8) {
        let (id, session) = (peer(n), session(n, choice));
        let retained = self.said.keys().any(|(of, _)| *of == id) && !self.sessions.contains_key(&id);
        if !retained {
            self.gone(id);
        }
        self.said
            .retain(|(of, net), _| *of != id || session.families.contains(&Family::of(net)));
        self.rib.peer_up(id, session.clone());
        self.sessions.insert(id, session);
        self.known.insert(id, BTreeMap::new());
    }

    fn gone(&mut self, id: PeerId) {
        self.said.retain(|(of, _), _| *of != id);
        self.sessions.remove(&id);
        self.known.remove(&id);
        self.disabled.retain(|(of, _)| *of != id);
    }

    /// The session ends, and what it taught stays in some families. What was stale already does not (RFC 4724 §4.2).
    fn retain(&mut self, n: usize, families: usize) {
        let id = peer(n);
        if self.sessions.remove(&id).is_none() {
            return;
        }
        let keep: &[Family] = [&[], &Family::ALL[..1], &Family::ALL[1..], &Family::ALL][families];
        self.rib.peer_retained(id, keep);
        self.said
            .retain(|(of, net), said| *of != id || (keep.contains(&Family::of(net)) && !said.stale));
        self.said
            .iter_mut()
            .filter(|((of, _), _)| *of == id)
            .for_each(|(_, said)| said.stale = true);
        self.known.remove(&id);
        self.disabled.retain(|(of, _)| *of != id);
    }

    fn announce(&mut self, n: usize, input: &mut Input<'_>) {
        let family = *input.pick(&Family::ALL);
        let attributes = attributes(n, input.u8());
        let next_hop = *input.pick(&next_hops(family));
        let (first, count) = (input.u8(), input.u8() % 8);
        let nets: Vec<IpNet> = (0..=count)
            .filter_map(|k| prefix(family, first.wrapping_add(k)))
            .collect();
        let id = peer(n);
        let announcement = Announcement {
            family,
            next_hop: NextHop::from(next_hop),
            nlri: nets.iter().map(|net| (*net).into()).collect(),
        };
        let update = RoutesIn {
            attributes: attributes.clone(),
            announced: vec![announcement],
            ..RoutesIn::default()
        };
        self.rib.update(id, update, self.now);
        let spoken = self
            .sessions
            .get(&id)
            .is_some_and(|session| session.families.contains(&family));
        if spoken && !self.disabled.contains(&(id, family)) {
            for net in nets {
                let said = Said {
                    next_hop,
                    attributes: attributes.clone(),
                    stale: false,
                };
                self.said.insert((id, net), said);
            }
        }
    }

    /// Some prefixes go, or a whole family is switched off (RFC 7606 §2).
    fn withdraw(&mut self, n: usize, input: &mut Input<'_>) {
        let (family, first, count) = (*input.pick(&Family::ALL), input.u8(), input.u8());
        let id = peer(n);
        let mut update = RoutesIn::default();
        if !self.sessions.contains_key(&id) {
            return;
        }
        if count % 16 == 15 {
            update.disable.push(family);
            self.disabled.push((id, family));
            self.said
                .retain(|(of, net), _| *of != id || Family::of(net) != family);
        } else {
            let nets: Vec<IpNet> = (0..count % 8)
                .filter_map(|k| prefix(family, first.wrapping_add(k)))
                .collect();
            nets.iter().for_each(|net| drop(self.said.remove(&(id, *net))));
            update.withdrawn.push(Withdrawal {
                family,
                nlri: nets.into_iter().map(Into::into).collect(),
            });
        }
        self.rib.update(id, update, self.now);
    }

    fn surroundings(&mut self, input: &mut Input<'_>) {
        let (what, value) = (input.u8(), input.u8());
        if what % 2 == 0 {
            let family = Family::ALL[usize::from(what >> 7)];
            let nets = (0..value % 8).filter_map(|k| prefix(family, value.wrapping_add(k)));
            let mut route = Originated::default();
            if what & 64 != 0 {
                route.communities.push(Community::NO_EXPORT);
            }
            self.rib.originate(nets.map(|net| (net, route.clone())).collect());
        } else {
            let own = prefix(Family::Ipv4Unicast, value);
            self.local.import.own_prefixes = own.into_iter().filter(|_| what & 2 != 0).collect();
            self.local.multipath = usize::from(what >> 2 & 3);
            self.rib.configure(self.local.clone());
        }
    }

    fn policy(&mut self, n: usize, choice: u8) {
        let bit = |n: u8| choice & (1 << n) != 0;
        let policy = PeerPolicy {
            next_hop_v4: (!bit(0)).then_some(Ipv4Addr::new(192, 0, 2, 1 + choice % 3)),
            next_hop_v6: (!bit(1)).then_some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
            import: import(bit(2)),
            export: export(bit(2)),
        };
        self.rib.peer_policy(peer(n), policy);
    }

    fn next_hops(&mut self, choice: u8) {
        let all = Family::ALL.into_iter().flat_map(next_hops).enumerate();
        let state = |n: usize| match choice >> (n % 8) & 1 {
            0 => NextHopState::Reachable {
                metric: u32::from(choice >> 7),
            },
            _ => NextHopState::Unreachable,
        };
        self.rib
            .set_next_hops(all.map(|(n, hop)| (hop.into(), state(n))).collect());
    }

    fn send(&mut self, id: PeerId, budget: usize) {
        let mut out = Vec::new();
        self.rib.next_updates(id, &mut out, budget);
        let (Some(session), Some(known)) = (self.sessions.get(&id), self.known.get_mut(&id)) else {
            return assert!(out.is_empty(), "{id} has no session");
        };
        let context = DecodeContext {
            four_octet: session.four_octet,
            peer_kind: session.kind,
            max_message_len: session.max_message_len,
            ..DecodeContext::default()
        };
        let mut bytes = &out[..];
        while !bytes.is_empty() {
            let Ok(Some((Message::Update(update), size))) = decode(bytes, &context) else {
                panic!("{bytes:02x?} is no UPDATE")
            };
            bytes = &bytes[size..];
            let routes = update.into_routes();
            assert!(
                routes.faults.is_empty() && routes.disable.is_empty(),
                "{routes:?}"
            );
            for nlri in routes.withdrawn.iter().flat_map(|part| &part.nlri) {
                assert!(
                    known.remove(&nlri.prefix).is_some(),
                    "{} was not there",
                    nlri.prefix
                );
            }
            for part in routes.announced {
                known.extend(part.nlri.iter().map(|nlri| (nlri.prefix, part.next_hop)));
            }
        }
    }

    /// Each peer has been told all.
    fn told(&mut self) {
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            for round in 0.. {
                if !self.rib.has_pending(id) {
                    break;
                }
                assert!(round < 2000, "there is an end to it");
                self.send(id, 1);
            }
            let advertised = self
                .rib
                .advertised(id)
                .into_iter()
                .map(|route| (route.prefix, route.next_hop));
            let known = self.known[&id].iter().map(|(net, hop)| (*net, hop.address()));
            assert!(advertised.eq(known), "what {id} knows is not what it was told");
        }
    }

    fn check(&mut self) {
        if let Err(error) = self.rib.check() {
            panic!("{error}");
        }
        for id in (0..PEERS).map(peer) {
            let received = self.rib.received(id);
            let wanted = self.said.iter().filter(|((of, _), _)| *of == id);
            let wanted = wanted.map(|((_, net), said)| (net, Some(said.next_hop.into()), &said.attributes));
            let got = received
                .iter()
                .map(|route| (&route.prefix, route.path.next_hop, &*route.path.attributes));
            assert!(
                got.clone().eq(wanted),
                "{id} said something else than {:?}",
                got.collect::<Vec<_>>()
            );
            let stale = self
                .said
                .iter()
                .filter(|((of, _), said)| *of == id && said.stale)
                .count();
            assert_eq!(self.rib.stale(id), stale, "stale of {id}");
        }
        let changes = self.rib.take_loc_rib_changes();
        if changes.whole {
            self.copy.clear();
        }
        for (net, route) in changes.routes {
            match route {
                Some(route) => self.copy.insert(net, route),
                None => self.copy.remove(&net),
            };
        }
        assert!(
            self.copy.values().cloned().eq(self.rib.loc_rib()),
            "a copy by changes is not the Loc-RIB"
        );
    }

    fn end(&mut self) {
        // The reader is gone: prefixes that it has not been told of need not be remembered.
        self.copy.clear();
        self.rib.forget_loc_rib_changes();
        (0..PEERS).for_each(|n| self.rib.peer_down(peer(n)));
        self.rib.originate(BTreeMap::new());
        assert_eq!(self.rib.held(), Held::default());
    }
}
