//! Sources to an intent: the one entry for the agent, `validate` and `plan`.

use std::collections::HashMap;

use crate::checks;
use crate::documents;
use crate::intent::Intent;
use crate::problem::{MAX_LISTED, Problem, Problems};
use crate::resources::{self, Read, Resources};
use crate::source::MAX_BYTES;
pub use crate::source::{Rules, Source};
use crate::yaml;

/// What became of a set of sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The intent; none if there is an error among the problems.
    pub intent: Option<Intent>,
    /// Every mistake of every document, in the order of the sources.
    pub problems: Vec<Problem>,
}

/// Reads and checks a set of sources as one, by the rules of `kind: file`.
pub fn load(sources: &[Source]) -> Loaded {
    load_with(sources, Rules::default())
}

/// Reads and checks a set of sources as one. Pure; all mistakes are found in one run.
pub fn load_with(sources: &[Source], rules: Rules) -> Loaded {
    let mut resources = Resources::default();
    let mut problems = Vec::new();
    for source in sources {
        problems.extend(read_source(source, &mut resources));
    }
    problems.extend(limited(checks::check(&resources, rules)));
    let mut order: HashMap<&str, usize> = HashMap::new();
    for (index, source) in sources.iter().enumerate() {
        order.entry(&source.name).or_insert(index);
    }
    problems.sort_by_key(|problem| {
        let file = order.get(problem.file.as_str()).copied();
        (file.unwrap_or(sources.len()), problem.line, problem.column)
    });
    problems.dedup();
    let intent = if problems.iter().any(Problem::is_error) {
        None
    } else {
        Some(assemble(resources))
    };
    Loaded { intent, problems }
}

/// The first problems, and how many more there are.
fn limited(mut problems: Vec<Problem>) -> Vec<Problem> {
    if problems.len() > MAX_LISTED {
        // An error is never cut off for warnings before it.
        problems.sort_by_key(|problem| problem.severity);
    }
    let more = problems.split_off(problems.len().min(MAX_LISTED));
    if let Some(first) = more.first() {
        let message = format!("{} more problems between resources are not listed", more.len());
        problems.push(first.note(message, first.severity));
    }
    problems
}

fn read_source(source: &Source, resources: &mut Resources) -> Vec<Problem> {
    let mut problems = Problems::new(&source.name);
    if source.text.len() > MAX_BYTES {
        resources.complete = false;
        return vec![documents::too_large(source)];
    }
    let mut documents = yaml::Documents::new(&source.text);
    loop {
        let errors_before = problems.errors();
        let next = documents.next(&mut problems);
        // A document that could not be read leaves a gap.
        resources.complete &= problems.errors() == errors_before;
        let Some((_, document)) = next else { break };
        resources::read(&document, &source.name, resources, &mut problems);
    }
    resources.complete &= !problems.is_full();
    problems.into_list()
}

fn assemble(resources: Resources) -> Intent {
    let mut intent = Intent {
        bgp: only(resources.bgp),
        pools: values(resources.pools),
        peers: values(resources.peers),
        nodes: values(resources.nodes)
            .into_iter()
            .map(|node| (node.name.clone(), node))
            .collect(),
        filters: values(resources.filters),
        reservations: values(resources.reservations),
        ipam: only(resources.ipam),
    };
    intent.pools.sort_by(|a, b| a.name.cmp(&b.name));
    intent.peers.sort_by(|a, b| a.name.cmp(&b.name));
    intent.filters.sort_by(|a, b| a.name.cmp(&b.name));
    intent.reservations.sort_by(|a, b| a.name.cmp(&b.name));
    intent
}

fn values<T>(read: Vec<Read<T>>) -> Vec<T> {
    read.into_iter().map(|read| read.value).collect()
}

/// The one resource of a kind of which there is one, or its defaults.
fn only<T: Default>(read: Vec<Read<T>>) -> T {
    values(read).into_iter().next().unwrap_or_default()
}
