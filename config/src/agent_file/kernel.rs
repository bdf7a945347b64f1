//! How routes are written into the kernel: nexthop objects, metric, table, and the most that there may be.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::fields::closest;

/// The table of the kernel that everything looks at (`RT_TABLE_MAIN`).
pub const MAIN_TABLE: u32 = 254;

/// The table in which probes of `Auto` find the direct path.
const PROBE_TABLE: u32 = 21058;
/// The routing protocol number of the routes there.
pub(super) const PROBE_PROTOCOL: u8 = 83;

/// Whether routes refer to nexthop objects of the kernel (`RTM_NEWNEXTHOP`), or carry their next hops themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NexthopObjects {
    /// What is better on this kernel.
    #[default]
    Auto,
    /// Objects; where the kernel has none, that is an error.
    On,
    /// Plain routes.
    Off,
}

impl fmt::Display for NexthopObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// What becomes of the sysctl `net.ipv4.nexthop_compat_mode`, which holds for the whole network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NexthopCompat {
    /// It stays as it is: every reader sees gateway and device of our routes.
    #[default]
    Keep,
    /// It is set to 0: moving a next hop costs one write, and other readers see the object's id alone.
    Off,
}

/// How routes are written into the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteSettings {
    /// Whether routes refer to nexthop objects.
    pub nexthop_objects: NexthopObjects,
    /// Whether the kernel shows what is in them with each route.
    pub nexthop_compat: NexthopCompat,
    /// Metric of learned routes of both families on this node; `None`: what the `BGPConfiguration` says, else 1082.
    pub route_metric: Option<u32>,
    /// The routing table; 254 is `main`.
    pub route_table: u32,
    /// The most learned routes that go into the kernel; `None`: no limit.
    pub max_routes: Option<u32>,
    /// Buckets of each resilient group of next hops; `None`: ordinary groups.
    pub resilient_buckets: Option<u16>,
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self {
            nexthop_objects: NexthopObjects::Auto,
            nexthop_compat: NexthopCompat::Keep,
            route_metric: None,
            route_table: MAIN_TABLE,
            max_routes: None,
            resilient_buckets: None,
        }
    }
}

impl Settings {
    pub(super) fn routes(&mut self) -> Option<RouteSettings> {
        let objects = [
            ("auto", NexthopObjects::Auto),
            ("on", NexthopObjects::On),
            ("off", NexthopObjects::Off),
        ];
        let compat = [("keep", NexthopCompat::Keep), ("off", NexthopCompat::Off)];
        let nexthop_objects = self.word("nexthopObjects", NexthopObjects::Auto, &objects);
        let nexthop_compat = self.word("nexthopCompat", NexthopCompat::Keep, &compat);
        let route_metric = self.parsed("routeMetric", None, |text| {
            bounded(text, 1, MAX_METRIC, "a number from 1 to 2147483646").map(Some)
        });
        let route_table = self.parsed("routeTable", MAIN_TABLE, table);
        let max_routes = self.parsed("maxRoutes", None, |text| match text {
            "off" => Ok(None),
            _ => bounded(text, 1, u32::MAX, "a number from 1, or off").map(Some),
        });
        let resilient_buckets = self.parsed("resilientBuckets", None, |text| match text {
            "off" => Ok(None),
            _ => bounded(text, 2, u32::from(u16::MAX), "a number from 2 to 65535, or off")
                // Bounded by the line above.
                .map(|buckets| u16::try_from(buckets).ok()),
        });
        Some(RouteSettings {
            nexthop_objects: nexthop_objects?,
            nexthop_compat: nexthop_compat?,
            route_metric: route_metric?,
            route_table: route_table?,
            max_routes: max_routes?,
            resilient_buckets: resilient_buckets?,
        })
    }

    /// One of a few words. An unquoted `on` or `off` is a word here, and not a truth value.
    fn word<T: Copy>(&mut self, key: &'static str, default: T, words: &[(&str, T)]) -> Option<T> {
        self.parsed(key, default, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| {
                let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                match closest(text, names.iter().copied()) {
                    Some(near) => format!("`{text}` is none of {}; did you mean {near}?", names.join(", ")),
                    None => format!("`{text}` is none of {}", names.join(", ")),
                }
            })
        })
    }
}

/// The greatest priority of a route in Calico's fields.
const MAX_METRIC: u32 = 2_147_483_646;

fn bounded(text: &str, low: u32, high: u32, wanted: &str) -> Result<u32, String> {
    let number = text.parse::<u32>().ok();
    number
        .filter(|number| (low..=high).contains(number))
        .ok_or_else(|| format!("`{text}` is not {wanted}"))
}

/// A table of routes. 0 means no table to the kernel, and 255 holds the addresses of the machine itself.
fn table(text: &str) -> Result<u32, String> {
    let table = match text {
        "main" => MAIN_TABLE,
        _ => bounded(text, 1, u32::MAX, "a routing table: main, or a number from 1")?,
    };
    match table {
        255 => Err("table 255 (local) belongs to the kernel: write main, or another number".to_owned()),
        PROBE_TABLE => Err(format!(
            "table {PROBE_TABLE} holds the routes of Auto's probes: write main, or another number"
        )),
        table => Ok(table),
    }
}
