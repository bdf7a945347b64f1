//! One verb at a time for one interface: runtimes repeat themselves, and what they sent first may still be under way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Whose turn it is, by the interface's name on the node.
#[derive(Default)]
pub(super) struct Turns(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// A turn that lasts until it is dropped.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Turns {
    /// Waits for the turn with this interface.
    pub(super) async fn take(&self, host_ifname: &str) -> Turn {
        self.of(host_ifname).lock_owned().await
    }

    /// The turn, if nobody has it at this moment.
    pub(super) fn take_if_free(&self, host_ifname: &str) -> Option<Turn> {
        self.of(host_ifname).try_lock_owned().ok()
    }

    fn of(&self, host_ifname: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Entries are few: calls that are under way.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(host_ifname.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[tokio::test]
    async fn a_turn_is_had_by_one_and_others_are_not_in_its_way() {
        let turns = Turns::default();
        let held = turns.take("rb1").await;
        assert!(turns.take_if_free("rb1").is_none());
        assert!(turns.take_if_free("rb2").is_some());
        drop(held);
        let again = turns.take_if_free("rb1");
        assert!(again.is_some());
    }
}
