//! Which documents carry over. Every document goes through the readers and checks that `validate` and the agent
//! use, all of them together as one set. Those with errors are taken out and the rest is read again as a set, until
//! it has no errors: what is left is what would be written, and it is good as a whole.

use std::collections::{BTreeMap, BTreeSet};

use config::Intent;
use config::fields::{Class, ResourceKind, find};
use config::load::{Rules, Source, load_with};
use config::problem::Problem;
use serde::Serialize;
use serde_json::Value;

use super::snapshot::Document;

/// What becomes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It means the same here.
    CarriesOver,
    /// It carries over, but some of it does nothing here; the remarks say what and why.
    WithWarnings,
    /// It would not mean the same: the remarks say what stands against it.
    DoesNot,
}

/// What is to be said about a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// Whether it keeps the document from being carried over.
    pub stops: bool,
    /// Path of the field; empty where the whole document is meant.
    pub field: String,
    /// What is so, and why.
    pub message: String,
    /// What to do; may be empty.
    pub advice: String,
}

/// One document and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What is to be said.
    pub remarks: Vec<Remark>,
}

/// What became of all documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// One for each document, by kind and name.
    pub judgements: Vec<Judgement>,
    /// Those that carry over, as documents of `roadbed.dev/v1` without the fields that do nothing here.
    pub carried: Vec<Document>,
    /// What these mean together.
    pub intent: Option<Intent>,
}

const OURS: &str = "roadbed.dev/v1";

/// Judges a set of documents.
pub fn judge(documents: &[Document]) -> Judged {
    let mut said: BTreeMap<String, BTreeSet<Remark>> = BTreeMap::new();
    let mut candidates: Vec<Document> = documents.iter().map(as_ours).collect();
    let mut first = true;
    let intent = loop {
        let (intent, problems) = read(&candidates);
        let stopped = stopped(&problems, &candidates);
        for problem in problems {
            said.entry(problem.file.clone())
                .or_default()
                .insert(remark(problem));
        }
        candidates.retain(|document| !stopped.contains(&document.id()));
        if stopped.is_empty() && !first {
            break intent;
        }
        if first {
            candidates.iter_mut().for_each(cut_ignored);
            first = false;
        }
    };
    let carried: BTreeSet<String> = candidates.iter().map(Document::id).collect();
    let judgements = documents
        .iter()
        .map(|document| judgement(document, &carried, &said))
        .collect();
    Judged {
        judgements,
        carried: candidates,
        intent,
    }
}

fn judgement(
    document: &Document,
    carried: &BTreeSet<String>,
    said: &BTreeMap<String, BTreeSet<Remark>>,
) -> Judgement {
    let id = document.id();
    let mut remarks: Vec<Remark> = said.get(&id).into_iter().flatten().cloned().collect();
    let carried = carried.contains(&id);
    if !carried && !remarks.iter().any(|remark| remark.stops) {
        // Errors that are about no document stop all of them.
        let all = said.values().flatten();
        remarks.extend(all.filter(|remark| remark.stops).cloned());
    }
    let verdict = match (carried, remarks.is_empty()) {
        (false, _) => Verdict::DoesNot,
        (true, true) => Verdict::CarriesOver,
        (true, false) => Verdict::WithWarnings,
    };
    Judgement {
        kind: document.kind.clone(),
        name: document.name.clone(),
        verdict,
        remarks,
    }
}

fn as_ours(document: &Document) -> Document {
    let mut ours = document.clone();
    if let Value::Object(fields) = &mut ours.value {
        fields.insert("apiVersion".into(), OURS.into());
    }
    ours
}

/// Reads a set: one source for each document, named by its identity.
fn read(documents: &[Document]) -> (Option<Intent>, Vec<Problem>) {
    let source = |document: &Document| Source {
        name: document.id(),
        text: document.value.to_string(),
    };
    let sources: Vec<Source> = documents.iter().map(source).collect();
    let loaded = load_with(&sources, Rules { shared_out: true });
    (loaded.intent, loaded.problems)
}

/// The documents that have errors; all of them where an error is about none.
fn stopped(problems: &[Problem], documents: &[Document]) -> BTreeSet<String> {
    let known: BTreeSet<String> = documents.iter().map(Document::id).collect();
    let errors: Vec<&Problem> = problems.iter().filter(|problem| problem.is_error()).collect();
    if errors.iter().any(|problem| !known.contains(&problem.file)) {
        return known;
    }
    errors.into_iter().map(|problem| problem.file.clone()).collect()
}

fn remark(problem: Problem) -> Remark {
    Remark {
        stops: problem.is_error(),
        field: problem.field,
        message: problem.message,
        advice: problem.fix,
    }
}

/// Takes out the fields that the table of fields knows as ignored: the warning about them was given.
fn cut_ignored(document: &mut Document) {
    let Some(kind) = ResourceKind::ALL
        .into_iter()
        .find(|kind| kind.name() == document.kind)
    else {
        return;
    };
    if let Value::Object(fields) = &mut document.value {
        cut(kind, "", fields);
    }
}

fn cut(kind: ResourceKind, prefix: &str, fields: &mut serde_json::Map<String, Value>) {
    fields.retain(|name, value| {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        if find(kind, &path).is_some_and(|field| matches!(field.class, Class::Ignored(_))) {
            return false;
        }
        // Labels and annotations are the operator's words, not fields.
        if let Value::Object(inner) = value
            && !path.starts_with("metadata.")
        {
            let empty = inner.is_empty();
            cut(kind, &path, inner);
            return empty || !inner.is_empty() || path == "spec";
        }
        true
    });
}
