//! What is no longer wanted stays a while: the other side may still send to it, and routes may still lead into it.
//!
//! When a pool changes its encapsulation, or a path its choice, each node hears of it at its own moment, and routes are moved
//! after the tunnel's part is done. A device, forwarding entry or neighbour that went at once would take packets along that
//! are on their way. So the desired state is published to the owner as ever, complete; here what it left out since
//! the last one is put back until its time is over ([`Linger::effective`]). The first sweep of a run waits as long: what an
//! earlier run left is then as fresh. Pure: time is a parameter, counted from any fixed moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::family::Family;
use crate::model::{DesiredTunnels, Device, IpipDevice, Remote, RemoteKey, VxlanDevice};

/// What is kept, and until when.
#[derive(Debug, Default)]
pub struct Linger {
    keep: Duration,
    wanted: Arc<DesiredTunnels>,
    vxlan: BTreeMap<Device, (VxlanDevice, Duration)>,
    ipip: Option<(IpipDevice, Duration)>,
    remotes: BTreeMap<RemoteKey, (Remote, Duration)>,
    /// When the first sweep of this run may be made.
    sweep: Option<Duration>,
}

impl Linger {
    /// Keeps for `keep`; with zero, for no time at all.
    pub fn new(keep: Duration) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// Takes a new desired state: what only the one before had is kept from `now` on.
    pub fn take(&mut self, desired: Arc<DesiredTunnels>, now: Duration) {
        let until = now + self.keep;
        let before = std::mem::replace(&mut self.wanted, desired);
        let wanted = &self.wanted;
        for (device, config) in before.vxlans().filter(|(device, _)| !wanted.wants(*device)) {
            self.vxlan.insert(device, (config.clone(), until));
        }
        if let Some(config) = before.ipip.as_ref().filter(|_| wanted.ipip.is_none()) {
            self.ipip = Some((config.clone(), until));
        }
        for (key, remote) in &before.remotes {
            if !wanted.remotes.contains_key(key) {
                self.remotes.insert(key.clone(), (*remote, until));
            }
        }
        self.vxlan.retain(|device, _| !wanted.wants(*device));
        self.ipip.take_if(|_| wanted.ipip.is_some());
        self.remotes.retain(|key, _| !wanted.remotes.contains_key(key));
        if wanted.sweep {
            self.sweep.get_or_insert(until);
        }
    }

    /// Forgets what is over at `now`; whether there was any, so that what follows is no surprise.
    pub fn expire(&mut self, now: Duration) -> bool {
        let before = self.count();
        self.vxlan.retain(|_, (_, until)| *until > now);
        self.ipip.take_if(|(_, until)| *until <= now);
        self.remotes.retain(|_, (_, until)| *until > now);
        before != self.count()
    }

    fn count(&self) -> usize {
        self.vxlan.len() + usize::from(self.ipip.is_some()) + self.remotes.len()
    }

    /// When something is over next.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        let kept = (self.vxlan.values().map(|kept| kept.1))
            .chain(self.ipip.iter().map(|kept| kept.1))
            .chain(self.remotes.values().map(|kept| kept.1));
        let sweep = self.sweep.filter(|until| *until > now);
        kept.chain(sweep).min()
    }

    /// What the kernel is to hold at `now`: what is wanted, and what is kept. What is wanted comes first: of two nodes
    /// with one MAC address or gateway the kept one is left out.
    pub fn effective(&self, now: Duration) -> DesiredTunnels {
        let mut all = DesiredTunnels::clone(&self.wanted);
        all.sweep &= self.sweep.is_none_or(|until| until <= now);
        for (device, (config, _)) in &self.vxlan {
            let place = match device {
                Device::Vxlan => &mut all.vxlan,
                Device::Vxlan6 => &mut all.vxlan6,
                Device::Ipip => continue,
            };
            place.get_or_insert_with(|| config.clone());
        }
        if let Some((config, _)) = &self.ipip {
            all.ipip.get_or_insert_with(|| config.clone());
        }
        let device = |remote: &Remote| Device::vxlan(Family::from(remote.endpoint));
        let mut macs: BTreeSet<_> = all.remotes.values().map(|r| (device(r), r.mac)).collect();
        let mut gateways: BTreeSet<_> = all.remotes.values().map(|r| (device(r), r.gateway)).collect();
        for (key, (remote, _)) in &self.remotes {
            let place = device(remote);
            if macs.contains(&(place, remote.mac)) || gateways.contains(&(place, remote.gateway)) {
                continue;
            }
            macs.insert((place, remote.mac));
            gateways.insert((place, remote.gateway));
            all.remotes.insert(key.clone(), *remote);
        }
        all
    }
}

#[cfg(test)]
mod tests;
