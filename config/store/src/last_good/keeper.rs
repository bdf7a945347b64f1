//! The task that writes the last good resources: the latest only, and only what is new. A disk that is slow or
//! full holds up nobody but this task.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use datastore::SpaceView;
use tokio::sync::watch;

use super::record::Saved;
use super::{Memory, complaint};
use crate::disk;
use crate::state::StoreState;

/// Between two writings, so that a busy store does not wear the disk out; and before a failed one is tried again.
const PAUSE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(30);

/// Writes what comes over `good` for as long as its sender lives, and tells over `state` when that fails.
pub(crate) async fn keep(
    memory: Memory,
    kind: &'static str,
    location: String,
    mut good: watch::Receiver<Option<Arc<SpaceView>>>,
    state: Arc<watch::Sender<Arc<StoreState>>>,
) {
    let Some(file) = memory.file else { return };
    let mut written = memory.saved.map(|(saved, _)| Arc::new(saved.view));
    let mut failed = memory.complaint.is_some();
    while good.changed().await.is_ok() {
        loop {
            let Some(view) = good.borrow_and_update().clone() else {
                break;
            };
            let same = written.as_ref().is_some_and(|old| old.items == view.items);
            if same && !failed {
                break;
            }
            let saved = Saved {
                saved: SystemTime::now(),
                kind: kind.to_owned(),
                location: location.clone(),
                view: SpaceView::clone(&view),
            };
            let problem = write(file.clone(), saved).await.err().map(|error| {
                let message = format!("the last good resources cannot be kept: {error}");
                let fix = "without them this node cannot start while its datastore is away: make room, or let the agent write there";
                complaint(&file, &message, fix)
            });
            failed = problem.is_some();
            if let Some(problem) = &problem {
                tracing::warn!("{problem}");
            } else {
                written = Some(view);
            }
            tell(&state, problem);
            if !failed {
                break;
            }
            // Again after a while, or at once when something newer came.
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                changed = good.changed() => if changed.is_err() { return },
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn tell(state: &watch::Sender<Arc<StoreState>>, problem: Option<config::Problem>) {
    state.send_if_modified(|state| {
        let next = state.with_upkeep(problem);
        let changed = **state != next;
        if changed {
            *state = Arc::new(next);
        }
        changed
    });
}

async fn write(file: PathBuf, saved: Saved) -> Result<(), String> {
    let work = move || {
        let bytes = saved.encode().map_err(|error| error.to_string())?;
        std::fs::create_dir_all(disk::folder(&file)).map_err(|error| error.to_string())?;
        disk::replace(&file, &bytes, 0o600).map_err(|error| error.to_string())
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(error.to_string()),
    }
}
