//! Why a route is as it is: the decision run again, with each step that settled something.

use super::decision::{Fate, Step, Unpaired};
use super::hub::Rib;
use super::out::{Route, template};
use super::peers::Phase;
use super::policy::filter::Looked;
use super::policy::{ExportRefusal, RejectReason};
use super::query::Decoded;
use super::slot::Slot;
use super::table::{Path, PrefixId};
use super::view::{ExportView, PathView};
use crate::types::{Family, PeerId};
use crate::wire::PathAttributes;
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// All that is known of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The prefix.
    pub prefix: IpNet,
    /// Every path to it: the best one, its companions, then the others; empty where nobody has announced it.
    pub candidates: Vec<Explained>,
    /// How it stands towards each peer.
    pub exports: Vec<ExportView>,
}

/// One path and how it fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The path.
    pub path: PathView,
    /// How it fared.
    pub outcome: Outcome,
    /// The rules of its session's filters that were looked at.
    pub filters: Vec<Looked>,
    /// The attributes that came, where import policy has changed them.
    pub received: Option<Arc<PathAttributes>>,
}

/// How a path fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the best path.
    Best,
    /// It is used beside the best path.
    Companion {
        /// The tie-break that put the best path first.
        step: Step,
        /// With values.
        detail: String,
    },
    /// As good as the best path, but not used beside it.
    Unpaired {
        /// The tie-break that put the best path first.
        step: Step,
        /// With values.
        detail: String,
        /// Why it is not used.
        reason: Unpaired,
    },
    /// Another path was better.
    Lost {
        /// At this step.
        step: Step,
        /// With values, such as `LOCAL_PREF 100 < 200`.
        detail: String,
        /// Whose path was better; `None`: originated here.
        against: Option<PeerId>,
    },
    /// Its next hop cannot be reached.
    Unreachable,
    /// The import policy refuses it.
    Rejected(RejectReason),
}

impl Outcome {
    /// In use: the best path, or beside it.
    pub fn is_used(&self) -> bool {
        matches!(self, Outcome::Best | Outcome::Companion { .. })
    }

    fn rank(&self) -> u8 {
        match self {
            Outcome::Best => 0,
            Outcome::Companion { .. } => 1,
            Outcome::Unpaired { .. } => 2,
            Outcome::Lost { .. } => 3,
            Outcome::Unreachable => 4,
            Outcome::Rejected(_) => 5,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Best => f.write_str("best path"),
            Outcome::Companion { detail, .. } => {
                write!(f, "used beside the best path, which comes first by {detail}")
            }
            Outcome::Unpaired { detail, reason, .. } => {
                write!(
                    f,
                    "as good as the best path, which comes first by {detail}, but not used: {reason}"
                )
            }
            Outcome::Lost {
                detail,
                against: Some(peer),
                ..
            } => write!(f, "{detail} (path of {peer})"),
            Outcome::Lost {
                detail,
                against: None,
                ..
            } => write!(f, "{detail} (originated here)"),
            Outcome::Unreachable => f.write_str("its next hop cannot be reached"),
            Outcome::Rejected(reason) => write!(f, "refused at import: {reason}"),
        }
    }
}

impl Rib {
    /// Every path to exactly this prefix with its fate, and who is told.
    pub fn explain(&self, prefix: IpNet) -> Explanation {
        let prefix = prefix.trunc();
        let id = self.table.get(&prefix).map(|(id, _)| id);
        let candidates = id.map(|id| self.candidates(id)).unwrap_or_default();
        let exports = self.peers.iter().map(|(slot, peer)| ExportView {
            peer: peer.id,
            refused: self.refusal(slot, &prefix),
            filters: self.export_trace(slot, &prefix),
        });
        Explanation {
            prefix,
            candidates,
            exports: exports.collect(),
        }
    }

    fn candidates(&self, id: PrefixId) -> Vec<Explained> {
        let entry = self.table.entry(id);
        let (accepted, refused): (Vec<&Path>, Vec<&Path>) =
            entry.paths().iter().partition(|path| path.verdict.is_accepted());
        let sets: Vec<PathAttributes> = accepted
            .iter()
            .map(|path| self.attrs.attributes(path.attr))
            .collect();
        let paths: Vec<(&Path, &PathAttributes)> = accepted.iter().copied().zip(&sets).collect();
        let candidate = |i: usize| self.candidate(paths[i].0, paths[i].1);
        let mut fates = vec![Fate::Unreachable; accepted.len()];
        let used = self.decide(&paths, |i, fate| fates[i] = fate);
        // Equals come in the order of the decision, so that the first one used is the best path.
        let best = used.first().map(|i| candidate(*i));
        let outcome = |i: usize, fate: Fate| {
            let own = candidate(i);
            let against_best = |step: Step| best.as_ref().map_or(String::new(), |b| step.describe(&own, b));
            match fate {
                Fate::Best => Outcome::Best,
                Fate::Companion(step) => Outcome::Companion {
                    step,
                    detail: against_best(step),
                },
                Fate::Unpaired(step, reason) => Outcome::Unpaired {
                    step,
                    detail: against_best(step),
                    reason,
                },
                Fate::Lost { step, against } => {
                    let other = candidate(against);
                    Outcome::Lost {
                        step,
                        detail: step.describe(&own, &other),
                        against: other.peer,
                    }
                }
                Fate::Unreachable => Outcome::Unreachable,
            }
        };
        let explained = accepted
            .iter()
            .enumerate()
            .map(|(i, path)| (*path, outcome(i, fates[i])));
        let reason = |path: &&Path| path.verdict.reason().map(Outcome::Rejected);
        let refused = refused.iter().filter_map(|path| Some((*path, reason(path)?)));
        let mut decoded = Decoded::default();
        let mut all: Vec<Explained> = explained
            .chain(refused)
            .map(|(path, outcome)| Explained {
                path: self.path(id, path, &mut decoded),
                outcome,
                filters: self.import_trace(id, path),
                received: path
                    .flags
                    .is_changed()
                    .then(|| decoded.get(self, self.as_came(id, path))),
            })
            .collect();
        // Paths stand in the entry with the selected ones first, in order; the sort is stable.
        all.sort_by_key(|explained| (explained.outcome.rank(), explained.rest_key()));
        all
    }

    fn refusal(&self, slot: Slot, prefix: &IpNet) -> Option<ExportRefusal> {
        let peer = self.peers.get(slot)?;
        let (family, policy) = (Family::of(prefix), template(&peer.session));
        if peer.phase != Phase::Up || !policy.families.contains(&family) {
            return Some(ExportRefusal::Family);
        }
        let Some((id, entry)) = self.table.get(prefix).filter(|(_, entry)| entry.best().is_some()) else {
            return Some(ExportRefusal::NoPath);
        };
        let refusal = |path: &Path| match path.slot == slot {
            true => Some(ExportRefusal::Sender),
            false => self.view().form(prefix, self.route(id, path), &policy).err(),
        };
        let told = self
            .judge()
            .leading(entry, *policy.features.add_path_out.get(family));
        let refusals: Option<Vec<ExportRefusal>> = told.iter().map(refusal).collect();
        refusals?.into_iter().next()
    }

    fn export_trace(&self, slot: Slot, prefix: &IpNet) -> Vec<Looked> {
        let best = self
            .table
            .get(prefix)
            .and_then(|(id, entry)| Some((id, entry.best()?)));
        match (self.peers.get(slot), best) {
            (Some(peer), Some((id, best))) => self.view().trace(prefix, self.route(id, best), &peer.session),
            _ => Vec::new(),
        }
    }

    fn route(&self, id: PrefixId, path: &Path) -> Route {
        Route {
            attr: path.attr,
            slot: path.slot,
            family: id.family(),
            priority: self.priority(id, path),
        }
    }
}

impl Explained {
    /// Those that are not used, by peer: arrival must not show.
    fn rest_key(&self) -> Option<PeerId> {
        if self.outcome.is_used() {
            None
        } else {
            self.path.peer
        }
    }
}
