//! The versions of the specification that we speak. Their order decides forms and verbs.

use crate::error::{CniError, Code};

/// A version of the CNI specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V0_3_0,
    V0_3_1,
    /// Brings CHECK, and `prevResult` at DEL.
    V0_4_0,
    /// Addresses no longer name their family.
    V1_0_0,
    /// Brings GC and STATUS; interfaces with an MTU, routes with attributes.
    V1_1_0,
}

/// The newest of them: in errors about a version that is not ours, and where no version is given.
pub const NEWEST: Version = Version::V1_1_0;

/// All of them, oldest first, as VERSION lists them.
pub const SUPPORTED: [Version; 5] = [
    Version::V0_3_0,
    Version::V0_3_1,
    Version::V0_4_0,
    Version::V1_0_0,
    Version::V1_1_0,
];

impl Version {
    /// As it is written in `cniVersion`.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::V0_3_0 => "0.3.0",
            Version::V0_3_1 => "0.3.1",
            Version::V0_4_0 => "0.4.0",
            Version::V1_0_0 => "1.0.0",
            Version::V1_1_0 => "1.1.0",
        }
    }

    /// `cniVersion`, if it is one of ours.
    pub fn parse(text: &str) -> Option<Version> {
        SUPPORTED.into_iter().find(|version| version.as_str() == text)
    }

    /// Refuses a verb that came with a later version.
    ///
    /// # Errors
    /// Code 1, as the specification's own library answers.
    pub fn has(self, verb: &str, since: Version) -> Result<(), CniError> {
        if self >= since {
            return Ok(());
        }
        let message = format!("CNI version {} has no {verb}", self.as_str());
        let details = format!("{verb} came with {}: set cniVersion to it", since.as_str());
        Err(CniError::new(Code::IncompatibleVersion, message, details))
    }
}

/// The error for a version that is not ours.
pub fn incompatible(asked: &str) -> CniError {
    let ours = SUPPORTED.map(Version::as_str).join(", ");
    CniError::new(
        Code::IncompatibleVersion,
        format!("CNI version {asked} is not supported"),
        format!("this plugin speaks {ours}: set cniVersion to one of these"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_and_read_back() {
        assert!(SUPPORTED.is_sorted());
        assert_eq!(SUPPORTED.last(), Some(&NEWEST));
        for version in SUPPORTED {
            assert_eq!(Version::parse(version.as_str()), Some(version));
        }
        assert_eq!(Version::parse("1.0"), None);
    }

    #[test]
    fn a_verb_of_a_later_version_is_refused() {
        assert!(Version::V0_4_0.has("CHECK", Version::V0_4_0).is_ok());
        let error = Version::V0_3_1.has("CHECK", Version::V0_4_0).unwrap_err();
        assert_eq!(error.code, Code::IncompatibleVersion);
        assert!(error.details.contains("0.4.0"), "{error:?}");
    }
}
