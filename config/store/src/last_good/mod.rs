//! The last good resources on disk, so that a node boots while its store is away or its text is bad.
//!
//! What is kept are the raw items, not what they were understood as: a later version reads them with its own eyes.
//! `record` is the form on disk (pure), `keeper` the task that writes it when something good and new came, and
//! [`Memory`] what an agent finds when it starts. A live state always wins over what was kept; a damaged file is
//! said and set aside, never half of it applied.

mod keeper;
mod record;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use config::problem::Severity;
use config::{Intent, Problem, Rules, Source, load_with};
use datastore::SpaceView;

use crate::state::StoreState;

pub(crate) use keeper::keep;
pub use record::{FORMAT, Saved, Unreadable};

/// Name of the file in `stateDir`.
pub const FILE: &str = "intent.json";

/// What the node's disk has to say at a start.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Where it is kept; nowhere for the command line.
    pub(crate) file: Option<PathBuf>,
    /// What was kept and is fit to start from.
    pub(crate) saved: Option<(Saved, Intent)>,
    /// Why nothing is, if something was there.
    pub(crate) complaint: Option<Problem>,
}

impl Memory {
    /// Reads what was kept. Whatever is wrong with it is a complaint, never an error: the agent starts.
    pub(crate) async fn open(state_dir: Option<&Path>, kind: &'static str, rules: Rules) -> Memory {
        let Some(file) = state_dir.map(|dir| dir.join(FILE)) else {
            return Memory::default();
        };
        let path = file.clone();
        let read = tokio::task::spawn_blocking(move || read(&path, kind, rules)).await;
        let (saved, complaint) = match read {
            Ok(Ok(saved)) => (saved, None),
            Ok(Err(why)) => (None, Some(complaint(&file, &why.to_string(), why.fix()))),
            Err(_) => {
                let fix = "report this, with the file";
                (None, Some(complaint(&file, "reading it failed; ignored", fix)))
            }
        };
        Memory {
            file: Some(file),
            saved,
            complaint,
        }
    }

    /// The state to start from.
    pub(crate) fn state(&self, now: SystemTime) -> StoreState {
        let state = match &self.saved {
            Some((saved, intent)) => StoreState::from_last_good(intent.clone(), saved.saved, now),
            None => StoreState::empty(now),
        };
        state.with_upkeep(self.complaint.clone())
    }
}

/// A warning about the file: the agent goes on without it.
pub(crate) fn complaint(file: &Path, message: &str, fix: &str) -> Problem {
    Problem {
        severity: Severity::Warning,
        ..Problem::whole_file(&file.display().to_string(), message, fix)
    }
}

/// The sources of a view, one for each item, named `what Kind/name`.
pub fn sources_of(view: &SpaceView, what: &str) -> Vec<Source> {
    let source = |(key, item): (&datastore::Key, &datastore::Item)| Source {
        name: format!("{what} {key}"),
        text: item.value.to_string(),
    };
    view.items.iter().map(source).collect()
}

fn read(path: &Path, kind: &str, rules: Rules) -> Result<Option<(Saved, Intent)>, Unreadable> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Unreadable::Io(error.to_string())),
    };
    let saved = Saved::decode(&bytes)?;
    if saved.kind != kind {
        return Err(Unreadable::OtherStore {
            kind: saved.kind,
            location: saved.location,
        });
    }
    let loaded = load_with(&sources_of(&saved.view, "last good"), rules);
    match (loaded.intent, loaded.problems.into_iter().find(Problem::is_error)) {
        (Some(intent), _) => Ok(Some((saved, intent))),
        (None, Some(first)) => Err(Unreadable::Refused(first.to_string())),
        (None, None) => Err(Unreadable::Refused("it makes no intent".to_owned())),
    }
}
