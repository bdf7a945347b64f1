//! One document of a text replaced, added or removed; every other byte stays. Pure.
//!
//! The span of a document goes from its `---` to the next. Its *core* is what is left without the blank lines and
//! comments around it: that is the value of the resource. Comments around it belong to the people who wrote
//! them, and stay, unless the new text brings its own.

use std::ops::Range;

use config::Document;

/// The part of a document's text that is the resource itself.
pub(crate) fn core(document: &str) -> Range<usize> {
    let silent = |line: &str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    };
    let mut start = 0;
    for line in document.split_inclusive('\n') {
        // `%` begins a directive, which stands before the marker of its document.
        if !silent(line) && !line.starts_with('%') {
            break;
        }
        start += line.len();
    }
    let mut end = document.len();
    let rest = document.get(start..).unwrap_or_default();
    for line in rest.split_inclusive('\n').rev() {
        // An indented comment may be a line of a block scalar: it is the document's.
        let comment = line.starts_with('#') || line.trim().is_empty();
        if !comment {
            end -= line.len() - line.trim_end_matches(['\n', '\r']).len();
            break;
        }
        end -= line.len();
    }
    start..end.max(start)
}

/// The core as text.
pub(crate) fn core_of(document: &Document) -> &str {
    document.text.get(core(&document.text)).unwrap_or_default()
}

/// The text with the document at `span` replaced by `new`.
pub(crate) fn replace(text: &str, span: &Range<usize>, new: &str) -> String {
    let (before, old, after) = parts(text, span);
    let (old_core, new_core) = (core(old), core(new));
    let brought = new.get(..new_core.start).unwrap_or_default();
    let had = old.get(..old_core.start).unwrap_or_default();
    let comments = if brought.contains('#') { brought } else { had };
    let core = new.get(new_core).unwrap_or_default();
    let tail = old.get(old_core.end..).unwrap_or_default();
    // Where the old document stood beside its marker, the new one begins a line of its own.
    let beside = !before.is_empty() && !before.ends_with('\n') && !before.ends_with('\u{feff}');
    let line = if beside && !comments.ends_with('\n') {
        "\n"
    } else {
        ""
    };
    format!("{before}{comments}{line}{core}{tail}{after}")
}

/// The text with a document more at its end.
pub(crate) fn append(text: &str, new: &str) -> String {
    let new = new.trim_end();
    if text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']).is_empty() {
        return format!("{text}{new}\n");
    }
    let line = if text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{line}---\n{new}\n")
}

/// The text without the document at `span`. Comments that a blank line keeps apart from it stay.
pub(crate) fn remove(text: &str, span: &Range<usize>) -> String {
    let (before, old, after) = parts(text, span);
    let core = core(old);
    let lead = old.get(..core.start).unwrap_or_default();
    // The comments right above it go with it.
    let apart = lead
        .trim_end_matches([' ', '\t'])
        .rfind("\n\n")
        .map_or("", |at| lead.get(..at + 1).unwrap_or_default());
    let tail = old.get(core.end..).unwrap_or_default();
    let tail = tail.strip_prefix('\r').unwrap_or(tail);
    let tail = tail.strip_prefix('\n').unwrap_or(tail);
    if apart.contains('#') || tail.contains('#') {
        // An empty document that carries them.
        let line = if before.is_empty() || before.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        return format!("{before}{line}{apart}{tail}{after}");
    }
    let marker = before.rfind('\n').map_or(0, |at| at + 1);
    let last_line = before.get(marker..).unwrap_or_default();
    // Its marker: on the line before, or on its own.
    let cut = if last_line.starts_with("---") {
        marker
    } else {
        let above = before.strip_suffix('\n').unwrap_or(before);
        let start = above.rfind('\n').map_or(0, |at| at + 1);
        let line = above.get(start..).unwrap_or_default();
        let is_marker = line.trim_start_matches('\u{feff}').starts_with("---");
        if is_marker { start } else { before.len() }
    };
    format!("{}{after}", before.get(..cut).unwrap_or_default())
}

fn parts<'t>(text: &'t str, span: &Range<usize>) -> (&'t str, &'t str, &'t str) {
    (
        text.get(..span.start).unwrap_or_default(),
        text.get(span.clone()).unwrap_or_default(),
        text.get(span.end..).unwrap_or_default(),
    )
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
