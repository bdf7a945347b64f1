//! The moment of a space: one `resourceVersion` for each kind in it, joined in one text.
//!
//! Kubernetes numbers the changes of all objects in one row, but promises it for one kind only; so each kind
//! is watched from its own mark.

use std::collections::BTreeMap;

use datastore::Revision;

/// One `resourceVersion` a kind, by [`super::kinds::Kind::resource`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks(BTreeMap<String, String>);

impl Marks {
    /// The marks in a revision; none if it is not one of ours.
    pub fn parse(revision: &Revision) -> Option<Marks> {
        let pairs = revision.as_str().split(',').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (resource, version) = pair.split_once('=')?;
            (!version.is_empty()).then(|| (resource.to_owned(), version.to_owned()))
        };
        pairs.map(pair).collect::<Option<_>>().map(Marks)
    }

    /// The mark of a kind.
    pub fn get(&self, resource: &str) -> Option<&str> {
        self.0.get(resource).map(String::as_str)
    }

    /// Moves a kind on.
    pub fn set(&mut self, resource: String, version: String) {
        self.0.insert(resource, version);
    }

    /// The text.
    pub fn revision(&self) -> Revision {
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(resource, version)| format!("{resource}={version}"))
            .collect();
        Revision::new(pairs.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back() {
        let mut marks = Marks::default();
        marks.set("nodes".into(), "7".into());
        marks.set("ippools.roadbed.dev".into(), "12".into());
        let revision = marks.revision();
        assert_eq!(revision.as_str(), "ippools.roadbed.dev=12,nodes=7");
        assert_eq!(Marks::parse(&revision), Some(marks));
    }

    #[test]
    fn what_is_no_revision_of_ours_is_not_read() {
        for text in ["12", "nodes=", "nodes"] {
            assert_eq!(Marks::parse(&Revision::new(text)), None, "{text}");
        }
    }
}
