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

/// Where the problems of one source are collected.
#[derive(Debug, Default)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    /// An empty list for the source of this name.
    pub fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            list: Vec::new(),
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
        let (file, field) = (self.file.clone(), field.to_owned());
        self.list.push(Problem {
            severity,
            file,
            line: at.line,
            column: at.column,
            field,
            message,
            fix,
        });
    }

    /// How many errors there are so far.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|p| p.is_error()).count()
    }

    /// The list, in the order of finding.
    pub fn into_list(self) -> Vec<Problem> {
        self.list
    }
}
