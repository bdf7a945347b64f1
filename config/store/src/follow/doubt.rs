//! Whether a silent watch is still alive. Pure.
//!
//! One item after the other is read again and compared with the view. One that differs may only be news that
//! the watch is about to bring; if it still differs a moment later and the watch has brought nothing, the
//! watch is dead, whatever its connection says.

use std::time::Duration;

use config::fields::ResourceKind;
use datastore::{Item, Key, Space, SpaceView};

/// What to do after a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well.
    Fine,
    /// Look again at the same key after this time.
    Again(Duration),
    /// The watch has missed something: list anew.
    Dead,
}

/// What the checks saw so far.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    last: Option<Key>,
    suspect: Option<Key>,
}

/// How long news may take from the store to the watch.
pub(super) const GRACE: Duration = Duration::from_secs(3);

impl Doubt {
    /// The key to read next: the suspect, else the one after the last, else one that any store can answer.
    pub(super) fn key(&mut self, space: Space, view: &SpaceView) -> Key {
        if let Some(suspect) = &self.suspect {
            return suspect.clone();
        }
        let after = |last: &Key| {
            use std::ops::Bound::{Excluded, Unbounded};
            let next = view.items.range((Excluded(last.clone()), Unbounded)).next();
            next.map(|(key, _)| key.clone())
        };
        let next = self.last.as_ref().and_then(after);
        let next = next.or_else(|| view.items.keys().next().cloned());
        self.last.clone_from(&next);
        next.unwrap_or_else(|| match space {
            Space::Resources => Key::resource(ResourceKind::BgpConfiguration, "default"),
            _ => Key::Presence("none".to_owned()),
        })
    }

    /// The watch brought something: it is alive.
    pub(super) fn heard(&mut self) {
        self.suspect = None;
    }

    /// What a key was read as, against the view.
    pub(super) fn compare(&mut self, key: &Key, found: Option<&Item>, view: &SpaceView) -> Verdict {
        let known = view.items.get(key).map(|item| &item.version);
        if known == found.map(|item| &item.version) {
            self.suspect = None;
            Verdict::Fine
        } else if self.suspect.as_ref() == Some(key) {
            self.suspect = None;
            Verdict::Dead
        } else {
            self.suspect = Some(key.clone());
            Verdict::Again(GRACE)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datastore::{Incarnation, Revision, Version};

    use super::*;

    fn item(name: &str, version: &str) -> Item {
        Item {
            key: Key::resource(ResourceKind::Node, name),
            value: Arc::from("{}"),
            version: Version::new(version),
            incarnation: Incarnation::new("1"),
        }
    }

    fn view(items: &[Item]) -> SpaceView {
        SpaceView {
            items: items
                .iter()
                .map(|item| (item.key.clone(), item.clone()))
                .collect(),
            revision: Revision::new("1"),
        }
    }

    #[test]
    fn every_item_has_its_turn() {
        let view = view(&[item("a", "1"), item("b", "1"), item("c", "1")]);
        let mut doubt = Doubt::default();
        let mut turn = || doubt.key(Space::Resources, &view).name();
        let turns: Vec<String> = (0..4).map(|_| turn()).collect();
        assert_eq!(turns, ["a", "b", "c", "a"]);
        let empty = SpaceView {
            items: Default::default(),
            ..view
        };
        assert_eq!(Doubt::default().key(Space::Resources, &empty).name(), "default");
    }

    #[test]
    fn only_a_difference_that_stays_is_a_dead_watch() {
        let known = view(&[item("a", "1")]);
        let (key, newer) = (Key::resource(ResourceKind::Node, "a"), item("a", "2"));
        let mut doubt = Doubt::default();
        assert_eq!(doubt.compare(&key, Some(&item("a", "1")), &known), Verdict::Fine);
        assert_eq!(doubt.compare(&key, Some(&newer), &known), Verdict::Again(GRACE));
        assert_eq!(doubt.key(Space::Resources, &known), key, "the same again");
        doubt.heard();
        assert_eq!(
            doubt.compare(&key, Some(&newer), &known),
            Verdict::Again(GRACE),
            "late"
        );
        assert_eq!(
            doubt.compare(&key, None, &known),
            Verdict::Dead,
            "gone, and nothing heard"
        );
        assert_eq!(
            doubt.compare(&key, None, &known),
            Verdict::Again(GRACE),
            "a new doubt"
        );
        assert_eq!(doubt.compare(&key, None, &view(&[])), Verdict::Fine, "it came");
    }
}
