//! Which entries are stale. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::entry::Entry;
use super::question::{FEW, Place, Question, everything, questions};
use crate::nat;
use crate::nftables::{Family, Ranges};

/// What makes entries stale. Prefixes may be as many as one likes: the entries are looked through once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stale {
    /// These have left: flows from them and to them, also those that reach them by translation.
    pub gone: Vec<IpNet>,
    /// These are somebody else's now: flows to them, also those that reach them by translation. What the new owner has begun is
    /// not meant.
    pub moved: Vec<IpNet>,
    /// Flows whose source was translated to one of these. The node's own flows from there are not meant.
    pub sources: BTreeSet<IpAddr>,
    /// Flows that this would translate now, that are not translated, and that nobody has ever answered: they began before it was
    /// in force, and packets keep them as they are.
    pub untranslated: Option<nat::Wanted>,
}

impl Stale {
    /// Nothing is stale.
    pub fn is_empty(&self) -> bool {
        *self == Stale::default()
    }

    /// Takes up what else is stale; a later wish for translation replaces the earlier one.
    pub fn add(&mut self, more: Stale) {
        self.gone.extend(more.gone);
        self.moved.extend(more.moved);
        self.sources.extend(more.sources);
        self.untranslated = more.untranslated.or(self.untranslated.take());
    }

    /// What the kernel is asked: narrow questions where few addresses are meant.
    pub(super) fn questions(&self) -> Vec<Question> {
        let prefixes = self.gone.len() + self.moved.len();
        let all_single = || {
            self.gone
                .iter()
                .chain(&self.moved)
                .all(|net| net.prefix_len() == net.max_prefix_len())
        };
        if self.untranslated.is_some() || prefixes + self.sources.len() > FEW || !all_single() {
            return vec![everything()];
        }
        let addresses = |nets: &[IpNet]| nets.iter().map(IpNet::addr).collect::<BTreeSet<_>>();
        let to = [Place::Destination, Place::ReplySource];
        let all = [
            questions(
                &addresses(&self.gone),
                &[Place::Source, Place::Destination, Place::ReplySource],
            ),
            questions(&addresses(&self.moved), &to),
            questions(&self.sources, &[Place::ReplyDestination]),
        ];
        all.concat()
    }

    /// The same, ready to be asked about each of very many entries.
    pub(super) fn matcher(&self) -> Matcher<'_> {
        let nat = self.untranslated.as_ref();
        Matcher {
            gone: Both::of(&self.gone),
            moved: Both::of(&self.moved),
            sources: &self.sources,
            untranslated: nat.map(|nat| (Both::of(&nat.pools), Both::of(&nat.exceptions))),
        }
    }
}

/// Addresses of both families.
struct Both([Ranges; 2]);

impl Both {
    fn of(nets: &[IpNet]) -> Both {
        Both([Family::V4, Family::V6].map(|family| Ranges::new(family, nets)))
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|ranges| ranges.contain(address))
    }
}

pub(super) struct Matcher<'s> {
    gone: Both,
    moved: Both,
    sources: &'s BTreeSet<IpAddr>,
    untranslated: Option<(Both, Both)>,
}

impl Matcher<'_> {
    /// Whether this entry is stale.
    pub(super) fn is(&self, entry: &Entry) -> bool {
        let (original, reply) = (entry.original, entry.reply);
        let to = |nets: &Both| nets.contain(original.destination) || nets.contain(reply.source);
        let translated = reply.destination != original.source;
        self.gone.contain(original.source)
            || to(&self.gone)
            || to(&self.moved)
            || (translated && self.sources.contains(&reply.destination))
            || self.untranslated.as_ref().is_some_and(|(pools, exceptions)| {
                let ought = pools.contain(original.source) && !exceptions.contain(reply.source);
                ought && !translated && !entry.answered
            })
    }
}
