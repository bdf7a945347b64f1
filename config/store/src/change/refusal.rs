//! Why a request was not carried out.

use config::Problem;
use datastore::Key;
use thiserror::Error;

/// Why a request was not carried out. Unless it says otherwise, nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The texts, or the whole as it would be, are wrong.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// Pools that nodes have blocks of.
    #[error("{}", .0.join("\n"))]
    Pools(Vec<String>),
    /// Nothing to delete.
    #[error("{} is not in {store}; `roadbed get {}` lists what is", names(.keys), kind(.keys))]
    Missing {
        /// What was asked for.
        keys: Vec<Key>,
        /// [`datastore::Datastore::describe`].
        store: String,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] datastore::Error),
    /// Others wrote in between, again and again.
    #[error(
        "others changed the resources {attempts} times while this was being written; nothing was changed, try again"
    )]
    Contended {
        /// How often it was tried.
        attempts: usize,
    },
    /// Some of it is written. What is left is said, and the same command may be run again.
    #[error("{done} of {of} changes are written, {left} is not: {why}; run the same command again")]
    Partly {
        /// Changes that are written.
        done: usize,
        /// All of them.
        of: usize,
        /// The first that is not.
        left: Key,
        /// Why.
        why: Box<Refusal>,
    },
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    format!("{}\nnothing was changed", lines.join("\n"))
}

fn names(keys: &[Key]) -> String {
    keys.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn kind(keys: &[Key]) -> &'static str {
    keys.first().map_or("all", Key::group)
}
