//! What is wrong with a text, where, and what would be right: the one form in which `validate`, `status`
//! and the log report mistakes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The text is refused as a whole.
    Error,
    /// The text is applied, but not all of it does something, or something in it is likely a slip.
    Warning,
}

/// A place in a source, counted from 1. Line 0 means the whole source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// Whether it stops the text from being applied.
    pub severity: Severity,
    /// The file (or the environment variable) that has it.
    pub file: String,
    /// Line, from 1; 0 where no line can be named.
    pub line: usize,
    /// Column in characters, from 1; 0 where no column can be named.
    pub column: usize,
    /// Path of the field, such as `spec.asNumber`; empty where the whole document is meant.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub fix: String,
}

impl Problem {
    /// Whether this stops the text from being applied.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// A note about what is not listed after this one, at its place.
    pub(crate) fn note(&self, message: String, severity: Severity) -> Self {
        Self {
            severity,
            field: String::new(),
            message,
            fix: "begin with the first ones".to_owned(),
            ..self.clone()
        }
    }

    /// An error about a source as a whole: it cannot be read, it is too large.
    pub fn whole_file(file: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            field: String::new(),
            message: message.into(),
            fix: fix.into(),
        }
    }
}

impl fmt::Display for Problem {
    /// `file:line:column: field: message; fix`, with `warning:` before the field where it is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

/// More problems of one kind in one source are counted, not listed.
pub const MAX_LISTED: usize = 1000;

/// Longer messages are cut in the middle: they hold text of the source, which may have any length.
const MAX_MESSAGE: usize = 600;

/// Where the problems of one source are collected.
#[derive(Debug, Default)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
    errors: usize,
    warnings: usize,
    stopped: bool,
}

impl Problems {
    /// An empty list for the source of this name.
    pub fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..Self::default()
        }
    }

    /// Adds an error.
    pub fn error(&mut self, at: Place, field: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Error, at, field, message.into(), fix.into());
    }

    /// Adds a warning.
    pub fn warning(&mut self, at: Place, field: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Warning, at, field, message.into(), fix.into());
    }

    fn add(&mut self, severity: Severity, at: Place, field: &str, message: String, fix: String) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count > MAX_LISTED {
            return;
        }
        self.list.push(Problem {
            severity,
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            field: shortened(field.to_owned()),
            message: shortened(message),
            fix: shortened(fix),
        });
    }

    /// How many errors there are so far.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Whether further errors are only counted.
    pub fn is_full(&self) -> bool {
        self.errors >= MAX_LISTED
    }

    /// Notes that reading ended because there are too many mistakes.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// The list, in the order of finding; where some were only counted, that is said at the end.
    pub fn into_list(self) -> Vec<Problem> {
        let mut list = self.list;
        if self.stopped {
            list.extend(list.last().map(|last| {
                last.note(
                    "too many mistakes: the rest is not read".to_owned(),
                    Severity::Error,
                )
            }));
        }
        for (severity, count, what) in [
            (Severity::Error, self.errors, "mistakes"),
            (Severity::Warning, self.warnings, "warnings"),
        ] {
            if let Some(more) = count.checked_sub(MAX_LISTED).filter(|more| *more > 0) {
                let message = format!("{more} more {what} are not listed");
                list.extend(list.last().map(|last| last.note(message, severity)));
            }
        }
        list
    }
}

/// A text of bounded length: beginning and end of a long one.
fn shortened(text: String) -> String {
    if text.len() <= MAX_MESSAGE {
        return text;
    }
    let part = |at: usize| {
        (at..text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len())
    };
    let (head, tail) = (part(MAX_MESSAGE / 2), part(text.len() - MAX_MESSAGE / 2));
    format!("{} ... {}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_cut() {
        let mut problems = Problems::new("f");
        for n in 0..MAX_LISTED + 7 {
            problems.error(
                Place {
                    line: n + 1,
                    column: 1,
                },
                "a",
                "é".repeat(5000),
                "",
            );
        }
        assert!(problems.is_full());
        assert_eq!(problems.errors(), MAX_LISTED + 7);
        let list = problems.into_list();
        assert_eq!(list.len(), MAX_LISTED + 1);
        assert!(list.iter().all(|p| p.is_error() && p.message.len() < 700));
        assert!(
            list.last()
                .is_some_and(|p| p.message == "7 more mistakes are not listed")
        );
    }
}
