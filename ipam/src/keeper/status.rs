//! What the keeper says about itself, for `status`, metrics and the log.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::cluster::Hopeless;

/// Something that is so since a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// What, in words for the operator.
    pub text: String,
    /// Since when without a break.
    pub since: SystemTime,
}

/// The last transaction that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCommit {
    /// What it was for.
    pub purpose: String,
    /// When its answer came.
    pub at: SystemTime,
}

/// The keeper at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeeperStatus {
    /// Whether the ownership of blocks is known from the store, and the ledger of this node is too.
    pub synced: bool,
    /// The last transaction that was carried out.
    pub last_commit: Option<LastCommit>,
    /// Transactions carried out.
    pub commits: u64,
    /// The same by what they were for.
    pub commits_by_kind: BTreeMap<&'static str, u64>,
    /// Transactions refused because something had moved meanwhile. They are decided anew.
    pub conflicts: u64,
    /// Transactions that did not reach the store. They are decided anew, later.
    pub retries: u64,
    /// Transactions whose answer was lost. The store is read before anything else is decided.
    pub unknown: u64,
    /// What is wrong with the ownership of blocks and addresses.
    pub troubles: Vec<Since>,
    /// Wishes of pods that waiting does not help, with why: an ADD that waits for one may give up.
    pub hopeless: Vec<Hopeless>,
    /// What is waited for, if anything: a store that is away, or a view that is behind.
    pub waiting: Option<Since>,
    /// The mirror of the ledger.
    pub mirror: MirrorStatus,
}

/// The mirror at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MirrorStatus {
    /// Records of this node that are known to be in the store.
    pub records: usize,
    /// Records that differ from the ledger and are about to be written or removed.
    pub behind: usize,
    /// Why it does not go on.
    pub problem: Option<Since>,
    /// Addresses of which another node has the record as well: double use. Never overwritten.
    pub doubles: Vec<Since>,
}

/// Remembers since when each of several texts holds.
#[derive(Debug, Default)]
pub(crate) struct SinceSet {
    known: BTreeMap<String, SystemTime>,
}

impl SinceSet {
    /// Sets what holds now; what held before keeps its time. Returns what is new.
    pub(crate) fn set(&mut self, texts: impl IntoIterator<Item = String>, now: SystemTime) -> Vec<String> {
        let before = std::mem::take(&mut self.known);
        let mut new = Vec::new();
        for text in texts {
            let since = before.get(&text).copied().unwrap_or_else(|| {
                new.push(text.clone());
                now
            });
            self.known.insert(text, since);
        }
        new
    }

    /// All, by text.
    pub(crate) fn list(&self) -> Vec<Since> {
        let entry = |(text, since): (&String, &SystemTime)| Since {
            text: text.clone(),
            since: *since,
        };
        self.known.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_goes_on_keeps_its_time_and_what_is_new_is_told() {
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        let mut set = SinceSet::default();
        assert_eq!(set.set(["a".to_owned(), "b".to_owned()], at(1)), ["a", "b"]);
        assert_eq!(set.set(["b".to_owned(), "c".to_owned()], at(2)), ["c"]);
        let times: Vec<_> = set.list().into_iter().map(|s| (s.text, s.since)).collect();
        assert_eq!(times, [("b".to_owned(), at(1)), ("c".to_owned(), at(2))]);
        assert_eq!(set.set(Vec::new(), at(3)), Vec::<String>::new());
        assert_eq!(set.list(), []);
    }
}
