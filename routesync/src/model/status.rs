//! How to run, and how far the wish is reality.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::{NexthopKey, Protocol, RouteKey};

/// How far the wish is reality.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncStatus {
    /// Routes wanted.
    pub wanted: usize,
    /// Wanted routes that the kernel has exactly so.
    pub installed: usize,
    /// Wanted routes that are not in place, with the reason and since when; sorted by key.
    pub failed: Vec<(RouteKey, String, SystemTime)>,
    /// Routes and nexthop objects put back after something else changed or removed them, since start.
    pub repaired: u64,
    /// Routes that something else changed or removed and that are left so because repair is off.
    pub drifted: usize,
    /// Orphans of an earlier run removed, since start.
    pub swept: u64,
    /// Orphans of an earlier run still in the kernel.
    pub orphans: usize,
    /// Times that the whole kernel state was read again, since start.
    pub resyncs: u64,
    /// The last error of any kind, for people.
    pub last_error: Option<String>,
    /// Generation of the desired state that was carried out last; what failed of it is in `failed`.
    pub in_sync_with: u64,
    /// The form in which sets of hops are in the kernel, and why.
    pub nexthop_form: NexthopForm,
    /// Nexthop objects of ours in the kernel, single ones and groups.
    pub nexthop_objects: usize,
    /// Used sets of hops that are not exactly in place, with the reason and since when; sorted by name.
    pub failed_nexthops: Vec<(NexthopKey, String, SystemTime)>,
    /// Routes held back by [`Settings::max_routes`]; each is in `failed` too.
    pub held_back: usize,
}

/// The form in which sets of hops are in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NexthopForm {
    /// The kernel has not been asked yet.
    #[default]
    Unknown,
    /// Nexthop objects: the routes of a set refer to a group, and moving them all is one write.
    Objects,
    /// Plain routes with their hops, because the settings say so.
    PlainByChoice,
    /// Plain routes with their hops, because this kernel has no nexthop objects (Linux before 5.3).
    PlainByKernel,
}

impl fmt::Display for NexthopForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NexthopForm::Unknown => "not known yet",
            NexthopForm::Objects => "nexthop objects",
            NexthopForm::PlainByChoice => "plain routes (nexthop objects are switched off)",
            NexthopForm::PlainByKernel => {
                "plain routes (the kernel has no nexthop objects: it is older than Linux 5.3)"
            }
        })
    }
}

/// Whether to use nexthop objects (`RTM_NEWNEXTHOP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NexthopMode {
    /// Where the kernel has them.
    #[default]
    Auto,
    /// Wanted; a kernel without them gets plain routes all the same, and the status says so.
    Objects,
    /// Not wanted: plain routes with their hops.
    Plain,
}

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Our mark on routes and nexthop objects.
    pub protocol: Protocol,
    /// Put back what others remove or change. Off: count it and leave it.
    pub repair: bool,
    /// Read the whole kernel state again this often, whatever the events say; zero: never.
    pub audit: Duration,
    /// Whether sets of hops become nexthop objects.
    pub nexthops: NexthopMode,
    /// Never more routes of ours than this in the kernel: new ones beyond it are held back, changes and removals go on.
    pub max_routes: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            protocol: Protocol::default(),
            repair: true,
            audit: Duration::from_secs(60),
            nexthops: NexthopMode::default(),
            max_routes: None,
        }
    }
}
