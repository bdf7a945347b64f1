//! One agent for each node: whoever answers on the socket owns the node's kernel state.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;

/// Refuses a second agent: whoever answers on the socket owns this node's kernel state.
pub fn refuse_if_running(socket: &Path) -> anyhow::Result<()> {
    let client = config::api::Client::new(socket).with_timeout(Duration::from_secs(2));
    match client.get::<serde_json::Value>("/v1/status") {
        Err(config::api::ClientError::Absent { .. }) => Ok(()),
        _ => bail!(
            "an agent runs already and answers on {}; stop it first",
            socket.display()
        ),
    }
}
