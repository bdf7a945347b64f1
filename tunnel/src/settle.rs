//! A tunnel that is new in the cluster is used a moment later than it is made.
//!
//! When a pool is given a tunnel, every node hears of it at its own moment, and makes its device then. A node that moved
//! its routes at once would send to nodes that have no device yet. So, where packets had a way before, they keep it until our
//! own device has been wanted for a while: by then the others have theirs. What a restart finds is not held back, nor is a
//! change between ways that were both possible all along, as `Auto` makes it. The counterpart, for what is given up, is
//! in `linger`. Pure: time is a parameter, counted from any fixed moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::encap::{Choice, Encapsulation, Reason};
use crate::family::Family;
use crate::model::Device;

/// Long enough for a change of a resource to reach every node, in all datastores.
pub const SETTLE: Duration = Duration::from_secs(2);

/// What was chosen before, and which devices are new.
#[derive(Debug)]
pub struct Settle<K> {
    after: Duration,
    /// Since when a device is wanted; `None`: since the first round of this run.
    wanted: BTreeMap<Device, Option<Duration>>,
    used: BTreeMap<K, Encapsulation>,
    started: bool,
}

impl<K: Ord> Settle<K> {
    /// Holds back for `after`, such as [`SETTLE`].
    pub fn new(after: Duration) -> Self {
        Self {
            after,
            wanted: BTreeMap::new(),
            used: BTreeMap::new(),
            started: false,
        }
    }

    /// Replaces those of the `choices` that use a device not settled yet by what was used before; a choice without a
    /// before stays. `devices` are all that are wanted now, `choices` is complete, each with its key (pool and node) and
    /// family. Gives the moment at which to ask again, if anything is held back.
    pub fn hold<'a>(
        &mut self,
        devices: &BTreeSet<Device>,
        choices: impl IntoIterator<Item = (K, Family, &'a mut Choice)>,
        now: Duration,
    ) -> Option<Duration> {
        let first = !self.started;
        self.started = true;
        self.wanted.retain(|device, _| devices.contains(device));
        for device in devices {
            self.wanted
                .entry(*device)
                .or_insert(if first { None } else { Some(now) });
        }
        let mut next: Option<Duration> = None;
        let mut used = BTreeMap::new();
        for (key, family, choice) in choices {
            let settled = self.settled(choice.encapsulation, family);
            if let Some(until) = settled.filter(|until| *until > now)
                && let Some(before) = self.used.get(&key)
                && *before != choice.encapsulation
            {
                *choice = Choice {
                    encapsulation: *before,
                    reason: Reason::Settling {
                        used: *before,
                        left: until - now,
                        wanted: Box::new(choice.reason.clone()),
                    },
                };
                next = Some(next.map_or(until, |next| next.min(until)));
            }
            used.insert(key, choice.encapsulation);
        }
        self.used = used;
        next
    }

    /// When the device of an encapsulation is settled; `None`: there is none, or it is not new.
    fn settled(&self, encapsulation: Encapsulation, family: Family) -> Option<Duration> {
        let device = match encapsulation {
            Encapsulation::Direct => return None,
            Encapsulation::Vxlan => Device::vxlan(family),
            Encapsulation::Ipip => Device::Ipip,
        };
        let since = self.wanted.get(&device).copied().flatten()?;
        Some(since + self.after)
    }
}

#[cfg(test)]
mod tests;
