//! The choice among the paths to one prefix (RFC 4271 §9.1.2), as a pure function of what is compared.
//!
//! Each step looks at all paths that are still in the race and drops those that are worse than another one of them.
//! No step compares two paths alone, so the result does not depend on the order of arrival, and MED, which counts only
//! among paths of one neighbouring AS, needs no special grouping (pairwise comparison is what makes it
//! non-deterministic elsewhere). What is left after the last step that weighs merit, the distance of the next hop, is
//! equal: the best path is the first of them by a total order (identifier, CLUSTER_LIST, peer address), and its ECMP
//! companions follow in that order.
//!
//! The step "oldest eBGP path" of other implementations is left out on purpose: it makes the result depend on history.
//!
//! RFCs: 4271 §9.1.2.2, 4456 §9 (ORIGINATOR_ID and CLUSTER_LIST), 9494 §4.4 (long-lived stale paths).

mod candidate;
#[cfg(test)]
mod tests;

pub use candidate::Candidate;

use super::model::PathKind;
use crate::types::Asn;
use std::cmp::Ordering;
use std::fmt;

/// A step of the decision, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The next hop can be reached (§9.1.2).
    NextHop,
    /// Not long-lived stale (RFC 9494 §4.4).
    LongLivedStale,
    /// Higher LOCAL_PREF.
    LocalPref,
    /// Originated here.
    Originated,
    /// Shorter AS_PATH; a set counts as one.
    AsPathLength,
    /// Lower ORIGIN: IGP, EGP, incomplete.
    Origin,
    /// Lower MULTI_EXIT_DISC among paths of the same neighbouring AS; a missing one is zero.
    Med,
    /// eBGP before iBGP.
    External,
    /// Nearer next hop.
    IgpMetric,
    /// Lower BGP identifier; that of the originator where the path was reflected.
    RouterId,
    /// Shorter CLUSTER_LIST.
    ClusterListLength,
    /// Lower peer address.
    PeerAddress,
}

/// Steps that weigh merit.
const MERIT: [Step; 9] = [
    Step::NextHop,
    Step::LongLivedStale,
    Step::LocalPref,
    Step::Originated,
    Step::AsPathLength,
    Step::Origin,
    Step::Med,
    Step::External,
    Step::IgpMetric,
];

/// Steps that only make one of equals the first.
const TIE_BREAK: [Step; 3] = [Step::RouterId, Step::ClusterListLength, Step::PeerAddress];

impl Step {
    /// The smaller the better.
    fn key(self, candidate: &Candidate<'_>) -> u64 {
        match self {
            Step::NextHop => u64::from(candidate.metric.is_none()),
            Step::LongLivedStale => u64::from(candidate.stale),
            Step::LocalPref => u64::from(u32::MAX - candidate.local_pref),
            Step::Originated => u64::from(candidate.kind != PathKind::Local),
            Step::AsPathLength => candidate.as_path.hops() as u64,
            Step::Origin => candidate.origin as u64,
            Step::Med => u64::from(candidate.med),
            Step::External => u64::from(candidate.kind == PathKind::Internal),
            Step::IgpMetric => candidate.metric.map_or(u64::MAX, u64::from),
            Step::RouterId => u64::from(u32::from(candidate.router_id.0)),
            Step::ClusterListLength => candidate.cluster_list_length as u64,
            // Only ever compared, by `compare`.
            Step::PeerAddress => 0,
        }
    }

    fn compare(self, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
        match self {
            Step::PeerAddress => a.peer.cmp(&b.peer),
            _ => self.key(a).cmp(&self.key(b)),
        }
    }

    /// What the step compares, for people: `ours` lost against `theirs`.
    pub fn describe(self, ours: &Candidate<'_>, theirs: &Candidate<'_>) -> String {
        let router_id = |c: &Candidate<'_>| c.router_id.to_string();
        let peer = |c: &Candidate<'_>| c.peer.map_or_else(|| "none".to_string(), |p| p.to_string());
        match self {
            Step::NextHop => "NEXT_HOP cannot be reached".to_string(),
            Step::LongLivedStale => "long-lived stale, and the other is not".to_string(),
            Step::LocalPref => format!("LOCAL_PREF {} < {}", ours.local_pref, theirs.local_pref),
            Step::Originated => "learned, and the other is originated here".to_string(),
            Step::AsPathLength => {
                format!(
                    "AS_PATH length {} > {}",
                    ours.as_path.hops(),
                    theirs.as_path.hops()
                )
            }
            Step::Origin => {
                format!("ORIGIN {} > {}", ours.origin, theirs.origin)
            }
            Step::Med => match ours.as_path.first() {
                Some(asn) => format!("MED {} > {}, both from AS {asn}", ours.med, theirs.med),
                None => format!("MED {} > {}, both from our AS", ours.med, theirs.med),
            },
            Step::External => "iBGP, and the other is eBGP".to_string(),
            Step::IgpMetric => {
                let metric = |c: &Candidate<'_>| c.metric.map_or_else(|| "none".into(), |m| m.to_string());
                format!("metric to NEXT_HOP {} > {}", metric(ours), metric(theirs))
            }
            Step::RouterId => format!("router id {} > {}", router_id(ours), router_id(theirs)),
            Step::ClusterListLength => format!(
                "CLUSTER_LIST length {} > {}",
                ours.cluster_list_length, theirs.cluster_list_length
            ),
            Step::PeerAddress => format!("peer address {} > {}", peer(ours), peer(theirs)),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::NextHop => "next hop",
            Step::LongLivedStale => "long-lived stale",
            Step::LocalPref => "LOCAL_PREF",
            Step::Originated => "originated here",
            Step::AsPathLength => "AS_PATH length",
            Step::Origin => "ORIGIN",
            Step::Med => "MED",
            Step::External => "eBGP over iBGP",
            Step::IgpMetric => "metric to next hop",
            Step::RouterId => "router id",
            Step::ClusterListLength => "CLUSTER_LIST length",
            Step::PeerAddress => "peer address",
        })
    }
}

/// Why an equal of the best path is not used beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unpaired {
    /// eBGP paths are only used together when they cross the same ASes, unless [`Multipath::relax`] is set.
    OtherAsPath,
    /// A path to the same next hop is used already.
    SameNextHop,
    /// As many paths as allowed are used already.
    TooMany,
}

impl fmt::Display for Unpaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unpaired::OtherAsPath => "its AS_PATH is not that of the best path",
            Unpaired::SameNextHop => "a path with the same next hop is used already",
            Unpaired::TooMany => "as many equal paths as allowed are used already",
        })
    }
}

/// How a candidate fared; positions are those in the slice given to [`decide`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is the best path.
    Best,
    /// It is used beside the best path, which came first at this step.
    Companion(Step),
    /// It is not used: at this step the candidate `against` was better.
    Lost {
        /// Where.
        step: Step,
        /// Position of one that was better.
        against: usize,
    },
    /// Its next hop cannot be reached.
    Unreachable,
    /// As good as the best path, which came first at this step, but not used beside it.
    Unpaired(Step, Unpaired),
}

/// Which of the equals of the best path are used beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multipath {
    /// How many paths there may be, the best one counted.
    pub most: usize,
    /// eBGP paths need not cross the same ASes. The step that compares lengths has left equal ones only.
    pub relax: bool,
}

impl From<usize> for Multipath {
    /// So many, and eBGP paths only where they cross the same ASes.
    fn from(most: usize) -> Self {
        Self { most, relax: false }
    }
}

/// The positions of the best path and its companions in `candidates`, in order; empty where no next hop can be
/// reached. `fate` is told of each candidate how it fared.
pub fn decide(
    candidates: &[Candidate<'_>],
    multipath: impl Into<Multipath>,
    mut fate: impl FnMut(usize, Fate),
) -> Vec<usize> {
    let mut left: Vec<usize> = (0..candidates.len()).collect();
    for step in MERIT {
        if step == Step::NextHop {
            // Not a matter of better or worse: a lone path to nowhere is dropped as well.
            left.retain(|i| {
                let reachable = candidates[*i].metric.is_some();
                if !reachable {
                    fate(*i, Fate::Unreachable);
                }
                reachable
            });
        } else if left.len() > 1 {
            eliminate(step, candidates, &mut left, &mut fate);
        }
    }
    left.sort_by(|a, b| total_order(&candidates[*a], &candidates[*b]));
    pair(candidates, left, multipath.into(), fate)
}

fn eliminate(
    step: Step,
    candidates: &[Candidate<'_>],
    left: &mut Vec<usize>,
    fate: &mut impl FnMut(usize, Fate),
) {
    // Paths are compared within a group: all of them, but for MED those of one neighbouring AS.
    let group = |i: usize| candidates[i].as_path.first().filter(|_| step == Step::Med);
    // The best of each group; the first of equals, by position.
    let mut winners: Vec<(Option<Asn>, usize)> = Vec::new();
    for i in left.iter().copied() {
        match winners.iter_mut().find(|(asn, _)| *asn == group(i)) {
            Some((_, winner)) if step.compare(&candidates[i], &candidates[*winner]).is_lt() => *winner = i,
            Some(_) => {}
            None => winners.push((group(i), i)),
        }
    }
    left.retain(|own| {
        let winner = winners
            .iter()
            .find(|(asn, _)| *asn == group(*own))
            .map_or(*own, |(_, winner)| *winner);
        let worse = step.compare(&candidates[*own], &candidates[winner]).is_gt();
        if worse {
            fate(
                *own,
                Fate::Lost {
                    step,
                    against: winner,
                },
            );
        }
        !worse
    });
}

/// Best path first, then those of its equals that may be used beside it.
fn pair(
    candidates: &[Candidate<'_>],
    equal: Vec<usize>,
    multipath: Multipath,
    mut fate: impl FnMut(usize, Fate),
) -> Vec<usize> {
    let mut used: Vec<usize> = Vec::with_capacity(equal.len().min(multipath.most.max(1)));
    for own in equal {
        let Some(best) = used.first() else {
            fate(own, Fate::Best);
            used.push(own);
            continue;
        };
        let (path, best) = (&candidates[own], &candidates[*best]);
        let step = deciding_step(path, best);
        let other_ases = path.kind == PathKind::External && path.as_path != best.as_path;
        let obstacle = if other_ases && !multipath.relax {
            Some(Unpaired::OtherAsPath)
        } else if used.iter().any(|i| candidates[*i].next_hop == path.next_hop) {
            Some(Unpaired::SameNextHop)
        } else if used.len() >= multipath.most {
            Some(Unpaired::TooMany)
        } else {
            None
        };
        match obstacle {
            Some(obstacle) => fate(own, Fate::Unpaired(step, obstacle)),
            None => {
                fate(own, Fate::Companion(step));
                used.push(own);
            }
        }
    }
    used
}

fn total_order(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    TIE_BREAK.iter().fold(Ordering::Equal, |order, step| {
        order.then_with(|| step.compare(a, b))
    })
}

/// The tie-break that put `best` before `path`.
fn deciding_step(path: &Candidate<'_>, best: &Candidate<'_>) -> Step {
    let differs = |step: &Step| step.compare(path, best) != Ordering::Equal;
    TIE_BREAK.into_iter().find(differs).unwrap_or(Step::PeerAddress)
}
