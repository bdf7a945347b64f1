//! The containers' network namespaces, and what a node has besides them.

use std::ops::Range;
use std::process::Command;

use config::api::ipam::IpamShow;

use crate::support::plugin::netns;
use crate::support::{Fabric, kernel, roadbed};

/// Namespaces under `/run/netns`, removed with the value.
pub struct Containers {
    paths: Vec<String>,
}

impl Containers {
    pub fn new(fabric: &Fabric, count: usize) -> Self {
        let mut containers = Containers { paths: Vec::new() };
        for n in 0..count {
            let path = netns(fabric, &name(n));
            let made = Command::new("ip").args(["netns", "add", base(&path)]).status();
            assert!(made.expect("iproute2 is there").success(), "ip netns add {path}");
            containers.paths.push(path);
        }
        containers
    }

    /// Names of containers, which their namespaces have, too.
    pub fn names(&self, range: Range<usize>) -> Vec<String> {
        range.map(name).collect()
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        for path in &self.paths {
            // Whatever went wrong was said before.
            let _ = Command::new("ip").args(["netns", "del", base(path)]).status();
        }
    }
}

fn name(n: usize) -> String {
    format!("k{n}")
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Everything of a node that pods could leave behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    links: Vec<String>,
    routes: Vec<String>,
    rules: Vec<String>,
    neighbours: Vec<String>,
    leases: u64,
    queue: Vec<String>,
}

impl Left {
    pub fn of(fabric: &Fabric) -> Left {
        let lines = |command: &str| {
            let mut lines: Vec<String> = fabric.run("n1", command).lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let show = fabric.run("n1", &format!("{} ipam show -o json", roadbed().display()));
        let show: IpamShow = serde_json::from_str(&show).expect("the contract of the socket API");
        Left {
            links: kernel::links(fabric, "n1"),
            routes: [
                lines("ip -4 route show table all"),
                lines("ip -6 route show table all"),
            ]
            .concat(),
            rules: [lines("ip -4 rule show"), lines("ip -6 rule show")].concat(),
            neighbours: lines("ip neigh show nud permanent"),
            leases: show.local.leases,
            queue: lines("find /var/lib/roadbed -path */cni-queue/* -type f"),
        }
    }
}
