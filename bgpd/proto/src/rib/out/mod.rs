//! Adj-RIB-Out: what peers were told, and UPDATEs at the moment when a socket has room for them.
//!
//! ```text
//!  a best path changed ─► mark ─► subgroup: pending prefixes ─ build ─► log of chunks ─┬─► member, at its place in the log
//!                                          what was sent      (once)                   ├─► member
//!                                                                                      └─► member
//! ```
//!
//! Peers to which the same policy gives the same UPDATEs are told together. A *subgroup* is a number of such members that
//! were told the same: it remembers what was sent of each prefix (`sent`; `several` where members are told several paths of one), holds the prefixes that are to be looked at again
//! (a queue without repeats: a prefix that flaps a thousand times stands there once), and the messages that were built last, in
//! `chunk`s, until the slowest member has taken them. What a prefix looks like is computed when the quickest member has room
//! for it (`build`), once for all. What must not go back to the one that taught it is cut out at each member
//! ([`chunk::Whom`]).
//!
//! A session that comes up starts a subgroup of its own that walks through the table, or joins one that has just started; a member
//! that falls too far behind leaves into one of its own, which knows the prefixes that it missed; a member whose policy
//! changes takes what it was told along and is told the difference (`regroup`). A member has its turn in `member`. Subgroups with one policy that have said all
//! that they have to say were told the same: they become one.
//!
//! Invariants: a prefix number that is sent, pending or in a log is held in the table; an attribute set that is sent is held in the
//! store. What is sent is what the members hold once they have taken all of the log.

mod build;
mod chunk;
mod form;
mod member;
mod regroup;
mod resend;
mod sent;
mod several;
mod subgroup;
mod views;

pub(super) use build::Batch;
#[cfg(any(test, feature = "check"))]
pub(super) use form::encode_context;
pub(super) use form::{Forms, Route, View};
pub(super) use member::Member;
#[cfg(test)]
pub(super) use sent::Told;
pub(super) use subgroup::Subgroup;

use super::model::PeerSession;
use super::policy::RemovePrivate;
use super::slot::Slot;
use crate::types::{Asn, RouterId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// All subgroups.
#[derive(Clone, Debug, Default)]
pub(super) struct Out {
    pub subgroups: Vec<Option<Subgroup>>,
    /// Subgroups that have something to look at since they last had nothing.
    pub dirty: Vec<usize>,
    /// Members that may have something to take.
    pub ready: Vec<Slot>,
    /// Subgroups without members, on their way out.
    pub graves: Vec<Subgroup>,
    /// How many subgroups are told several paths of a prefix.
    tell_several: usize,
}

impl Out {
    pub fn get(&self, at: usize) -> Option<&Subgroup> {
        self.subgroups.get(at)?.as_ref()
    }

    pub fn get_mut(&mut self, at: usize) -> Option<&mut Subgroup> {
        self.subgroups.get_mut(at)?.as_mut()
    }

    /// All subgroups with their places.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Subgroup)> {
        self.subgroups
            .iter()
            .enumerate()
            .filter_map(|(at, subgroup)| Some((at, subgroup.as_ref()?)))
    }

    /// Takes a subgroup in.
    pub fn add(&mut self, subgroup: Subgroup) -> usize {
        let free = self.subgroups.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.subgroups.push(None);
            self.subgroups.len() - 1
        });
        self.tell_several += usize::from(subgroup.tells_several());
        self.subgroups[at] = Some(subgroup);
        self.dirty.push(at);
        at
    }

    /// Takes a subgroup out; what it holds is given back little by little.
    pub fn bury(&mut self, at: usize) {
        if let Some(subgroup) = self.subgroups.get_mut(at).and_then(Option::take) {
            self.tell_several -= usize::from(subgroup.tells_several());
            self.graves.push(subgroup);
        }
        self.dirty.retain(|dirty| *dirty != at);
        while self.subgroups.last().is_some_and(Option::is_none) {
            self.subgroups.pop();
        }
    }

    /// Whether anything that was sent, or is about to be, names the slot.
    pub fn refers_to(&self, slot: Slot) -> bool {
        self.iter().any(|(_, subgroup)| subgroup.refers_to(slot))
    }
}

/// The session as export policy sees it: equal templates, equal UPDATEs. What no export policy asks for is left out; of the
/// peer's address that is all but its family, and the peer's AS number is asked for by some.
pub(super) fn template(session: &PeerSession) -> Arc<PeerSession> {
    let rules = &session.export.as_rules;
    let asks = rules.as_override || rules.remove_private != RemovePrivate::Never;
    let unspecified = match session.remote_address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        // IPv4 routes may have an IPv6 next hop there (RFC 8950).
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    Arc::new(PeerSession {
        remote_asn: if asks { session.remote_asn } else { Asn(0) },
        remote_router_id: RouterId(Ipv4Addr::UNSPECIFIED),
        remote_address: unspecified,
        import: Arc::default(),
        ..session.clone()
    })
}
