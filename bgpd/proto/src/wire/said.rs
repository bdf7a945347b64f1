//! What an attribute list says, in the form that it is stored in: a table is taken in and passed on without its hundred thousands
//! of lists ever being made into values. Values are made for whoever asks for them: filters, the looking glass, and all
//! that changes more of a list than a peer does that hands it on.

use super::canonical;
use super::path_attributes::PathAttributes;
use std::sync::OnceLock;

/// A list without faults, next hop and prefixes.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    octets: Box<[u8]>,
    values: OnceLock<PathAttributes>,
}

impl Said {
    /// What these octets say, which are canonical.
    pub fn stored(octets: &[u8]) -> Self {
        Self {
            octets: octets.into(),
            values: OnceLock::new(),
        }
    }

    /// The canonical octets: see [`canonical`].
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The same as values.
    pub fn values(&self) -> &PathAttributes {
        self.values.get_or_init(|| canonical::read(&self.octets))
    }
}

impl From<PathAttributes> for Said {
    fn from(values: PathAttributes) -> Self {
        let mut octets = Vec::with_capacity(128);
        canonical::write(&values, &mut octets);
        Self {
            octets: octets.into(),
            values: OnceLock::from(values),
        }
    }
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets
    }
}

impl Eq for Said {}
