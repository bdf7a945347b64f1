//! Where our routes stand in the kernel, and in which form: table, metric, the kind of groups.

use config::agent_file::RouteSettings;
use ipnet::IpNet;
use routesync::{Metric, Resilient, RouteKey, Table};

use crate::plan::Plan;

/// Metric of our routes: above every connected and static route's default, so that theirs win. 1024 itself is
/// what IPv6 gives static routes and default routes from router advertisements (`IP6_RT_PRIO_USER`), and what
/// systemd-networkd gives those from DHCP: at the same metric theirs would keep ours out of the kernel.
pub const METRIC: Metric = Metric(1082);

/// Table, metrics and groups of our routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    table: Table,
    learned_v4: Metric,
    learned_v6: Metric,
    /// For sets with several next hops.
    resilient: Option<Resilient>,
}

impl Default for Place {
    /// The main table and [`METRIC`].
    fn default() -> Self {
        Place {
            table: Table::MAIN,
            learned_v4: METRIC,
            learned_v6: METRIC,
            resilient: None,
        }
    }
}

impl Place {
    /// What the agent's file says comes first, then what the resources do.
    pub fn of(settings: &RouteSettings, plan: &Plan) -> Place {
        let metric = |wanted: Option<u32>| settings.route_metric.or(wanted).map_or(METRIC, Metric);
        Place {
            table: Table(settings.route_table),
            learned_v4: metric(plan.route_metric_v4),
            learned_v6: metric(plan.route_metric_v6),
            resilient: settings.resilient_buckets.map(|buckets| Resilient {
                buckets,
                ..Resilient::default()
            }),
        }
    }

    /// The key of a route of this node's own: a pod, a block.
    pub fn own(&self, destination: IpNet) -> RouteKey {
        self.key(destination, METRIC)
    }

    /// The key of a learned route.
    pub fn learned(&self, destination: IpNet) -> RouteKey {
        let metric = match destination {
            IpNet::V4(_) => self.learned_v4,
            IpNet::V6(_) => self.learned_v6,
        };
        self.key(destination, metric)
    }

    /// The key of a learned route to which a filter gave this priority.
    pub fn learned_at(&self, destination: IpNet, priority: Option<u32>) -> RouteKey {
        match priority {
            Some(priority) => self.key(destination, Metric(priority)),
            None => self.learned(destination),
        }
    }

    /// The kind of groups for sets with several next hops; `None`: ordinary ones.
    pub fn resilient(&self) -> Option<Resilient> {
        self.resilient
    }

    fn key(&self, destination: IpNet, metric: Metric) -> RouteKey {
        RouteKey {
            table: self.table,
            destination,
            metric,
        }
    }
}
