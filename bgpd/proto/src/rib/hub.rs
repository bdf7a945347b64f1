//! [`Rib`] itself: what it is made of, and what it is told of itself, of sessions and of next hops. Routes come in through `intake`.

use super::attrs::{AttrId, Attrs};
use super::changes::ChangeLog;
use super::choice::Chooser;
use super::judge::ImportMemo;
use super::model::{LocalSettings, NextHopTable, Originated, PeerPolicy, PeerSession};
use super::out::{Batch, Forms, Out};
use super::peers::Peers;
use super::slot::Slot;
use super::table::{Path, PrefixId, Table};
use super::walk::{Walker, What};
use crate::types::{Family, PeerId, ScopedAddr};
use crate::wire::Nlri;
use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Units of [`Path::learned`] in a second: enough of them for eight years.
pub(super) const TICKS: u32 = 16;

/// All routes of a speaker: see the module `rib`.
#[derive(Clone, Debug)]
pub struct Rib {
    pub(super) local: LocalSettings,
    pub(super) peers: Peers,
    pub(super) table: Table,
    pub(super) attrs: Attrs,
    pub(super) out: Out,
    pub(super) walker: Walker,
    pub(super) log: ChangeLog,
    /// What came, for the paths that import policy has changed; path identifiers are a peer's choice.
    pub(super) as_received: HashMap<(PrefixId, Slot, u32), AttrId>,
    pub(super) import_memo: Option<ImportMemo>,
    pub(super) interfaces: BTreeMap<ScopedAddr, Arc<str>>,
    pub(super) originated: BTreeMap<IpNet, Originated>,
    pub(super) changed: bool,
    /// When the first route came: [`Path::learned`] counts from here.
    start: Option<Instant>,
    pub(super) chooser: Chooser,
    // Lists that are used again and again, while UPDATEs are taken in and built.
    pub(super) arriving: Vec<(Nlri, u32)>,
    pub(super) forms: Forms,
    pub(super) batch: Batch,
}

impl Rib {
    /// Without peers, routes and next hops.
    pub fn new(local: LocalSettings) -> Self {
        Self {
            local,
            peers: Peers::default(),
            table: Table::default(),
            attrs: Attrs::default(),
            out: Out::default(),
            walker: Walker::default(),
            log: ChangeLog::default(),
            as_received: HashMap::new(),
            import_memo: None,
            interfaces: BTreeMap::new(),
            originated: BTreeMap::new(),
            changed: false,
            start: None,
            chooser: Chooser::default(),
            arriving: Vec::new(),
            forms: Forms::default(),
            batch: Batch::default(),
        }
    }

    /// Takes up settings; stored routes are judged and selected anew where that could matter.
    pub fn configure(&mut self, local: LocalSettings) {
        let old = std::mem::replace(&mut self.local, local);
        let new = &self.local;
        let own = |of: &LocalSettings| (of.asn, of.router_id, of.cluster());
        let judge = old.import != new.import || own(&old) != own(new);
        let select = (old.multipath, old.multipath_relax, old.router_id)
            != (new.multipath, new.multipath_relax, new.router_id);
        let tell = own(&old) != own(new);
        self.forget_memo();
        if judge {
            self.look_through(What::Judge);
        }
        if select {
            self.look_through(What::Select);
        }
        if tell {
            // Our numbers are in what was told.
            self.tell_all_again(|_| true);
        }
    }

    /// A session is up: its Adj-RIB-In is empty, and it is to be told all that it may know, then End-of-RIB. An
    /// earlier session of the peer counts as ended.
    ///
    /// Routes that were retained of it stay, as stale as they are: see [`Rib::peer_retained`].
    pub fn peer_up(&mut self, peer: PeerId, session: PeerSession) {
        if self.resume(peer, &session) {
            return;
        }
        self.peer_down(peer);
        let out = &self.out;
        // More sessions than 16 bits can count: this one is told nothing, and nothing is taken from it.
        if let Some(slot) = self.peers.insert(peer, session, |slot| out.refers_to(slot)) {
            self.join(slot);
        }
    }

    /// The policy of a session that stays up has changed: stored routes are judged anew, and what was advertised is
    /// compared with what should be.
    pub fn peer_policy(&mut self, peer: PeerId, policy: PeerPolicy) {
        let Some(slot) = self.peers.slot(peer) else { return };
        self.forget_memo();
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        // What it teaches may go to others, or not, and their filters see the priority that its filters set.
        let others_are_concerned =
            state.session.import != policy.import || state.session.export.client != policy.export.client;
        let other_rules = state.session.import.filters != policy.import.filters;
        state.session.apply(policy);
        state.todo.judge = true;
        state.todo.tell |= others_are_concerned;
        state.todo.note |= other_rules;
        self.change_policy(slot);
        self.look_through(What::Slot(slot));
    }

    /// The session has ended: all that it taught and was told is forgotten.
    pub fn peer_down(&mut self, peer: PeerId) {
        let Some(slot) = self.peers.slot(peer) else { return };
        self.leave(slot);
        self.drop_latest(slot);
        self.forget_memo();
        self.peers.detach(peer);
        self.clear(slot, &Family::ALL);
        // What it was told is given back, if nobody else was told the same.
        self.work();
    }

    /// Sets the state of every next hop; an address that is absent cannot be reached.
    pub fn set_next_hops(&mut self, table: NextHopTable) {
        if self.attrs.hops.set(table) {
            self.look_through(What::Hops);
        }
    }

    /// Whether the Loc-RIB or the set of tracked next hops has changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        let tracked = self.attrs.hops.take_tracked_changed();
        std::mem::take(&mut self.changed) || tracked
    }

    /// The time as paths keep it.
    pub(super) fn ticks(&mut self, now: Instant) -> u32 {
        let start = *self.start.get_or_insert(now);
        let age = now.saturating_duration_since(start);
        // Whoever runs for longer than eight years sees the same age from then on.
        u32::try_from(age.as_millis() * u128::from(TICKS) / 1000).unwrap_or(u32::MAX)
    }

    /// When a path came.
    pub(super) fn learned(&self, path: &Path) -> Option<Instant> {
        let age = Duration::from_millis(u64::from(path.learned) * 1000 / u64::from(TICKS));
        self.start
            .filter(|_| path.slot != Slot::LOCAL)
            .map(|start| start + age)
    }
}
