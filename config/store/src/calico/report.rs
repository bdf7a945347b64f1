//! The report of an import: what carries over, what does not and why, and what a takeover would keep. A pure
//! function of what was read.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::Serialize;
use serde_json::Value;

use super::documents::{Judged, Judgement, Verdict, judge};
use super::felix::{self, Setting};
use super::ipam::{self, IpamReport, Pool};
use super::kinds::{self, Handling};
use super::notes;
use super::snapshot::{Document, Snapshot, Unreadable};
use super::write;

/// Resources of a kind that Roadbed does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Other {
    /// The kind.
    pub kind: String,
    /// How many there are.
    pub count: usize,
    /// The first names.
    pub names: Vec<String>,
    /// Whether something is lost.
    pub lost: bool,
    /// Why.
    pub why: String,
    /// What to do; may be empty.
    pub advice: String,
}

/// The report in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Documents that mean the same here.
    pub carry_over: usize,
    /// Documents that carry over with warnings.
    pub with_warnings: usize,
    /// Documents that do not carry over.
    pub do_not: usize,
    /// Resources of kinds whose work Roadbed does not do.
    pub lost: usize,
    /// Settings of Felix that would change forwarding.
    pub felix: usize,
    /// What could not be read.
    pub unreadable: usize,
    /// Blocks that a takeover could not keep.
    pub blocks_left: usize,
    /// Whether all of it carries over.
    pub complete: bool,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The datastore that was read.
    pub source: String,
    /// In numbers.
    pub summary: Summary,
    /// Each document.
    pub documents: Vec<Judgement>,
    /// Kinds that Roadbed does not have.
    pub others: Vec<Other>,
    /// Settings of Calico's data plane.
    pub felix: Vec<Setting>,
    /// Settings of Calico's data plane that say nothing about forwarding.
    pub felix_ignored: Vec<String>,
    /// Address management.
    pub ipam: IpamReport,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// What is different here, as far as it touches this cluster.
    pub notes: Vec<String>,
    /// The documents that carry over, as `roadbed.dev/v1`.
    #[serde(skip)]
    pub carried: Vec<Document>,
}

impl Report {
    /// Looks at everything that was read.
    pub fn new(snapshot: &Snapshot) -> Report {
        let judged = judge(&snapshot.documents);
        let nodes = snapshot
            .documents
            .iter()
            .filter(|document| document.kind == "Node");
        let nodes: BTreeSet<String> = nodes.map(|node| node.name.clone()).collect();
        let ipam = ipam::look(snapshot, &pools(&snapshot.documents, &judged), &nodes);
        let (felix, felix_ignored) = felix::settings(&snapshot.felix);
        let others = others(snapshot);
        let summary = summary(&judged, &others, &felix, &ipam, snapshot.unreadable.len());
        Report {
            source: snapshot.location.clone(),
            summary,
            notes: notes::notes(snapshot, &judged, &ipam),
            documents: judged.judgements,
            others,
            felix,
            felix_ignored,
            ipam,
            unreadable: snapshot.unreadable.clone(),
            carried: judged.carried,
        }
    }

    /// The documents that carry over as YAML, fit for `roadbed apply` to a datastore that shares out blocks.
    pub fn yaml(&self) -> String {
        write::yaml(&self.source, &self.carried)
    }
}

/// The pools, whether they carry over or not.
fn pools(documents: &[Document], judged: &Judged) -> Vec<Pool> {
    let carried: BTreeSet<String> = judged.carried.iter().map(Document::id).collect();
    let pools = documents.iter().filter(|document| document.kind == "IPPool");
    let mut pools: Vec<Pool> = pools
        .filter_map(|document| {
            let spec = document.value.get("spec")?;
            let cidr: IpNet = spec.get("cidr").and_then(Value::as_str)?.parse().ok()?;
            let default = if matches!(cidr, IpNet::V4(_)) { 26 } else { 122 };
            let size = spec
                .get("blockSize")
                .and_then(Value::as_u64)
                .filter(|size| *size != 0);
            let block_size = size.and_then(|size| u8::try_from(size).ok()).unwrap_or(default);
            let carries_over = carried.contains(&document.id());
            Some(Pool {
                name: document.name.clone(),
                cidr: cidr.trunc(),
                block_size,
                carries_over,
            })
        })
        .collect();
    // Where pools overlap, a block is looked at as one of the pool that stays.
    pools.sort_by_key(|pool| (!pool.carries_over, pool.name.clone()));
    pools
}

fn others(snapshot: &Snapshot) -> Vec<Other> {
    let make = |kind: &str, counted: &super::snapshot::Counted| {
        let (lost, why, advice) = match kinds::by_name(kind).map(|kind| kind.handling) {
            Some(Handling::Missing { why, instead }) => (true, why, instead),
            Some(Handling::Harmless { why }) => (false, why, ""),
            _ => (
                true,
                "this kind is not known here",
                "find out what it does before Calico goes",
            ),
        };
        let (why, advice) = (why.to_owned(), advice.to_owned());
        Other {
            kind: kind.to_owned(),
            count: counted.count,
            names: counted.names.clone(),
            lost,
            why,
            advice,
        }
    };
    let mut others: Vec<Other> = snapshot
        .counted
        .iter()
        .map(|(kind, counted)| make(kind, counted))
        .collect();
    others.sort_by_key(|other| (!other.lost, other.kind.clone()));
    others
}

fn summary(
    judged: &Judged,
    others: &[Other],
    felix: &[Setting],
    ipam: &IpamReport,
    unreadable: usize,
) -> Summary {
    let of = |verdict| {
        judged
            .judgements
            .iter()
            .filter(|judgement| judgement.verdict == verdict)
            .count()
    };
    let mut summary = Summary {
        carry_over: of(Verdict::CarriesOver),
        with_warnings: of(Verdict::WithWarnings),
        do_not: of(Verdict::DoesNot),
        lost: others
            .iter()
            .filter(|other| other.lost)
            .map(|other| other.count)
            .sum(),
        felix: felix.iter().filter(|setting| setting.changes_forwarding).count(),
        unreadable,
        blocks_left: ipam.takeover.blocks_left,
        complete: false,
    };
    let missing = summary.do_not + summary.lost + summary.felix + summary.unreadable + summary.blocks_left;
    summary.complete = missing == 0;
    summary
}
