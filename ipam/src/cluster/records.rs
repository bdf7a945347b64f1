//! What stands in the datastore about ownership: one small JSON object for each key, with a format number.
//!
//! A record of a newer format is never read as something else and never overwritten: its key counts as taken.
//! Fields that this version does not know are kept and written back.

use std::fmt;
use std::net::IpAddr;

use config::NodeName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lease::Lease;

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Why a record was not read. Its key counts as taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A later version wrote it.
    #[error(
        "it has format {found}, and this version reads formats up to {FORMAT}; run the version that wrote it, or a later one"
    )]
    Newer {
        /// The format number in the record.
        found: u64,
    },
    /// It is no such record.
    #[error("it is damaged ({detail}); look at it, and delete it if nothing uses what it is about")]
    Damaged {
        /// What is wrong with it.
        detail: String,
    },
}

/// Fields of a later version of the same format.
pub type Unknown = Map<String, Value>;

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// [`FORMAT`].
            pub format: u32,
            $($(#[$field_doc])* pub $field: $type,)*
            /// What this version does not know.
            #[serde(flatten)]
            pub unknown: Unknown,
        }

        impl $name {
            /// Reads a record.
            ///
            /// # Errors
            /// [`RecordError`] where it is newer or no such record.
            pub fn parse(text: &str) -> Result<Self, RecordError> {
                parse(text)
            }

            /// The text to be written.
            pub fn to_text(&self) -> String {
                // Maps of text keys always have a JSON form.
                serde_json::to_string(self).unwrap_or_default()
            }
        }
    };
}

record! {
    /// Who owns a block. The record exists if and only if the block is owned.
    BlockRecord {
        /// Name of its pool.
        pool: String,
        /// The owner.
        node: NodeName,
        /// Which life of the owner's `Node` resource claimed it.
        incarnation: String,
    }
}

record! {
    /// Whom the blocks inside a range belong to; under the range of a whole pool: how that pool is laid out.
    AggregateRecord {
        /// Name of its pool.
        pool: String,
        /// For an aggregate: the label that the owners of its blocks share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// The value of that label; empty for nodes without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        /// For a whole pool: prefix length of its blocks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block_size: Option<u8>,
        /// For a whole pool: prefix length of its aggregates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        aggregate_size: Option<u8>,
    }
}

/// How far a loan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoanState {
    /// The borrower asks.
    Asked,
    /// The lender has set the address aside.
    Lent,
    /// The borrower has taken it.
    Held,
    /// The lender does not lend it.
    Refused,
}

impl fmt::Display for LoanState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoanState::Asked => "asked for",
            LoanState::Lent => "lent",
            LoanState::Held => "held",
            LoanState::Refused => "refused",
        })
    }
}

record! {
    /// One address of a block on loan to another node.
    LoanRecord {
        /// The address.
        address: IpAddr,
        /// The owner of the block.
        lender: NodeName,
        /// Its incarnation.
        lender_incarnation: String,
        /// Who has the address, or wants it.
        borrower: NodeName,
        /// Its incarnation.
        borrower_incarnation: String,
        /// `namespace.name` of the pod that takes its sticky address along.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workload: Option<String>,
        /// How far it is.
        state: LoanState,
        /// Why it was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    }
}

record! {
    /// The addresses that follow a workload.
    StickyRecord {
        /// `namespace.name` of its pod.
        workload: String,
        /// At most one of each family.
        addresses: Vec<IpAddr>,
        /// Where it last got them.
        node: NodeName,
    }
}

record! {
    /// That an agent lives. The key lasts as long as its lease.
    PresenceRecord {
        /// The node.
        node: NodeName,
        /// Its incarnation, where it has a `Node` resource.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incarnation: Option<String>,
    }
}

record! {
    /// One address of a lease: the mirror of a node's ledger.
    AddressRecord {
        /// The address.
        address: IpAddr,
        /// The node that gave it out.
        node: NodeName,
        /// Its incarnation.
        incarnation: String,
        /// The whole lease, so that a ledger that was lost can be made anew.
        lease: Lease,
    }
}

impl BlockRecord {
    /// A block of `pool`, owned by this life of `node`.
    pub fn new(pool: impl Into<String>, node: NodeName, incarnation: impl Into<String>) -> Self {
        BlockRecord {
            format: FORMAT,
            pool: pool.into(),
            node,
            incarnation: incarnation.into(),
            unknown: Unknown::new(),
        }
    }
}

impl StickyRecord {
    /// Where the addresses of a workload are.
    pub fn new(workload: impl Into<String>, addresses: Vec<IpAddr>, node: NodeName) -> Self {
        StickyRecord {
            format: FORMAT,
            workload: workload.into(),
            addresses,
            node,
            unknown: Unknown::new(),
        }
    }
}

impl PresenceRecord {
    /// That the agent of a node lives.
    pub fn new(node: NodeName, incarnation: Option<String>) -> Self {
        PresenceRecord {
            format: FORMAT,
            node,
            incarnation,
            unknown: Unknown::new(),
        }
    }
}

impl AddressRecord {
    /// An address as a node gave it out.
    pub fn new(address: IpAddr, node: NodeName, incarnation: impl Into<String>, lease: Lease) -> Self {
        AddressRecord {
            format: FORMAT,
            address,
            node,
            incarnation: incarnation.into(),
            lease,
            unknown: Unknown::new(),
        }
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, RecordError> {
    let damaged = |error: serde_json::Error| RecordError::Damaged {
        detail: error.to_string(),
    };
    let value: Value = serde_json::from_str(text).map_err(damaged)?;
    match value.get("format").and_then(Value::as_u64) {
        Some(found) if found > u64::from(FORMAT) => Err(RecordError::Newer { found }),
        Some(found) if found > 0 => serde_json::from_value(value).map_err(damaged),
        _ => Err(RecordError::Damaged {
            detail: "it has no format number".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_come_back_with_what_they_do_not_know() {
        let text = r#"{"format":1,"pool":"pods","node":"node-a","incarnation":"7","shade":"blue"}"#;
        let record = BlockRecord::parse(text).unwrap();
        assert_eq!(record.unknown["shade"], "blue");
        assert_eq!(BlockRecord::parse(&record.to_text()), Ok(record.clone()));
        assert!(record.to_text().contains(r#""shade":"blue""#));
        let plain = BlockRecord::new("pods", "node-a".parse().unwrap(), "7");
        assert_eq!(
            plain.to_text(),
            r#"{"format":1,"pool":"pods","node":"node-a","incarnation":"7"}"#
        );
    }

    #[test]
    fn newer_and_damaged_records_say_so() {
        assert_eq!(
            BlockRecord::parse(r#"{"format":2,"owner":1}"#),
            Err(RecordError::Newer { found: 2 })
        );
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"format":0}"#,
            r#"{"format":"1"}"#,
            r#"{"format":1,"pool":"p","node":"Not A Name","incarnation":"1"}"#,
        ] {
            assert!(
                matches!(BlockRecord::parse(bad), Err(RecordError::Damaged { .. })),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,80}") {
            let _ = BlockRecord::parse(&text);
            let _ = LoanRecord::parse(&text);
        }
    }
}
