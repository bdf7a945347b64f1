//! Waiting for the speaker, which may not be there yet.

use bgpd::RibState;
use tokio::sync::watch;

/// Waits for the speaker's next change, or for ever where there is no speaker yet.
pub struct Wake(Option<watch::Receiver<RibState>>);

impl Wake {
    /// What was there before is seen.
    pub fn new(mut rib: Option<watch::Receiver<RibState>>) -> Self {
        if let Some(rib) = &mut rib {
            rib.mark_unchanged();
        }
        Wake(rib)
    }

    /// Waits.
    pub async fn changed(&mut self) {
        let changed = match &mut self.0 {
            Some(rib) => rib.changed().await.is_ok(),
            None => false,
        };
        if !changed {
            // No speaker yet, or it was replaced: the watch on the handle wakes us.
            std::future::pending().await
        }
    }
}
