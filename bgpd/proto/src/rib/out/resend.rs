//! What a member was told is told again: the answer to ROUTE-REFRESH (RFC 2918), between marks where both know them (RFC 7313).

use super::build::Batch;
use super::chunk::{Chunk, Mention, Whom};
use super::form::Route;
use super::member::LOOKS;
use super::sent::Told;
use crate::rib::attrs::AttrId;
use crate::rib::hub::Rib;
use crate::rib::model::PeerSession;
use crate::rib::slot::Slot;
use crate::rib::table::PrefixId;
use crate::session::AddPathSend;
use crate::types::{Family, PeerId};
use crate::wire::{self, RefreshKind};

/// How far a family was sent again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resend {
    /// What was asked for before it begins is one request.
    begun: bool,
    next: u32,
    /// It was asked for again in the meantime: once more, however often.
    again: bool,
}

impl Rib {
    /// The peer asked for ROUTE-REFRESH: what it was told of the family is told again.
    pub fn refresh(&mut self, peer: PeerId, family: Family) {
        let Some(slot) = self.peers.slot(peer) else { return };
        let Some(member) = self.peers.get_mut(slot).and_then(|peer| peer.out.as_mut()) else {
            return;
        };
        match member.resend.get_mut(family) {
            Some(resend) => resend.again = resend.begun,
            none => *none = Some(Resend::default()),
        }
        self.make_ready(slot);
    }

    /// Sends a member what it was told, as long as there is room, between marks if it knows them.
    pub(super) fn resend(&mut self, slot: Slot, family: Family, out: &mut Vec<u8>, limit: usize) -> usize {
        let Some(member) = self.peers.get(slot).and_then(|peer| peer.out.as_ref()) else {
            return 0;
        };
        let Some(subgroup) = self.out.get(member.subgroup) else {
            return 0;
        };
        let Some(mut resend) = *member.resend.get(family) else {
            return 0;
        };
        let marked = subgroup.key.features.enhanced_refresh;
        if marked && !resend.begun {
            wire::encode_route_refresh(family, RefreshKind::Begin, out);
        }
        resend.begun = true;
        let mut forms = std::mem::take(&mut self.forms);
        forms.clear();
        let mut batch = Batch::default();
        let (mut octets, start) = (out.len(), resend.next);
        let several = subgroup.paths_told(family) != AddPathSend::None;
        let end = match several {
            true => self.table.end(family),
            false => subgroup.sent.end(family),
        };
        while resend.next < end && octets < limit && resend.next - start < LOOKS as u32 {
            let id = PrefixId::new(family, resend.next);
            resend.next += 1;
            let one = [(0, subgroup.sent.get(id))];
            let told = if several { subgroup.several.get(id) } else { &one };
            for (number, told) in told {
                let Told::Route(attr, of) = *told else {
                    continue;
                };
                let route = Route {
                    attr,
                    slot: of,
                    family,
                    priority: self.priority_of_told(id, attr, of, &subgroup.key),
                };
                let (table, policy) = (&self.table, (&*subgroup.key, false));
                let form = forms.of(route, || table.prefix(id), policy, self.view());
                if let Some(form) = form.filter(|_| of != slot) {
                    let (before, number) = (of, *number);
                    let first = batch.announce(Mention { id, before, number }, form, Whom::Only(slot));
                    octets += if first { forms.get(form).overhead() + 8 } else { 5 };
                }
            }
        }
        let mut chunk = Chunk::default();
        batch.write(&mut chunk, &forms, &subgroup.key, &self.table);
        self.forms = forms;
        out.extend_from_slice(&chunk.bytes);
        if marked && resend.next >= end {
            wire::encode_route_refresh(family, RefreshKind::End, out);
        }
        let looks = (resend.next - start) as usize + 1;
        let next = match (resend.next < end, resend.again) {
            (true, _) => Some(resend),
            (false, true) => Some(Resend::default()),
            (false, false) => None,
        };
        if let Some(member) = self.member_mut(slot) {
            *member.resend.get_mut(family) = next;
        }
        looks
    }

    /// The metric of a route that was told, where filters look at it.
    pub(super) fn priority_of_told(
        &self,
        id: PrefixId,
        attr: AttrId,
        of: Slot,
        key: &PeerSession,
    ) -> Option<u32> {
        if !key.export.filters.looks_at_priorities() {
            return None;
        }
        let paths = self.table.entry(id).paths();
        let path = paths.iter().find(|path| (path.attr, path.slot) == (attr, of))?;
        self.priority(id, path)
    }
}
