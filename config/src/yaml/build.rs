//! From the parser's events to the tree.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::pieces::{Piece, pieces};
use super::tree::{Entry, Kind, MAX_DEPTH, MAX_DOCUMENT, MAX_KEYS, MAX_VALUES, TEXT_PER_VALUE, Value};
use crate::problem::{Place, Problems};

/// Reads every document of a source. Mistakes go to `problems`; a document with a syntax error is left out.
pub fn documents(text: &str, problems: &mut Problems) -> Vec<Value> {
    let mut documents = Documents::new(text);
    std::iter::from_fn(|| documents.next(problems))
        .map(|(_, value)| value)
        .collect()
}

/// The documents of a source, read one after the other.
pub struct Documents<'t> {
    text: &'t str,
    pieces: std::vec::IntoIter<Piece>,
    budget: usize,
}

impl<'t> Documents<'t> {
    /// Begins to read a source.
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            pieces: pieces(text).into_iter(),
            budget: MAX_VALUES,
        }
    }

    /// The next document that can be read, and where it stands. Reading ends early where there are too many
    /// values, or too many mistakes of whatever kind.
    pub fn next(&mut self, problems: &mut Problems) -> Option<(Piece, Value)> {
        loop {
            let piece = self.pieces.next()?;
            if problems.is_full() {
                problems.stop();
                return None;
            }
            match document(self.text, &piece, &mut self.budget, problems) {
                Some(value) => return Some((piece, value)),
                None if self.budget == 0 => return None,
                None => {}
            }
        }
    }
}

/// Reads one document of a source. `budget` is the number of values that may still be read; none where it holds
/// nothing, is too large, or has a syntax error; the budget is then 0 if it was overdrawn.
fn document(text: &str, piece: &Piece, budget: &mut usize, problems: &mut Problems) -> Option<Value> {
    let size = piece.body.len();
    if size > MAX_DOCUMENT {
        let at = Place {
            line: piece.lines_before + 1,
            column: 1,
        };
        let message = format!(
            "this document has {size} bytes; more than {MAX_DOCUMENT} ({} MiB) are not read",
            MAX_DOCUMENT >> 20
        );
        let fix = "write resources one a document, with --- between them";
        problems.error(at, "", message, fix);
        return None;
    }
    let mut done = Vec::new();
    let mut builder = Builder::new(piece.lines_before, budget, problems);
    builder.run(text.get(piece.whole.clone()).unwrap_or_default(), &mut done);
    done.pop()
}

/// A collection that is still open.
struct Frame {
    at: Place,
    anchor: usize,
    kind: Open,
}

enum Open {
    List(Vec<Value>),
    /// Entries so far, and the key whose value comes next: `Some(None)` is a key that was refused.
    Map(Vec<Entry>, Option<Option<(String, Place)>>),
}

/// Why a document was given up; where reading resumes is its line.
struct Stop {
    at: Place,
    message: String,
    fix: &'static str,
}

struct Builder<'p> {
    lines_before: usize,
    budget: &'p mut usize,
    problems: &'p mut Problems,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Option<Value>>,
}

impl<'p> Builder<'p> {
    fn new(lines_before: usize, budget: &'p mut usize, problems: &'p mut Problems) -> Self {
        Self {
            lines_before,
            budget,
            problems,
            stack: Vec::new(),
            anchors: HashMap::new(),
        }
    }

    /// Reads until the end or the first syntax error, which leaves no document.
    fn run(&mut self, text: &str, done: &mut Vec<Value>) {
        let options = granit_parser::options! { emit_comments: false };
        for next in Parser::new_from_str_with_options(text, options) {
            let result = match next {
                Ok((event, span)) => self.event(event, self.place(&span), done),
                Err(error) => {
                    let marker = error.marker();
                    let at = Place {
                        line: marker.line() + self.lines_before,
                        column: marker.col() + 1,
                    };
                    let message = match error.info() {
                        info if info.contains("recursion limit") => {
                            format!("nested deeper than {MAX_DEPTH} levels")
                        }
                        info => format!("not valid YAML: {info}"),
                    };
                    Err(Stop {
                        at,
                        message,
                        fix: "check indentation, colons and quotes on this line and the one above",
                    })
                }
            };
            if let Err(stop) = result {
                self.problems.error(stop.at, "", stop.message, stop.fix);
                done.clear();
                return;
            }
        }
    }

    fn place(&self, span: &Span) -> Place {
        Place {
            line: span.start.line() + self.lines_before,
            column: span.start.col() + 1,
        }
    }

    fn event(&mut self, event: Event<'_>, at: Place, done: &mut Vec<Value>) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                self.count(at, 1)?;
                self.check_width(at)?;
                let value = Value {
                    at,
                    kind: self.scalar(&text, style, tag.as_deref(), at),
                };
                self.finish(value, anchor, done);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), at);
                self.open(at, anchor, Open::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), at);
                self.open(at, anchor, Open::Map(Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(frame) = self.stack.pop() {
                    let kind = match frame.kind {
                        Open::List(items) => Kind::List(items),
                        Open::Map(entries, _) => Kind::Map(entries),
                    };
                    self.finish(Value { at: frame.at, kind }, frame.anchor, done);
                }
            }
            Event::Alias(anchor) => {
                let value = self.alias(anchor, at)?;
                self.finish(value, 0, done);
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, at: Place, values: usize) -> Result<(), Stop> {
        let left = self.budget.checked_sub(values);
        *self.budget = left.unwrap_or(0);
        match left {
            Some(_) => Ok(()),
            None => Err(Stop {
                at,
                message: format!("more than {MAX_VALUES} values in one source"),
                fix: "split it into several files, and write aliases out",
            }),
        }
    }

    fn open(&mut self, at: Place, anchor: usize, kind: Open) -> Result<(), Stop> {
        self.count(at, 1)?;
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Stop {
                at,
                message,
                fix: "no resource needs this depth",
            });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.stack.push(Frame { at, anchor, kind });
        Ok(())
    }

    fn check_width(&self, at: Place) -> Result<(), Stop> {
        match self.stack.last() {
            Some(Frame {
                kind: Open::Map(entries, _),
                ..
            }) if entries.len() > MAX_KEYS => {
                let message = format!("more than {MAX_KEYS} keys in one mapping");
                Err(Stop {
                    at,
                    message,
                    fix: "no resource needs this many",
                })
            }
            _ => Ok(()),
        }
    }

    /// What an alias stands for, written out at its own place.
    fn alias(&mut self, anchor: usize, at: Place) -> Result<Value, Stop> {
        let Some(Some(value)) = self.anchors.get(&anchor) else {
            let fix = "write the value out";
            return Err(Stop {
                at,
                message: "this alias refers to itself".to_owned(),
                fix,
            });
        };
        let (size, depth) = measure(value);
        let kind = if *self.budget >= size {
            value.kind.clone()
        } else {
            Kind::Null
        };
        let value = Value { at, kind };
        self.count(at, size)?;
        if self.stack.len() + depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels through aliases");
            return Err(Stop {
                at,
                message,
                fix: "no resource needs this depth",
            });
        }
        Ok(value)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Place) -> Kind {
        let as_text = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
        if !as_text {
            self.check_tag(tag, at);
        }
        let plain = style == ScalarStyle::Plain && !as_text;
        if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            Kind::Null
        } else {
            Kind::Scalar {
                text: text.to_owned(),
                plain,
            }
        }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, at: Place) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix().is_none()) {
            self.problems.error(
                at,
                "",
                format!("the tag `{}` has no meaning here", tag.original()),
                "remove it",
            );
        }
    }

    /// Puts a complete value where it belongs: into the open collection, or among the documents.
    fn finish(&mut self, value: Value, anchor: usize, done: &mut Vec<Value>) {
        if anchor != 0 {
            // What an anchor holds is counted again: it is stored twice.
            let (size, _) = measure(&value);
            *self.budget = self.budget.saturating_sub(size);
            self.anchors.insert(anchor, Some(value.clone()));
        }
        let is_mistake = match self.stack.last() {
            Some(Frame {
                kind: Open::Map(entries, None),
                ..
            }) => is_wrong_key(&value, entries),
            _ => false,
        };
        let path = if is_mistake { self.path() } else { String::new() };
        let Some(frame) = self.stack.last_mut() else {
            if value.kind != Kind::Null {
                done.push(value);
            }
            return;
        };
        match &mut frame.kind {
            Open::List(items) => items.push(value),
            Open::Map(entries, pending) => match pending.take() {
                None => *pending = Some(key(value, entries, &path, self.problems)),
                Some(Some((key, at))) => entries.push(Entry { key, at, value }),
                Some(None) => {}
            },
        }
    }

    /// Path of the collection that is open innermost, such as `spec.bgp` or `items[2].spec`.
    fn path(&self) -> String {
        let mut path = String::new();
        let around = self.stack.len().saturating_sub(1);
        for frame in self.stack.iter().take(around) {
            match &frame.kind {
                Open::List(items) => path.push_str(&format!("[{}]", items.len())),
                Open::Map(_, Some(Some((key, _)))) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.extend(key.chars().take(64));
                }
                Open::Map(..) => {}
            }
        }
        path
    }
}

fn is_wrong_key(value: &Value, entries: &[Entry]) -> bool {
    value
        .text()
        .is_none_or(|text| entries.iter().any(|entry| entry.key == text))
}

/// The text of a key, unless it cannot be one.
fn key(value: Value, entries: &[Entry], parent: &str, problems: &mut Problems) -> Option<(String, Place)> {
    let text = match value.kind {
        Kind::Scalar { text, .. } => text,
        _ => {
            problems.error(value.at, parent, "a key must be text", "write `name: value`");
            return None;
        }
    };
    if let Some(first) = entries.iter().find(|entry| entry.key == text) {
        let path = if parent.is_empty() {
            text
        } else {
            format!("{parent}.{text}")
        };
        let message = format!("duplicate key; the first one is on line {}", first.at.line);
        problems.error(value.at, &path, message, "remove one of the two");
        return None;
    }
    Some((text, value.at))
}

/// How many values there are in a value, itself included and long texts as several, and how many collections
/// deep it goes.
fn measure(value: &Value) -> (usize, usize) {
    let add = |(size, depth): (usize, usize), part: &Value| {
        let (s, d) = measure(part);
        (size + s, depth.max(d))
    };
    match &value.kind {
        Kind::Null => (1, 0),
        Kind::Scalar { text, .. } => (1 + text.len() / TEXT_PER_VALUE, 0),
        Kind::List(items) => {
            let (size, depth) = items.iter().fold((0, 0), add);
            (size + 1, depth + 1)
        }
        Kind::Map(entries) => {
            let (size, depth) = entries.iter().map(|entry| &entry.value).fold((0, 0), add);
            let keys = entries.iter().map(|entry| 1 + entry.key.len() / TEXT_PER_VALUE);
            (size + keys.sum::<usize>() + 1, depth + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::yaml::to_json;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Where the parser finds nothing wrong with a source as a whole, cutting it into documents first changes
        /// nothing: the same values. And what is cut lies in the source, in order.
        #[test]
        fn cutting_first_changes_nothing(parts in prop::collection::vec(prop::sample::select(vec![
            "a", "b: ", "- ", "\n", "\n", "\n  ", "\n---\n", "\n--- ", "---", "...", "\n...\n", "[a]", "{a: b}", ": ", "&x ",
            "*x", "!!str ", "'", "\"", "|\n", "|\n ---\n", ">\n", "# c\n", "\n%YAML 1.2\n---\n", "? ", "é", "\r\n", "\r", "\u{feff}",
        ]), 0..24)) {
            let text = parts.concat();
            let (mut whole, mut apart) = (Problems::new("f"), Problems::new("f"));
            let (mut wanted, mut budget) = (Vec::new(), MAX_VALUES);
            // Our own cutting takes the mark at the very beginning away, and only there.
            let rest = text.strip_prefix('\u{feff}').unwrap_or(&text);
            Builder::new(0, &mut budget, &mut whole).run(rest, &mut wanted);
            let found = documents(&text, &mut apart);
            if whole.errors() == 0 {
                let json = |values: &[Value]| values.iter().map(to_json).collect::<Vec<_>>();
                prop_assert_eq!(json(&found), json(&wanted), "{:?}: {:?}", text, apart.into_list());
            }
            let mut end = 0;
            for piece in pieces(&text) {
                prop_assert!(piece.whole.start >= end && piece.body.start >= piece.whole.start);
                prop_assert!(text.get(piece.body.clone()).is_some() && text.get(piece.whole.clone()).is_some());
                prop_assert_eq!(piece.body.end, piece.whole.end);
                end = piece.whole.end;
            }
        }
    }
}
