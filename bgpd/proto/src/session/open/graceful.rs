//! What both OPENs say of restarts (RFC 4724 §3, RFC 8538 §2, RFC 9494 §3). Of a capability that is there more than once the
//! last one counts.

use crate::types::{Family, PerFamily};
use crate::wire::{Capability, GracefulFamily};
use std::time::Duration;

/// What follows for the peer's restarts.
#[derive(Debug, Default)]
pub struct Restart {
    /// Both announced graceful restart; nothing of the rest holds without.
    pub agreed: bool,
    /// R bit of the peer.
    pub restarted: bool,
    /// N bit of both.
    pub notification: bool,
    pub time: Duration,
    /// Families that the peer lists.
    pub families: Vec<Family>,
    /// Of these, those that have not lost their forwarding.
    pub kept: Vec<Family>,
    pub long_lived: PerFamily<Option<(u32, bool)>>,
    pub takes_stale: bool,
}

/// Compares both lists, for the `common` families.
pub fn agree(local: &[Capability], remote: &[Capability], common: &[Family]) -> Restart {
    let (Some(ours), Some(theirs)) = (graceful(local), graceful(remote)) else {
        return Restart::default();
    };
    let those = |wanted: &dyn Fn(&GracefulFamily) -> bool| -> Vec<Family> {
        let is = |family: &Family| theirs.families.iter().any(|f| f.family == *family && wanted(f));
        common.iter().copied().filter(is).collect()
    };
    Restart {
        agreed: true,
        restarted: theirs.restarting,
        notification: ours.notification && theirs.notification,
        time: Duration::from_secs(u64::from(theirs.time)),
        families: those(&|_| true),
        kept: those(&|family| family.forwarding_kept || !theirs.restarting),
        long_lived: long_lived(local, remote, common, theirs.restarting),
        takes_stale: remote.iter().any(|c| matches!(c, Capability::LongLived(_))),
    }
}

/// The capability of graceful restart, taken apart.
struct Graceful<'a> {
    restarting: bool,
    notification: bool,
    time: u16,
    families: &'a [GracefulFamily],
}

fn graceful(list: &[Capability]) -> Option<Graceful<'_>> {
    list.iter().rev().find_map(|c| match c {
        Capability::GracefulRestart {
            restarting,
            notification,
            time,
            families,
        } => Some(Graceful {
            restarting: *restarting,
            notification: *notification,
            time: *time,
            families,
        }),
        _ => None,
    })
}

/// Families that both list; the time and the F bit are the peer's, which has lost nothing where it has not restarted.
fn long_lived(
    local: &[Capability],
    remote: &[Capability],
    common: &[Family],
    restarted: bool,
) -> PerFamily<Option<(u32, bool)>> {
    let entry = |list: &[Capability], family: Family| {
        let last = list.iter().rev().find_map(|c| match c {
            Capability::LongLived(families) => Some(families.clone()),
            _ => None,
        });
        last.into_iter().flatten().find(|entry| entry.family == family)
    };
    let mut agreed = PerFamily::default();
    for family in common.iter().copied() {
        if let (Some(_), Some(theirs)) = (entry(local, family), entry(remote, family)) {
            *agreed.get_mut(family) = Some((theirs.time, theirs.forwarding_kept || !restarted));
        }
    }
    agreed
}
