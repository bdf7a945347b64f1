//! Tunnels that are new in the cluster are used a moment later than they are made: the clock around [`tunnel::Settle`].

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use config::vocabulary::NodeName;
use tunnel::{Device, SETTLE, Settle};

use crate::decide::NodePath;

/// What was chosen before, and since when devices are wanted.
pub struct Settling {
    began: Instant,
    settle: Settle<(String, NodeName)>,
}

impl Default for Settling {
    fn default() -> Self {
        Settling {
            began: Instant::now(),
            settle: Settle::new(SETTLE),
        }
    }
}

impl Settling {
    /// Keeps choices as they were where they need a device that is too new. Returns when to ask again.
    pub fn hold(&mut self, devices: &BTreeSet<Device>, paths: &mut [NodePath]) -> Option<Duration> {
        let choices = paths.iter_mut().map(|path| {
            let key = (path.pool.clone(), path.node.clone());
            (key, path.endpoint.into(), &mut path.choice)
        });
        let now = self.began.elapsed();
        let until = self.settle.hold(devices, choices, now);
        until.map(|until| until.saturating_sub(now))
    }
}
