//! Changing the resources of a store, as `apply` and `delete` do: all that is asked for, or nothing.
//!
//! [`Request`] is what is wanted; `plan` (pure) lays it over what is there and says what would change or why it is
//! refused; [`carry_out`] writes it, and begins anew where somebody else wrote in between. `canonical` tells
//! whether two texts say the same.

mod canonical;
mod carry;
mod plan;
mod refusal;
#[cfg(test)]
mod tests;

use config::{Document, Problem, Source, documents};
use datastore::Key;
use serde::Serialize;

pub use canonical::{canonical, value_of};
pub use carry::{Target, carry_out};
pub use refusal::Refusal;

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Texts whose documents are to be there.
    pub(crate) sources: Vec<Source>,
    /// Their documents.
    pub(crate) documents: Vec<Document>,
    /// What is to be gone.
    pub(crate) delete: Vec<Key>,
}

impl Request {
    /// To have the documents of these texts.
    ///
    /// # Errors
    /// Texts that are no resources, of another version, too large, or that have a resource twice.
    pub fn put(sources: Vec<Source>) -> Result<Request, Refusal> {
        let documents = read(&sources)?;
        Ok(Request {
            sources,
            documents,
            delete: Vec::new(),
        })
    }

    /// To have these gone.
    pub fn delete(mut keys: Vec<Key>) -> Request {
        keys.sort();
        keys.dedup();
        Request {
            delete: keys,
            ..Request::default()
        }
    }

    /// To have the resources of these texts gone, whatever else the texts say of them.
    ///
    /// # Errors
    /// As for [`Request::put`].
    pub fn delete_documents(sources: &[Source]) -> Result<Request, Refusal> {
        Ok(Request::delete(read(sources)?.iter().map(key_of).collect()))
    }
}

pub(crate) fn key_of(document: &Document) -> Key {
    Key::resource(document.kind, document.name.clone())
}

fn read(sources: &[Source]) -> Result<Vec<Document>, Refusal> {
    let mut found: Vec<Document> = Vec::new();
    let mut problems = Vec::new();
    for source in sources {
        match documents(source) {
            Ok(documents) => found.extend(documents),
            Err(mistakes) => problems.extend(mistakes),
        }
    }
    let mut seen = std::collections::BTreeMap::new();
    for document in &found {
        if let Some(first) = seen.insert(key_of(document), document) {
            let (key, at) = (key_of(document), format!("{}:{}", first.source, first.line));
            problems.push(Problem {
                line: document.line,
                field: "metadata.name".to_owned(),
                ..Problem::whole_file(
                    &document.source,
                    format!("{key} is there twice, the first at {at}"),
                    "remove one of them",
                )
            });
        }
    }
    if problems.iter().any(Problem::is_error) {
        return Err(Refusal::Problems(problems));
    }
    Ok(found)
}

/// What becomes of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was not there.
    Created,
    /// It was there and said something else.
    Configured,
    /// It says that already.
    Unchanged,
    /// It was there.
    Deleted,
}

impl Action {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Created => "created",
            Action::Configured => "configured",
            Action::Unchanged => "unchanged",
            Action::Deleted => "deleted",
        }
    }
}

/// One resource and what became of it, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub action: Action,
    /// What the operator should know of it; may be empty.
    pub note: String,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Each resource, in the order of writing.
    pub resources: Vec<Changed>,
    /// Warnings about the resources as they are then.
    pub warnings: Vec<Problem>,
}
