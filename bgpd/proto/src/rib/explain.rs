//! Why a route is as it is: the decision run again, with each step that settled something.

use super::decision::{Fate, Step, Unpaired};
use super::entry::{Entry, Route, Slot};
use super::hub::Rib;
use super::policy::{ExportRefusal, RejectReason};
use super::transmit::encode_context;
use super::view::{ExportView, PathView};
use crate::types::{Family, PeerId};
use crate::wire::{self, Nlri};
use ipnet::IpNet;
use std::fmt;

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
        let candidates = self
            .table
            .get(&prefix)
            .map(|entry| self.candidates(entry))
            .unwrap_or_default();
        let exports = self.peers.iter().map(|(slot, peer)| ExportView {
            peer: peer.id,
            refused: self.refusal(slot, &prefix),
        });
        Explanation {
            prefix,
            candidates,
            exports: exports.collect(),
        }
    }

    fn candidates(&self, entry: &Entry) -> Vec<Explained> {
        let (accepted, refused): (Vec<&Route>, Vec<&Route>) = entry
            .routes()
            .iter()
            .partition(|route| route.verdict.is_accepted());
        let context = self.context();
        let mut fates = vec![Fate::Unreachable; accepted.len()];
        let used = context.decide_with(&accepted, |i, fate| fates[i] = fate);
        // Equals come in the order of the decision, so that the first one used is the best path.
        let best = used.first().map(|i| context.candidate(accepted[*i]));
        let outcome = |i: usize, fate: Fate| {
            let own = context.candidate(accepted[i]);
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
                    let other = context.candidate(accepted[against]);
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
            .map(|(i, route)| (*route, outcome(i, fates[i])));
        let reason = |route: &&Route| route.verdict.reason().map(Outcome::Rejected);
        let refused = refused.iter().filter_map(|route| Some((*route, reason(route)?)));
        let mut all: Vec<Explained> = explained
            .chain(refused)
            .map(|(route, outcome)| Explained {
                path: self.path(route),
                outcome,
            })
            .collect();
        // Routes stand in the entry with the selected ones first, in order; the sort is stable.
        all.sort_by_key(|explained| (explained.outcome.rank(), explained.rest_key()));
        all
    }

    fn refusal(&self, slot: Slot, prefix: &IpNet) -> Option<ExportRefusal> {
        let (next_hop, attributes) = match self.exported(slot, prefix) {
            Ok(route) => route,
            Err(refusal) => return Some(refusal),
        };
        let context = encode_context(&self.peers.get(slot)?.session);
        let (family, nlri) = (Family::of(prefix), [Nlri::from(*prefix)]);
        let fits = wire::encode_announcements(&mut Vec::new(), &context, &attributes, family, next_hop, nlri)
            .is_ok();
        if fits { None } else { Some(ExportRefusal::TooLong) }
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
