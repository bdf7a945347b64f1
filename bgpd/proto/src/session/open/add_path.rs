//! Several paths for each prefix: which way, in which family (RFC 7911 §4).

use crate::types::{Family, PerFamily};
use crate::wire::{AddPathMode, Capability};

/// In which families paths flow; each direction is a matter of its own.
#[derive(Debug, Default)]
pub struct Paths {
    /// From the peer.
    pub receive: PerFamily<bool>,
    /// To the peer.
    pub send: PerFamily<bool>,
}

/// One side can send and the other can receive.
pub fn agree(local: &[Capability], remote: &[Capability], common: &[Family]) -> Paths {
    let mut paths = Paths::default();
    for family in common.iter().copied() {
        if let (Some(ours), Some(theirs)) = (mode(local, family), mode(remote, family)) {
            *paths.receive.get_mut(family) = ours != AddPathMode::Send && theirs != AddPathMode::Receive;
            *paths.send.get_mut(family) = ours != AddPathMode::Receive && theirs != AddPathMode::Send;
        }
    }
    paths
}

/// What a side can do in a family; of several entries the last one counts.
fn mode(list: &[Capability], family: Family) -> Option<AddPathMode> {
    let entries = list.iter().filter_map(|c| match c {
        Capability::AddPath(entries) => Some(entries),
        _ => None,
    });
    entries
        .flatten()
        .filter(|(of, _)| *of == family)
        .map(|(_, mode)| *mode)
        .next_back()
}
