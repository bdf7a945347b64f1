//! What must be so: at any time, and once the faults are over.

use crate::network::NodeId;
use crate::solver::{Expected, Solution};
use crate::topology::{Kind, id, node_at, node_of};
use crate::world::World;
use bgpd_proto::rib::{BestRoute, Held, PathView};
use bgpd_proto::session::State;
use bgpd_proto::types::PeerId;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For so long nothing is said but KEEPALIVEs when all is settled.
const QUIET: Duration = Duration::from_secs(60);

impl World {
    /// At any time: no speaker uses a route of a peer with which it has no session, but for one that may be
    /// restarting and whose time is not up (RFC 4724).
    pub fn assert_consistent(&self) {
        for node in 0..self.count() {
            // One that stands still has not noticed that time is up.
            let attentive = self.network.stalled(node, self.now).is_none();
            let Some(speaker) = self.speaker(node).filter(|_| attentive) else {
                continue;
            };
            let up: BTreeSet<PeerId> = speaker
                .peers(self.now)
                .into_iter()
                .filter(|p| {
                    p.state == State::Established || p.retained_until.is_some_and(|until| until > self.now)
                })
                .map(|p| p.id)
                .collect();
            for route in speaker.rib().loc_rib() {
                let peers = route.paths.iter().filter_map(|path| path.peer);
                let strays = peers.filter(|peer| !up.contains(peer)).count();
                assert_eq!(strays, 0, "speaker {node} uses {route:?}, sessions {up:?}");
            }
        }
    }

    /// Once the faults are over and time has passed: everything is right, and nothing is left of what was.
    pub fn assert_settled(&mut self) {
        self.assert_loc_ribs();
        self.assert_no_loops();
        self.assert_nothing_waits();
        self.assert_mirrored();
        self.assert_fed();
        let before = self.updates_out();
        self.run_for(QUIET);
        assert_eq!(
            before,
            self.updates_out(),
            "UPDATEs go on although nothing changes"
        );
        self.assert_loc_ribs();
    }

    /// When nobody originates anything, nobody holds anything.
    pub fn assert_empties(&mut self) {
        for node in 0..self.count() {
            self.originated[node].clear();
            self.announce(node);
        }
        self.run_for(Duration::from_secs(30));
        for node in 0..self.count() {
            let speaker = self.speaker(node).expect("every speaker runs in the end");
            assert_eq!(
                speaker.rib().held(),
                Held::default(),
                "speaker {node} {}",
                self.story(node)
            );
        }
    }

    /// Every speaker knows that it was fed.
    pub fn assert_fed(&self) {
        for node in 0..self.count() {
            let fed = self.speaker(node).is_none_or(|speaker| speaker.fully_fed());
            assert!(fed, "speaker {node} waits for its feed {}", self.story(node));
        }
    }

    /// Every Loc-RIB has exactly what all originate: from whom it should come, with the right next hop and AS_PATH.
    pub fn assert_loc_ribs(&self) {
        let solution = Solution::of(&self.topology);
        let owners = Solution::owners(&self.originated);
        for node in 0..self.count() {
            let speaker = self.speaker(node).expect("every speaker runs in the end");
            let routes: BTreeMap<IpNet, BestRoute> = speaker
                .rib()
                .loc_rib()
                .map(|route| (route.prefix, route))
                .collect();
            let right = |prefix: &IpNet| {
                let owner = owners.get(prefix);
                owner.is_some_and(|owner| Solution::reaches(&self.topology, node, *owner))
            };
            let missing: Vec<_> = owners
                .keys()
                .filter(|prefix| right(prefix) && !routes.contains_key(prefix))
                .collect();
            let left: Vec<_> = routes.keys().filter(|prefix| !right(prefix)).collect();
            assert!(
                missing.is_empty() && left.is_empty(),
                "speaker {node}: missing {missing:?}, left over {left:?} {}",
                self.story(node)
            );
            for (prefix, route) in &routes {
                if let Err(wrong) = self.judge(&solution, node, owners[prefix], route) {
                    panic!("speaker {node}: {wrong}: {route:?} {}", self.story(node));
                }
            }
        }
    }

    fn judge(
        &self,
        solution: &Solution,
        node: NodeId,
        owner: NodeId,
        route: &BestRoute,
    ) -> Result<(), String> {
        let best = &route.paths[0];
        if node == owner {
            return (best.peer.is_none())
                .then_some(())
                .ok_or("its own prefix comes from elsewhere".into());
        }
        let expected = solution.route(node, owner);
        let from: BTreeSet<NodeId> = route
            .paths
            .iter()
            .filter_map(|path| path.peer.as_ref().map(node_of))
            .collect();
        let strangers = from.difference(&expected.from).count();
        let alike = self.topology.kind == Kind::Transit && self.paths_alike(expected);
        if from.is_empty() || strangers > 0 || (alike && from != expected.from) {
            return Err(format!("from {from:?}, not {:?}", expected.from));
        }
        for path in &route.paths {
            let peer = path.peer.as_ref().map_or(node, node_of);
            let wanted = match self.topology.kind {
                Kind::Internal | Kind::Reflected => owner,
                Kind::External | Kind::Transit => peer,
            };
            let next_hop = path.next_hop.map(|hop| node_at(hop.ip));
            if next_hop != Some(wanted) {
                return Err(format!("next hop {next_hop:?}, not {wanted}"));
            }
            self.judge_as_path(solution, peer, owner, expected.hops, path)?;
        }
        Ok(())
    }

    /// The AS_PATH is that of some shortest walk from the peer to the owner.
    fn judge_as_path(
        &self,
        solution: &Solution,
        peer: NodeId,
        owner: NodeId,
        hops: usize,
        path: &PathView,
    ) -> Result<(), String> {
        let segments = &path.attributes.as_path.segments;
        let asns: Vec<_> = segments
            .iter()
            .flat_map(|segment| segment.asns.iter().copied())
            .collect();
        let mut walks = vec![vec![peer]];
        while hops > 0 && walks.iter().any(|walk| walk.last() != Some(&owner)) {
            let longer = |walk: &Vec<NodeId>| -> Vec<Vec<NodeId>> {
                let at = *walk.last().unwrap_or(&owner);
                let next = solution.route(at, owner).from.iter();
                next.map(|next| walk.iter().copied().chain([*next]).collect())
                    .collect()
            };
            walks = walks.iter().flat_map(longer).collect();
        }
        let right = walks
            .iter()
            .any(|walk| hops == 0 && asns.is_empty() || solution.as_path(walk) == asns);
        right
            .then_some(())
            .ok_or(format!("AS_PATH {asns:?} is none of a shortest walk"))
    }

    /// All walks from these peers have the same AS_PATH: then all of them are used.
    fn paths_alike(&self, expected: &Expected) -> bool {
        let asns: BTreeSet<_> = expected
            .from
            .iter()
            .map(|node| self.topology.asns[*node])
            .collect();
        asns.len() == 1
    }

    /// Whoever follows the best paths gets to the owner, and does not go round.
    pub fn assert_no_loops(&self) {
        for (prefix, owner) in Solution::owners(&self.originated) {
            let next: Vec<Option<NodeId>> = (0..self.count())
                .map(|node| {
                    let route = self.speaker(node)?.rib().get(&prefix)?;
                    Some(route.paths[0].next_hop.map_or(node, |hop| node_at(hop.ip)))
                })
                .collect();
            let starts = (0..self.count()).filter(|node| Solution::reaches(&self.topology, *node, owner));
            for start in starts {
                let mut at = start;
                for _ in 0..self.count() {
                    match next[at] {
                        Some(next) if next != at => at = next,
                        _ => break,
                    }
                }
                assert_eq!(at, owner, "{prefix} from {start}");
            }
        }
    }

    /// What one end of each session was told is what the other end has.
    pub fn assert_mirrored(&self) {
        for (node, peer) in self.topology.ends() {
            let (Some(teller), Some(hearer)) = (self.speaker(node), self.speaker(peer)) else {
                continue;
            };
            let told = teller.rib().advertised(id(peer));
            let heard = hearer.rib().received(id(node));
            let alike = told.len() == heard.len()
                && told.iter().zip(&heard).all(|(told, heard)| {
                    told.prefix == heard.prefix
                        && Some(told.next_hop.into()) == heard.path.next_hop
                        && told.attributes == heard.path.attributes
                });
            assert!(
                alike,
                "{node} told {peer} {told:#?}, which has {heard:#?} {}",
                self.story(peer)
            );
        }
    }

    /// Nothing is stale, retained, or waits to be said; every session is up, by one connection.
    pub fn assert_nothing_waits(&mut self) {
        for node in 0..self.count() {
            let story = self.story(node);
            let now = self.now;
            let Some(running) = &mut self.nodes[node] else {
                continue;
            };
            let waiting = running.speaker.wants_transmit();
            assert_eq!(waiting, [], "speaker {node} has more to say {story}");
            let peers = running.speaker.peers(now);
            for peer in &peers {
                let stale = running.speaker.rib().stale(peer.id);
                assert_eq!(
                    (stale, peer.retained_until),
                    (0, None),
                    "speaker {node} of {} {story}",
                    peer.id
                );
                assert_eq!(
                    peer.state,
                    State::Established,
                    "speaker {node} with {} {story}",
                    peer.id
                );
            }
            let connections = self.network.ends_of(node).len();
            assert_eq!(connections, peers.len(), "connections of speaker {node} {story}");
        }
    }

    /// Routes of small worlds as a computation from nothing makes them of what was received.
    pub fn assert_computed(&self) {
        for node in 0..self.count() {
            if let Some(Err(wrong)) = self.speaker(node).map(|speaker| speaker.rib().check()) {
                panic!("speaker {node}: {wrong} {}", self.story(node));
            }
        }
    }

    /// UPDATEs that all speakers have sent.
    pub fn updates_out(&self) -> u64 {
        let speakers = (0..self.count()).filter_map(|node| self.speaker(node));
        speakers
            .flat_map(|speaker| speaker.peers(self.now))
            .map(|peer| peer.counters.updates_out)
            .sum()
    }

    /// How many routes a speaker has that come from this other one.
    pub fn learned(&self, node: NodeId, from: NodeId) -> usize {
        let routes = self
            .speaker(node)
            .into_iter()
            .flat_map(|speaker| speaker.rib().loc_rib());
        routes
            .filter(|route| route.paths.iter().any(|path| path.peer == Some(id(from))))
            .count()
    }

    /// How often a speaker has lost its session with another one, and whether it has one now.
    pub fn session(&self, node: NodeId, with: NodeId) -> (u64, bool) {
        let peers = self
            .speaker(node)
            .into_iter()
            .flat_map(|speaker| speaker.peers(self.now));
        peers
            .filter(|peer| peer.id == id(with))
            .map(|peer| (peer.counters.flaps, peer.state == State::Established))
            .next_back()
            .unwrap_or_default()
    }

    /// What is worth knowing when a speaker is wrong.
    fn story(&self, node: NodeId) -> String {
        if self.count() > 20 {
            return String::new();
        }
        let peers = self
            .speaker(node)
            .map(|speaker| speaker.peers(self.now))
            .unwrap_or_default();
        let peers: Vec<_> = peers
            .into_iter()
            .map(|p| (p.name, p.state, p.last_error))
            .collect();
        let tail = &self.trace[self.trace.len().saturating_sub(30)..];
        format!("(peers {peers:#?}, end of trace {tail:#?})")
    }
}
