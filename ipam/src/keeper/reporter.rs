//! Keeps the status current, and says in the log what is new in it.

use std::sync::Arc;
use std::time::SystemTime;

use datastore::Error;
use tokio::sync::watch;

use crate::cluster::{Decision, Purpose, Trouble};
use crate::keeper::status::{KeeperStatus, LastCommit, Since, SinceSet};

/// The writing end of the status. The keeper and the mirror have one each, of the same status.
#[derive(Clone)]
pub(crate) struct StatusSender(Arc<watch::Sender<Arc<KeeperStatus>>>);

impl StatusSender {
    pub(crate) fn new() -> (Self, watch::Receiver<Arc<KeeperStatus>>) {
        let (sender, receiver) = watch::channel(Arc::new(KeeperStatus::default()));
        (StatusSender(Arc::new(sender)), receiver)
    }

    fn change(&self, change: impl FnOnce(&mut KeeperStatus)) {
        self.0.send_if_modified(|status| {
            let before = status.clone();
            change(Arc::make_mut(status));
            *status != before
        });
    }

    /// Nothing is shared out here; the ledger was told so, or why not.
    pub(crate) fn alone(&self, problem: Option<String>) {
        let now = SystemTime::now();
        self.change(|status| {
            status.synced = problem.is_none();
            note(&mut status.waiting, problem, now);
        });
    }

    /// The state of the mirror.
    pub(crate) fn mirror(&self, records: usize, behind: usize, doubles: Vec<Since>) {
        self.change(|status| {
            status.mirror.records = records;
            status.mirror.behind = behind;
            status.mirror.doubles = doubles;
        });
    }

    /// Why the mirror does not go on; none when it does.
    pub(crate) fn mirror_problem(&self, text: Option<String>) {
        let now = SystemTime::now();
        self.change(|status| note(&mut status.mirror.problem, text, now));
    }
}

/// What the keeper's task reports.
pub(crate) struct Reporter {
    out: StatusSender,
    troubles: SinceSet,
}

impl Reporter {
    pub(crate) fn new(out: StatusSender) -> Self {
        Reporter {
            out,
            troubles: SinceSet::default(),
        }
    }

    /// A decision was made on a view.
    pub(crate) fn decided(&mut self, of_view: &[Trouble], decision: &Decision) {
        let texts = of_view.iter().chain(&decision.troubles).map(ToString::to_string);
        for new in self.troubles.set(texts, SystemTime::now()) {
            tracing::warn!("{new}");
        }
        let troubles = self.troubles.list();
        self.out.change(|status| {
            status.synced = true;
            status.troubles = troubles;
            if status.hopeless != decision.hopeless {
                status.hopeless.clone_from(&decision.hopeless);
            }
        });
    }

    pub(crate) fn waiting(&self, for_what: &str) {
        let text = format!("waits for {for_what}");
        self.wait(text);
    }

    /// Everything is as decided.
    pub(crate) fn settled(&self) {
        self.out.change(|status| status.waiting = None);
    }

    pub(crate) fn committed(&self, purpose: &Purpose) {
        let (kind, purpose, at) = (purpose.kind(), purpose.to_string(), SystemTime::now());
        self.out.change(|status| {
            status.commits += 1;
            *status.commits_by_kind.entry(kind).or_default() += 1;
            status.last_commit = Some(LastCommit { purpose, at });
            status.waiting = None;
        });
    }

    pub(crate) fn conflict(&self) {
        self.out.change(|status| status.conflicts += 1);
    }

    pub(crate) fn unknown(&self) {
        self.out.change(|status| status.unknown += 1);
    }

    /// The store did not do what it was asked.
    pub(crate) fn failed(&self, error: &Error) {
        if matches!(error, Error::Unavailable { .. } | Error::Full { .. }) {
            self.out.change(|status| status.retries += 1);
        }
        self.stuck(&error.to_string());
    }

    /// Something here stands in the way.
    pub(crate) fn stuck(&self, text: &str) {
        self.wait(text.to_owned());
    }

    fn wait(&self, text: String) {
        let now = SystemTime::now();
        self.out
            .change(|status| note(&mut status.waiting, Some(text), now));
    }
}

/// The wording of a failure may change from try to try; since when it goes on does not.
fn note(slot: &mut Option<Since>, text: Option<String>, now: SystemTime) {
    *slot = text.map(|text| Since {
        text,
        since: slot.as_ref().map_or(now, |before| before.since),
    });
}
