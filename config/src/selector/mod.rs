//! Calico's selector language over labels: which nodes a peering or a pool is for.
//!
//! ```text
//! expression := and ("||" and)*            and := unary ("&&" unary)*
//! unary      := "!"* ( "(" expression ")" | "all()" | "global()" | "has(" label ")" | label operation )
//! operation  := ("==" | "!=" | "contains" | "starts with" | "ends with") string
//!             | ("in" | "not in") "{" [ string ("," string)* ] "}"
//! ```
//!
//! Strings stand in single or double quotes and know no escapes. A label that is absent fulfils `!=` and
//! `not in`, and no other operation. The empty selector is `all()`. Text becomes tokens (`lexer.rs`), tokens
//! become an expression (`parser.rs`, depth-limited), and [`Selector::matches`] evaluates it.

mod error;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

pub use error::SelectorError;

use std::fmt;
use std::str::FromStr;

use crate::vocabulary::Labels;
use parser::{Expr, Operation};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A parsed selector; prints as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    expr: Expr,
}

impl Selector {
    /// The selector that matches everything.
    pub fn all() -> Self {
        Self {
            text: "all()".to_owned(),
            expr: Expr::All,
        }
    }

    /// Whether these labels fulfil the selector.
    pub fn matches(&self, labels: &Labels) -> bool {
        evaluate(&self.expr, labels)
    }
}

impl Default for Selector {
    fn default() -> Self {
        Self::all()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let expr = parser::parse(text)?;
        Ok(Self {
            text: text.trim().to_owned(),
            expr,
        })
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

fn evaluate(expr: &Expr, labels: &Labels) -> bool {
    match expr {
        Expr::All => true,
        Expr::Has(label) => labels.contains_key(label),
        Expr::Not(inner) => !evaluate(inner, labels),
        Expr::Any(parts) => parts.iter().any(|part| evaluate(part, labels)),
        Expr::Every(parts) => parts.iter().all(|part| evaluate(part, labels)),
        Expr::Label(label, operation) => {
            let value = labels.get(label);
            match operation {
                Operation::Equal(wanted) => value == Some(wanted),
                Operation::NotEqual(unwanted) => value != Some(unwanted),
                Operation::In(set) => value.is_some_and(|v| set.contains(v)),
                Operation::NotIn(set) => !value.is_some_and(|v| set.contains(v)),
                Operation::Contains(part) => value.is_some_and(|v| v.contains(part)),
                Operation::StartsWith(part) => value.is_some_and(|v| v.starts_with(part)),
                Operation::EndsWith(part) => value.is_some_and(|v| v.ends_with(part)),
            }
        }
    }
}
