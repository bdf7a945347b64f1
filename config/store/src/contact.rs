//! Whether the datastore is in reach, and since when it is not. Pure.
//!
//! Each followed space tells what it saw; the store counts as away while one of them is, since the first of them is.

use std::collections::BTreeMap;
use std::time::SystemTime;

use datastore::Space;

/// How the store is reached at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// `file`, `etcd` or `kubernetes`.
    pub kind: &'static str,
    /// Where it is: a path, or addresses; never a secret.
    pub location: String,
    /// Since when it has been away; none while it is in reach.
    pub away_since: Option<SystemTime>,
    /// What was seen last of why it is away.
    pub problem: Option<String>,
    /// When it last answered; none if it never did.
    pub last_seen: Option<SystemTime>,
}

impl Contact {
    /// Before anything was tried.
    pub fn new(kind: &'static str, location: impl Into<String>) -> Self {
        Contact {
            kind,
            location: location.into(),
            away_since: None,
            problem: None,
            last_seen: None,
        }
    }

    /// Whether it is away.
    pub fn is_away(&self) -> bool {
        self.away_since.is_some()
    }
}

/// What the followers of the spaces saw, folded into one contact.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    contact: Contact,
    failing: BTreeMap<Space, (SystemTime, String)>,
}

impl Reach {
    pub(crate) fn new(contact: Contact) -> Self {
        Reach {
            contact,
            failing: BTreeMap::new(),
        }
    }

    /// The store answered about this space.
    pub(crate) fn seen(&mut self, space: Space, now: SystemTime) -> &Contact {
        self.failing.remove(&space);
        self.contact.last_seen = self.contact.last_seen.max(Some(now));
        self.fold()
    }

    /// It did not.
    pub(crate) fn lost(&mut self, space: Space, problem: String, now: SystemTime) -> &Contact {
        let since = self.failing.get(&space).map_or(now, |(since, _)| *since);
        self.failing.insert(space, (since, problem));
        self.fold()
    }

    fn fold(&mut self) -> &Contact {
        let first = self.failing.values().min_by_key(|(since, _)| *since);
        self.contact.away_since = first.map(|(since, _)| *since);
        self.contact.problem = first.map(|(_, problem)| problem.clone());
        &self.contact
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn away_begins_with_the_first_loss_and_ends_with_the_last_return() {
        enum Event {
            Seen(Space),
            Lost(Space, &'static str),
        }
        use Event::{Lost, Seen};
        let (resources, ownership) = (Space::Resources, Space::Ownership);
        // Event at second n, and what the contact says then: away since, problem, last seen.
        let table = [
            (Lost(resources, "refused"), Some(1), Some("refused"), None),
            (Lost(resources, "timeout"), Some(1), Some("timeout"), None),
            (Seen(resources), None, None, Some(3)),
            (Lost(ownership, "no leader"), Some(4), Some("no leader"), Some(3)),
            (Seen(resources), Some(4), Some("no leader"), Some(5)),
            (Lost(resources, "reset"), Some(4), Some("no leader"), Some(5)),
            (Seen(ownership), Some(6), Some("reset"), Some(7)),
            (Seen(resources), None, None, Some(8)),
        ];
        let mut reach = Reach::new(Contact::new("etcd", "x"));
        for (second, (event, away, problem, seen)) in (1..).zip(table) {
            let contact = match event {
                Seen(space) => reach.seen(space, at(second)),
                Lost(space, why) => reach.lost(space, why.to_owned(), at(second)),
            };
            let said = (contact.away_since, contact.problem.as_deref(), contact.last_seen);
            assert_eq!(said, (away.map(at), problem, seen.map(at)), "second {second}");
        }
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_unsee() {
        let mut reach = Reach::new(Contact::new("etcd", "x"));
        reach.seen(Space::Resources, at(9));
        assert_eq!(reach.seen(Space::Resources, at(2)).last_seen, Some(at(9)));
    }
}
