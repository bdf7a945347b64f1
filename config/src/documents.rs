//! A source split into its resources, each by its kind and name with its exact text: what the commands that write
//! a datastore work with. Nothing is said about what the resources contain; [`crate::load_with`] does that.

use std::ops::Range;

use crate::fields::ResourceKind;
use crate::problem::{Problem, Problems};
use crate::reader::{Places, Reader};
use crate::resources;
use crate::source::{MAX_BYTES, Source};
use crate::vocabulary::resource_name;
use crate::yaml::{self, Value, to_json};

/// One resource of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// This document alone: as written, or JSON where it was the item of a list.
    pub text: String,
    /// The same as JSON in one line.
    pub json: String,
    /// Name of the source.
    pub source: String,
    /// Where it begins in the source, from 1.
    pub line: usize,
    /// The bytes of the source that [`Document::text`] is, without the `---` before it; none for items of a
    /// list. Replacing them replaces this resource and no other.
    pub span: Option<Range<usize>>,
}

/// Splits a source. Kinds that are ignored are left out.
///
/// # Errors
/// Every document that cannot be read, or that has no kind or no name of ours, and what is there twice.
pub fn documents(source: &Source) -> Result<Vec<Document>, Vec<Problem>> {
    let mut problems = Problems::new(&source.name);
    if source.text.len() > MAX_BYTES {
        return Err(vec![too_large(source)]);
    }
    let mut documents = Vec::new();
    let mut read = yaml::Documents::new(&source.text);
    while let Some((piece, value)) = read.next(&mut problems) {
        let (items, is_list) = resources::items(&value, &mut problems);
        for item in items {
            let span = (!is_list).then(|| piece.body.clone());
            documents.extend(identify(item, span, source, &mut problems));
        }
    }
    check_twice(&documents, &mut problems);
    if problems.errors() > 0 {
        return Err(problems.into_list());
    }
    Ok(documents)
}

/// A text of one document as JSON in one line.
///
/// # Errors
/// What is wrong with it; also where it is not exactly one document.
pub fn json(name: &str, text: &str) -> Result<String, Vec<Problem>> {
    let mut problems = Problems::new(name);
    let documents = yaml::documents(text, &mut problems);
    match documents.as_slice() {
        [document] if problems.errors() == 0 => Ok(to_json(document)),
        _ if problems.errors() > 0 => Err(problems.into_list()),
        other => Err(vec![Problem::whole_file(
            name,
            format!("{} documents where one is wanted", other.len()),
            "",
        )]),
    }
}

pub(crate) fn too_large(source: &Source) -> Problem {
    let message = format!(
        "{} bytes: more than {} MiB are not read",
        source.text.len(),
        MAX_BYTES >> 20
    );
    Problem::whole_file(&source.name, message, "split it into several files")
}

fn identify(
    value: &Value,
    span: Option<Range<usize>>,
    source: &Source,
    problems: &mut Problems,
) -> Option<Document> {
    let kind = resources::kind_of(value, problems)?;
    let mut places = Places::new();
    let mut reader = Reader::new(value, problems, &mut places);
    let name = reader.object("metadata").and_then(|mut metadata| {
        let name = metadata.text("name")?;
        match resource_name(&name) {
            Ok(name) => Some(name),
            Err(error) => {
                metadata.error("name", error.to_string(), "");
                None
            }
        }
    });
    if name.is_none() && value.get("metadata").and_then(|m| m.get("name")).is_none() {
        reader.error("metadata.name", "is required", "give the resource a name");
    }
    let json = to_json(value);
    let text = match &span {
        Some(range) => source.text.get(range.clone()).unwrap_or_default().to_owned(),
        None => json.clone(),
    };
    Some(Document {
        kind,
        name: name?,
        text,
        json,
        source: source.name.clone(),
        line: value.at.line,
        span,
    })
}

fn check_twice(documents: &[Document], problems: &mut Problems) {
    let mut seen = std::collections::HashMap::new();
    for document in documents {
        if let Some(first) = seen.insert((document.kind, document.name.as_str()), document.line) {
            let message = format!(
                "another {} is named {}, on line {first}",
                document.kind.name(),
                document.name
            );
            let at = crate::problem::Place {
                line: document.line,
                column: 1,
            };
            problems.error(at, "metadata.name", message, "rename or remove one of them");
        }
    }
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
