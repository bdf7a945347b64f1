//! Import policy at work: what becomes of a route as received, and which rule it was.
//!
//! A path of the table says what import policy made of it. Where that is something else than what came, what came is
//! kept beside it, so that a change of policy starts from there. The rule that decided is not stored: it is found again
//! when somebody asks.

use super::attrs::AttrId;
use super::hub::Rib;
use super::out::View;
use super::peers::Phase;
use super::policy::filter::{Looked, Rule, RuleId};
use super::policy::import::{self, OfSet, Received, Verdict};
use super::slot::Slot;
use super::table::{Flags, Path, PrefixId};
use super::walk::What;
use crate::types::{Family, PeerId, ScopedAddr};
use crate::wire::canonical::{Canonical, Says};
use crate::wire::{Community, NextHop, PathAttributes, Said};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What import policy made of the last route that it changed: the prefixes of one UPDATE say the same. It holds both sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImportMemo {
    pub received: AttrId,
    slot: Slot,
    rule: Option<RuleId>,
    pub made: AttrId,
}

/// Routes that came in one UPDATE: what they have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'s> {
    pub slot: Slot,
    pub received: AttrId,
    pub says: &'s Said,
    pub learned: u32,
    pub flags: Flags,
    /// What import policy says of the set, where it looks at no more than that, and changes nothing.
    judged: Option<(NextHop, OfSet)>,
}

/// The metric that a filter of its session gives a route in the kernel.
pub(super) fn priority(view: View<'_>, prefix: &IpNet, received: AttrId, slot: Slot) -> Option<u32> {
    let session = &view.peers.get(slot)?.session;
    if session.import.filters.is_empty(Family::of(prefix)) {
        return None;
    }
    let (attributes, next_hop) = (view.attrs.attributes(received), view.attrs.next_hop(received)?);
    let received = Received {
        prefix,
        next_hop,
        attributes: &attributes,
        interface: view.interfaces.get(&next_hop.scoped()).map(AsRef::as_ref),
    };
    received.rule(session)?.1.priority()
}

impl Rib {
    /// Sets which interface leads to each next hop, for filters that ask for it.
    pub fn set_interfaces(&mut self, interfaces: BTreeMap<ScopedAddr, Arc<str>>) {
        if interfaces == self.interfaces {
            return;
        }
        self.interfaces = interfaces;
        self.forget_memo();
        for slot in self.peers.occupied().collect::<Vec<_>>() {
            let Some(peer) = self.peers.get_mut(slot) else {
                continue;
            };
            if peer.phase != Phase::Gone && peer.session.import.filters.looks_at_interfaces() {
                (peer.todo.judge, peer.todo.note) = (true, true);
                self.look_through(What::Slot(slot));
            }
        }
        self.tell_all_again(|session| session.export.filters.looks_at_interfaces());
    }

    /// What the routes of an UPDATE that came from a session have in common.
    pub(super) fn arrival<'s>(
        &self,
        slot: Slot,
        family: Family,
        received: AttrId,
        says: &'s Said,
        learned: u32,
    ) -> Arrival<'s> {
        let peer = self.peers.get(slot);
        let next_hop = self.attrs.next_hop(received);
        let judged = peer.zip(next_hop).and_then(|(peer, next_hop)| {
            let session = &peer.session;
            let octets = Canonical(says.octets());
            let is_plain = session.import.filters.is_empty(family);
            is_plain.then(|| (next_hop, OfSet::new(&octets, next_hop, session, &self.local)))
        });
        Arrival {
            slot,
            received,
            says,
            learned,
            flags: peer.map_or_else(Flags::default, |peer| peer.rounds.get(family).flags()),
            judged: judged.filter(|(_, set)| !set.changes),
        }
    }

    /// The same as [`Rib::import`], for a route that has just come.
    pub(super) fn import_arrival(&mut self, prefix: &IpNet, arrival: &Arrival<'_>) -> (Verdict, AttrId) {
        match &arrival.judged {
            Some((next_hop, set)) => {
                self.attrs.hold(arrival.received);
                (set.judge(prefix, *next_hop, &self.local), arrival.received)
            }
            None => self.import(prefix, arrival.slot, arrival.received, arrival.says),
        }
    }

    /// The verdict on a route, and what it says from then on; held for the caller.
    pub(super) fn import(
        &mut self,
        prefix: &IpNet,
        slot: Slot,
        received: AttrId,
        says: &Said,
    ) -> (Verdict, AttrId) {
        let judged = self.judged(prefix, slot, received, says.values());
        let Some((Verdict::ACCEPTED, rule)) = judged else {
            self.attrs.hold(received);
            // What is originated here is not judged.
            return (judged.map_or(Verdict::ACCEPTED, |(verdict, _)| verdict), received);
        };
        if let Some(memo) = &self.import_memo
            && (memo.received, memo.slot, memo.rule) == (received, slot, rule)
        {
            self.attrs.hold(memo.made);
            return (Verdict::ACCEPTED, memo.made);
        }
        let changed = self.peers.get(slot).and_then(|peer| {
            let filters = &peer.session.import.filters;
            let rule = rule.and_then(|id| filters.rule(Family::of(prefix), id));
            import::changed(says.values(), rule, &peer.session, &self.local)
        });
        let Some(changed) = changed else {
            self.attrs.hold(received);
            return (Verdict::ACCEPTED, received);
        };
        let made = self
            .attrs
            .intern(self.attrs.next_hop(received), Said::from(changed).octets());
        self.forget_memo();
        self.attrs.hold(received);
        self.attrs.hold(made);
        self.import_memo = Some(ImportMemo {
            received,
            slot,
            rule,
            made,
        });
        (Verdict::ACCEPTED, made)
    }

    /// The same for a path that is stored; the answer is held.
    pub(super) fn import_again(&mut self, id: PrefixId, path: &Path, says: &Said) -> (Verdict, AttrId) {
        let (prefix, received) = (self.table.prefix(id), self.as_came(id, path));
        let (verdict, made) = self.import(&prefix, path.slot, received, says);
        if !path.flags.is_long_lived() {
            return (verdict, made);
        }
        let marked = self.marked(made);
        self.attrs.release(made);
        (verdict, marked)
    }

    /// The set with the community of long-lived stale routes (RFC 9494 §4.2); held for the caller.
    pub(super) fn marked(&mut self, attr: AttrId) -> AttrId {
        if self.attrs.canonical(attr).has(Community::LLGR_STALE) {
            self.attrs.hold(attr);
            return attr;
        }
        let mut attributes = self.attrs.attributes(attr);
        attributes.communities.push(Community::LLGR_STALE);
        attributes.communities.sort();
        self.attrs
            .intern(self.attrs.next_hop(attr), Said::from(attributes).octets())
    }

    fn judged(
        &self,
        prefix: &IpNet,
        slot: Slot,
        received: AttrId,
        says: &PathAttributes,
    ) -> Option<(Verdict, Option<RuleId>)> {
        let session = &self.peers.get(slot)?.session;
        let judgement = import::judge(
            &self.received_route(prefix, received, says)?,
            session,
            &self.local,
        );
        Some((judgement.result.into(), judgement.rule))
    }

    fn received_route<'r>(
        &'r self,
        prefix: &'r IpNet,
        received: AttrId,
        attributes: &'r PathAttributes,
    ) -> Option<Received<'r>> {
        let next_hop = self.attrs.next_hop(received)?;
        Some(Received {
            prefix,
            next_hop,
            attributes,
            interface: self.interfaces.get(&next_hop.scoped()).map(AsRef::as_ref),
        })
    }

    /// Lets go of what was remembered.
    pub(super) fn forget_memo(&mut self) {
        if let Some(memo) = self.import_memo.take() {
            self.attrs.release(memo.received);
            self.attrs.release(memo.made);
        }
    }

    /// What came.
    pub(super) fn as_came(&self, id: PrefixId, path: &Path) -> AttrId {
        let kept = || self.as_received.get(&(id, path.slot, path.path_id)).copied();
        match path.flags.is_changed() {
            true => kept().unwrap_or(path.attr),
            false => path.attr,
        }
    }

    /// Keeps what came of a path, which says something else.
    pub(super) fn keep_received(&mut self, id: PrefixId, path: &Path, received: AttrId) {
        self.attrs.hold(received);
        if let Some(old) = self.as_received.insert((id, path.slot, path.path_id), received) {
            self.attrs.release(old);
        }
    }

    /// Lets go of what came of a path.
    pub(super) fn forget_received(&mut self, id: PrefixId, path: &Path) {
        if path.flags.is_changed()
            && let Some(old) = self.as_received.remove(&(id, path.slot, path.path_id))
        {
            self.attrs.release(old);
        }
    }

    /// The rule that decided on a path of a peer.
    pub(super) fn import_rule(&self, id: PrefixId, path: &Path) -> Option<&Rule> {
        let session = &self.peers.get(path.slot)?.session;
        if session.import.filters.is_empty(id.family()) {
            return None;
        }
        let (prefix, received) = (self.table.prefix(id), self.as_came(id, path));
        let attributes = self.attrs.attributes(received);
        let (rule, _) = self
            .received_route(&prefix, received, &attributes)?
            .rule(session)?;
        session.import.filters.rule(id.family(), rule)
    }

    /// Each rule that was looked at for it.
    pub(super) fn import_trace(&self, id: PrefixId, path: &Path) -> Vec<Looked> {
        let (prefix, received) = (self.table.prefix(id), self.as_came(id, path));
        let attributes = self.attrs.attributes(received);
        match (
            self.peers.get(path.slot),
            self.received_route(&prefix, received, &attributes),
        ) {
            (Some(peer), Some(received)) => received.trace(&peer.session),
            _ => Vec::new(),
        }
    }

    /// The metric that a filter gave a path in the kernel.
    pub(super) fn priority(&self, id: PrefixId, path: &Path) -> Option<u32> {
        let (prefix, received) = (self.table.prefix(id), self.as_came(id, path));
        priority(self.view(), &prefix, received, path.slot)
    }

    /// Whether any filter asks for interfaces: only then does [`Rib::set_interfaces`] matter.
    pub fn looks_at_interfaces(&self) -> bool {
        self.peers.iter().any(|(_, peer)| {
            let session = &peer.session;
            session.import.filters.looks_at_interfaces() || session.export.filters.looks_at_interfaces()
        })
    }

    /// The policies of a session, where there is one.
    pub fn session(&self, peer: PeerId) -> Option<&super::model::PeerSession> {
        self.peers.get(self.peers.slot(peer)?).map(|peer| &peer.session)
    }
}
