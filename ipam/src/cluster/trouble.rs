//! What is wrong, and which wishes are in vain.

use std::fmt;

use crate::local::Want;

/// Something that is wrong until somebody does something about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// What it is about: a pool, a block, a record.
    pub subject: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Trouble {
    /// Trouble with `subject`.
    pub fn new(subject: impl Into<String>, message: impl Into<String>) -> Trouble {
        Trouble {
            subject: subject.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.message)
    }
}

/// A want that waiting does not help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hopeless {
    /// The want.
    pub want: Want,
    /// Why, and what would help.
    pub why: String,
}
