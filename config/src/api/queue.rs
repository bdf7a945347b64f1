//! DELs that wait on disk for an agent that is away: `<stateDir>/cni-queue`.
//!
//! The plugin writes one file for each attachment; the agent carries them out when it starts and before it serves
//! an ADD of the same attachment, and removes them. The plugin speaks to the agent once more after it has written:
//! an agent that came up meanwhile hears of it at once.

use std::path::{Path, PathBuf};

/// Where the queue is, in the agent's folder of state.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("cni-queue")
}
