//! From the Loc-RIB to UPDATEs, at the moment when the socket has room for them.
//!
//! A batch of marked prefixes is taken, what each should look like to the peer is computed and compared with what it
//! was told, and the differences are packed: withdrawals together, announcements by what they say. What does not fit
//! into the budget is marked again, so that nothing that is computed can grow stale.
//!
//! RFCs: 4271 §9.2 (UPDATE-send), 4724 §2 (End-of-RIB), 2918 (route refresh).

use super::adj_out::AdjOut;
use super::entry::{Entry, Slot};
use super::hub::Rib;
use super::intern::Body;
use super::model::PeerSession;
use super::policy::ExportRefusal;
use super::policy::export;
use super::select;
use crate::types::{Family, PeerId, PerFamily};
use crate::wire::{self, EncodeContext, NextHop, Nlri};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Rough size of a prefix in an UPDATE with its share of the attributes, in octets.
const SHARE: usize = 32;

/// What a batch comes to.
#[derive(Default)]
struct Batch {
    withdrawn: Vec<IpNet>,
    announced: Vec<(Arc<Body>, Vec<IpNet>)>,
    /// Places in `announced`, by identity.
    places: FxHashMap<*const Body, usize>,
}

impl Rib {
    /// Whether [`Rib::next_updates`] has anything to do for the peer.
    pub fn has_pending(&self, peer: PeerId) -> bool {
        self.peers.by_id(peer).is_some_and(|peer| peer.out.has_pending())
    }

    /// Appends UPDATEs for the peer until about `budget` octets are there: whole messages, and at most one too many.
    /// A first table of a family ends with End-of-RIB.
    pub fn next_updates(&mut self, peer: PeerId, out: &mut Vec<u8>, budget: usize) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let limit = out.len().saturating_add(budget);
        while out.len() < limit {
            let Some(state) = self.peers.get_mut(slot) else {
                return;
            };
            if let Some(family) = state.out.pop_finished() {
                wire::encode_end_of_rib(out, family);
                continue;
            }
            let size = ((limit - out.len()) / SHARE).clamp(16, 4096);
            let Some((family, prefixes)) = state.out.pop_batch(size) else {
                return;
            };
            let batch = self.compute(slot, &prefixes);
            self.send(slot, family, batch, out, limit);
        }
    }

    /// What is to be said of these prefixes, all of one family.
    fn compute(&mut self, slot: Slot, prefixes: &[IpNet]) -> Batch {
        let mut batch = Batch::default();
        // Routes with one body of one peer look alike to the target.
        let mut known: FxHashMap<(*const Body, Slot), Option<Arc<Body>>> = FxHashMap::default();
        for prefix in prefixes {
            let wanted = match self.table.get(prefix).and_then(Entry::best) {
                None => None,
                Some(best) => {
                    let key = (Arc::as_ptr(&best.body), best.slot);
                    match known.get(&key) {
                        Some(body) => body.clone(),
                        None => {
                            let route = self.exported(slot, prefix).ok();
                            let body =
                                route.map(|(hop, attributes)| self.interner.body(Some(hop), attributes));
                            known.insert(key, body.clone());
                            body
                        }
                    }
                }
            };
            let Some(state) = self.peers.get(slot) else {
                return batch;
            };
            match wanted {
                None if state.out.has_sent(prefix) => batch.withdrawn.push(*prefix),
                None => {}
                Some(body)
                    if state
                        .out
                        .last_sent(prefix)
                        .is_some_and(|last| Arc::ptr_eq(last, &body)) => {}
                Some(body) => batch.announce(*prefix, body),
            }
        }
        batch
    }

    /// The best path of a prefix as the peer is to see it.
    pub(super) fn exported(
        &self,
        slot: Slot,
        prefix: &IpNet,
    ) -> Result<(NextHop, wire::PathAttributes), ExportRefusal> {
        let best = self
            .table
            .get(prefix)
            .and_then(Entry::best)
            .ok_or(ExportRefusal::NoPath)?;
        let session = &self.peers.get(slot).ok_or(ExportRefusal::NoPath)?.session;
        export::rewrite(prefix, &select::source(&self.peers, best, slot), session)
    }

    fn send(&mut self, slot: Slot, family: Family, batch: Batch, out: &mut Vec<u8>, limit: usize) {
        let Some(state) = self.peers.get_mut(slot) else {
            return;
        };
        let context = encode_context(&state.session);
        let mut oversized = Vec::new();
        withdraw(&mut state.out, &context, family, &batch.withdrawn, out);
        for (body, prefixes) in batch.announced {
            let Some(next_hop) = body.next_hop else { continue };
            if out.len() >= limit {
                prefixes.into_iter().for_each(|prefix| state.out.mark(prefix));
                continue;
            }
            let nlri = prefixes.iter().copied().map(Nlri::from);
            match wire::encode_announcements(out, &context, &body.attributes, family, next_hop, nlri) {
                Ok(_) => prefixes
                    .into_iter()
                    .for_each(|p| state.out.note_announced(p, Arc::clone(&body))),
                // The peer must not go on with what it was told before.
                Err(_) => oversized.extend(prefixes.into_iter().filter(|p| state.out.has_sent(p))),
            }
        }
        withdraw(&mut state.out, &context, family, &oversized, out);
    }
}

impl Batch {
    fn announce(&mut self, prefix: IpNet, body: Arc<Body>) {
        let place = *self.places.entry(Arc::as_ptr(&body)).or_insert_with(|| {
            self.announced.push((body, Vec::new()));
            self.announced.len() - 1
        });
        self.announced[place].1.push(prefix);
    }
}

fn withdraw(
    adj_out: &mut AdjOut,
    context: &EncodeContext,
    family: Family,
    prefixes: &[IpNet],
    out: &mut Vec<u8>,
) {
    if !prefixes.is_empty() {
        wire::encode_withdrawals(out, context, family, prefixes.iter().copied().map(Nlri::from));
        prefixes.iter().for_each(|prefix| adj_out.note_withdrawn(prefix));
    }
}

/// How UPDATEs on a session are written.
pub(super) fn encode_context(session: &PeerSession) -> EncodeContext {
    EncodeContext {
        four_octet: session.four_octet,
        add_path: PerFamily::default(),
        max_message_len: session.max_message_len,
    }
}
