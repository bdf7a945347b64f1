//! Sources to an intent: the one entry for the agent, `validate` and `plan`.

use crate::checks;
use crate::intent::Intent;
use crate::problem::{Problem, Problems};
use crate::resources::{self, Resources};
use crate::yaml;

/// Larger sources are refused unread.
pub const MAX_BYTES: usize = 32 << 20;

/// A text with the name that problems are to show: its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name for messages.
    pub name: String,
    /// YAML documents.
    pub text: String,
}

/// What became of a set of sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The intent; none if there is an error among the problems.
    pub intent: Option<Intent>,
    /// Every mistake of every document, in the order of the sources.
    pub problems: Vec<Problem>,
}

/// Reads and checks a set of sources as one. Pure; all mistakes are found in one run.
///
/// The rules are those of `kind: file`: nodes list their pod subnets themselves.
pub fn load(sources: &[Source]) -> Loaded {
    let mut resources = Resources::default();
    let mut problems = Vec::new();
    for source in sources {
        problems.extend(read_source(source, &mut resources));
    }
    problems.extend(checks::check(&resources));
    let order = |problem: &Problem| {
        let file = sources
            .iter()
            .position(|source| source.name == problem.file)
            .unwrap_or(sources.len());
        (file, problem.line, problem.column)
    };
    problems.sort_by_key(order);
    problems.dedup();
    let intent = if problems.iter().any(Problem::is_error) {
        None
    } else {
        Some(assemble(resources))
    };
    Loaded { intent, problems }
}

fn read_source(source: &Source, resources: &mut Resources) -> Vec<Problem> {
    let mut problems = Problems::new(&source.name);
    if source.text.len() > MAX_BYTES {
        resources.complete = false;
        let message = format!("larger than {} MiB", MAX_BYTES >> 20);
        return vec![Problem::whole_file(
            &source.name,
            message,
            "split it into several files",
        )];
    }
    let documents = yaml::documents(&source.text, &mut problems);
    resources.complete &= problems.errors() == 0;
    for document in &documents {
        resources::read(document, &source.name, resources, &mut problems);
    }
    problems.into_list()
}

fn assemble(resources: Resources) -> Intent {
    let mut intent = Intent {
        bgp: resources
            .bgp
            .into_iter()
            .next()
            .map(|read| read.value)
            .unwrap_or_default(),
        pools: resources.pools.into_iter().map(|read| read.value).collect(),
        peers: resources.peers.into_iter().map(|read| read.value).collect(),
        nodes: resources
            .nodes
            .into_iter()
            .map(|read| (read.value.name.clone(), read.value))
            .collect(),
    };
    intent.pools.sort_by(|a, b| a.name.cmp(&b.name));
    intent.peers.sort_by(|a, b| a.name.cmp(&b.name));
    intent
}
