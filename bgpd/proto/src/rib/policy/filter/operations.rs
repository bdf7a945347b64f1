//! What a rule changes on a route that it accepts.

use super::conditions::AnyCommunity;
use crate::types::Asn;
use crate::wire::{AsPath, PathAttributes};
use std::fmt;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Adds a community, where it is not there already.
    AddCommunity(AnyCommunity),
    /// Puts these numbers before the AS_PATH, as they are written.
    PrependAsPath(Vec<Asn>),
    /// Sets the metric of the route in the kernel; says nothing to other speakers.
    SetPriority(u32),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::AddCommunity(community) => write!(f, "adds the community {community}"),
            Operation::PrependAsPath(asns) => {
                write!(
                    f,
                    "puts {} before the AS path",
                    AsPath::sequence(asns.iter().copied())
                )
            }
            Operation::SetPriority(value) => write!(f, "sets the priority to {value}"),
        }
    }
}

/// Carries the operations out, one after the other.
pub fn apply(operations: &[Operation], attributes: &mut PathAttributes) {
    for operation in operations {
        match operation {
            Operation::AddCommunity(AnyCommunity::Standard(community)) => {
                insert(&mut attributes.communities, *community);
            }
            Operation::AddCommunity(AnyCommunity::Large(community)) => {
                insert(&mut attributes.large_communities, *community);
            }
            Operation::PrependAsPath(asns) => {
                for asn in asns.iter().rev() {
                    attributes.as_path = attributes.as_path.prepended(*asn);
                }
            }
            Operation::SetPriority(_) => {}
        }
    }
}

/// Lists of communities are sorted and without repeats.
pub fn insert<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(place) = list.binary_search(&item) {
        list.insert(place, item);
    }
}
