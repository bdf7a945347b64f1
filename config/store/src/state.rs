//! What the datastore says at one moment, and how a new reading changes it. Pure.

use std::sync::Arc;
use std::time::SystemTime;

use config::{Intent, Loaded, Problem};

/// Where the intent of a state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The store gave it in this life of the agent.
    Live,
    /// The node's own disk: the store has not given a good one yet.
    LastGood {
        /// When it was saved.
        saved: SystemTime,
    },
}

/// The state of the datastore: complete, never half of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreState {
    /// The last good intent; none until there was one.
    pub intent: Option<Arc<Intent>>,
    /// Where that intent comes from.
    pub origin: Origin,
    /// What is wrong with the resources as they are now, or with keeping them; warnings too.
    pub problems: Vec<Problem>,
    /// Since when the text has been good, or bad, without a break.
    pub since: SystemTime,
    /// When the intent was read; none until there was one.
    pub good_since: Option<SystemTime>,
    /// Counts the intents: one that differs has a greater number. 0 is none.
    pub revision: u64,
    /// What is wrong with the copy on disk; it is among the problems as well.
    upkeep: Option<Problem>,
}

impl StoreState {
    /// Before anything was read.
    pub fn empty(now: SystemTime) -> Self {
        Self {
            intent: None,
            origin: Origin::Live,
            problems: Vec::new(),
            since: now,
            good_since: None,
            revision: 0,
            upkeep: None,
        }
    }

    /// What a node starts from while its store has not given anything good yet.
    pub fn from_last_good(intent: Intent, saved: SystemTime, now: SystemTime) -> Self {
        Self {
            intent: Some(Arc::new(intent)),
            origin: Origin::LastGood { saved },
            good_since: Some(saved),
            revision: 1,
            ..Self::empty(now)
        }
    }

    /// Whether the text as it is now is refused: what is applied is older than what is written.
    pub fn is_bad(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }

    /// The state after a reading.
    ///
    /// A text without a single resource does not replace an intent: it is what a truncated file or a wrong key
    /// prefix looks like.
    #[must_use]
    pub fn after(&self, loaded: Loaded, name: &str, now: SystemTime) -> Self {
        let Loaded { intent, mut problems } = loaded;
        let had_some = self
            .intent
            .as_deref()
            .is_some_and(|intent| *intent != Intent::default());
        let intent = match intent {
            Some(new) if new == Intent::default() && had_some => {
                let fix = "if this node is to have no routes, stop the agent, run `roadbed cleanup` and remove \
                           intent.json in stateDir, from which it would start again";
                let message = "holds no resources, the last good state stays";
                problems.push(Problem::whole_file(name, message, fix));
                None
            }
            other => other,
        };
        problems.extend(self.upkeep.clone());
        let mut next = Self {
            problems,
            ..self.clone()
        };
        if let Some(intent) = intent {
            if self.intent.as_deref() != Some(&intent) {
                next.intent = Some(Arc::new(intent));
                next.revision += 1;
            }
            next.origin = Origin::Live;
            next.good_since = Some(now);
        }
        let first = self.revision == 0 && self.problems.is_empty();
        if first || next.is_bad() != self.is_bad() {
            next.since = now;
        }
        next
    }

    /// The same with another complaint about the copy on disk; a warning, for nothing else is wrong by it.
    #[must_use]
    pub fn with_upkeep(&self, upkeep: Option<Problem>) -> Self {
        let mut next = self.clone();
        if let Some(old) = next.upkeep.take() {
            next.problems.retain(|problem| *problem != old);
        }
        next.problems.extend(upkeep.clone());
        next.upkeep = upkeep;
        next
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::{Source, load};

    use super::*;

    const NODE: &str = "{apiVersion: roadbed.dev/v1, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: 192.0.2.1}}}";

    fn loaded(text: &str) -> Loaded {
        load(&[Source {
            name: "f".to_owned(),
            text: text.to_owned(),
        }])
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_bad_text_keeps_the_last_good_intent() {
        let good = StoreState::empty(at(0)).after(loaded(NODE), "f", at(1));
        assert_eq!(
            (good.revision, good.since, good.good_since, good.is_bad()),
            (1, at(1), Some(at(1)), false)
        );
        let bad = good.after(loaded("{"), "f", at(2));
        assert_eq!(
            (bad.revision, bad.since, bad.good_since, bad.is_bad()),
            (1, at(2), Some(at(1)), true)
        );
        assert_eq!(bad.intent, good.intent);
        let worse = bad.after(loaded("["), "f", at(3));
        assert_eq!((worse.since, &worse.intent), (at(2), &good.intent));
        let again = worse.after(loaded(NODE), "f", at(4));
        assert_eq!((again.revision, again.since, again.problems.len()), (1, at(4), 0));
    }

    #[test]
    fn an_emptied_text_is_no_order_to_remove_everything() {
        let good = StoreState::empty(at(0)).after(loaded(NODE), "f", at(1));
        let emptied = good.after(loaded("# nothing\n"), "f", at(2));
        assert!(emptied.is_bad());
        assert_eq!(emptied.intent, good.intent);
        let empty_from_the_start = StoreState::empty(at(0)).after(loaded(""), "f", at(1));
        assert_eq!(
            (empty_from_the_start.revision, empty_from_the_start.is_bad()),
            (1, false)
        );
    }
}
