//! GoBGP of the distribution. Its routes are told to it when it runs, and it has no hand in the kernel.

use interop_table::{Feature, Make};
use lab::kernel::process::ProcessId;
use serde_json::Value;

use super::{
    COMMUNITY, EXTENDED, FAMILIES, HIDDEN, LARGE, Learned, Neighbor, Router, Site, THEIRS, ask, first_line,
};
use crate::support::{Builder, Fabric, eventually, require};

/// GoBGP of the distribution.
pub struct Gobgp;

impl Router for Gobgp {
    fn make(&self) -> Make {
        Make::Gobgp
    }

    fn version(&self, fabric: &Fabric, node: &str) -> String {
        first_line(fabric, node, &["gobgpd", "--version"])
    }

    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        match feature {
            Feature::Malformed => Some("sends none"),
            Feature::Unnumbered => Some("installs no routes by itself"),
            Feature::Roles => Some("has no roles"),
            Feature::Bfd => Some("has no BFD before 4.8"),
            Feature::AsksRefresh => Some("never asks, it looks again at what it has stored"),
            Feature::WeMark | Feature::TheyMark => Some("has no marks"),
            Feature::ClusterLoop => Some("looks for its cluster where it passes routes on"),
            _ => None,
        }
    }

    fn add(&self, builder: Builder, site: &Site, exec: &[&str]) -> Builder {
        require("gobgpd", "gobgpd");
        builder.program(&site.node, &config(site), &command(site), exec)
    }

    fn settle(&self, fabric: &Fabric, site: &Site) {
        eventually("GoBGP listens", || ask(fabric, &site.node, &["gobgp", "global"]));
        if site.announces {
            self.announce(fabric, site, true);
            let hidden = format!(
                "gobgp global rib add {HIDDEN} nexthop {} community no-export",
                site.addresses[0]
            );
            fabric.run(&site.node, &hidden);
        }
    }

    fn announce(&self, fabric: &Fabric, site: &Site, on: bool) {
        for family in site.neighbors[0].families.clone() {
            let [verb, attributes] = if on {
                [
                    "add",
                    &*format!(
                        " community {COMMUNITY} large-community {LARGE} {}",
                        EXTENDED.replacen(':', " ", 1)
                    ),
                ]
            } else {
                ["del", ""]
            };
            let line = format!(
                "gobgp global rib {verb} -a {} {} nexthop {}{attributes}",
                FAMILIES[family], THEIRS[family], site.addresses[family]
            );
            fabric.run(&site.node, &line);
        }
    }

    fn paths(&self, fabric: &Fabric, node: &str, prefix: &str) -> Result<Vec<Learned>, String> {
        let family = FAMILIES[usize::from(prefix.contains(':'))];
        let text = ask(
            fabric,
            node,
            &["gobgp", "-j", "global", "rib", "-a", family, prefix],
        )?;
        let table: Value =
            serde_json::from_str(&text).map_err(|e| format!("GoBGP wrote no JSON: {e}: {text}"))?;
        let paths = table.get(prefix).and_then(Value::as_array);
        Ok(paths.into_iter().flatten().map(learned).collect())
    }

    fn ask_refresh(&self, _: &Fabric, _: &Site) {
        panic!("a soft reset sends nothing");
    }

    fn shut_down(&self, fabric: &Fabric, site: &Site, words: &str) {
        let remote = &site.neighbors[0].remote;
        let argv = ["gobgp", "neighbor", remote, "shutdown", "--reason", words];
        fabric
            .exec_ok(&site.node, &argv)
            .unwrap_or_else(|e| panic!("{e}"));
    }

    fn installs(&self) -> bool {
        false
    }

    fn process(&self) -> &'static str {
        "cmd"
    }

    fn restart(&self, fabric: &Fabric, site: &Site) -> ProcessId {
        let recovers = if site.graceful { " -r" } else { "" };
        let process = fabric.start(&site.node, &format!("{}{recovers}", command(site)));
        self.settle(fabric, site);
        process
    }
}

/// How it is started, and where it listens.
fn command(site: &Site) -> String {
    format!("gobgpd -f /etc/{}.conf --api-hosts 127.0.0.1:50051", site.node)
}

fn learned(path: &Value) -> Learned {
    let mut learned = Learned::default();
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |value: &Value, field: &str| value[field].as_u64().unwrap_or_default();
    for attribute in list(path.get("attrs")) {
        // By their type codes.
        match attribute["type"].as_u64() {
            Some(2) => {
                let segments = list(attribute.get("as_paths"));
                let numbers = segments.iter().flat_map(|s| list(s.get("asns")));
                learned.as_path = numbers.filter_map(|n| u32::try_from(n.as_u64()?).ok()).collect();
            }
            Some(3 | 14) => learned
                .next_hops
                .extend(attribute["nexthop"].as_str().map(str::to_owned)),
            Some(8) => {
                let numbers = list(attribute.get("communities"));
                let numbers = numbers.iter().filter_map(Value::as_u64);
                learned.communities = numbers.map(|n| format!("{}:{}", n >> 16, n & 0xffff)).collect();
            }
            Some(9) => learned.originator = attribute["value"].as_str().map(str::to_owned),
            Some(10) => {
                let clusters = list(attribute.get("value"));
                learned.clusters = clusters
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect();
            }
            Some(16) => {
                for value in list(attribute.get("value")) {
                    let kind = if number(&value, "subtype") == 2 {
                        "rt"
                    } else {
                        "other"
                    };
                    let text = value["value"].as_str().unwrap_or_default();
                    learned.extended.push(format!("{kind}:{text}"));
                }
            }
            Some(32) => {
                for value in list(attribute.get("value")) {
                    let [a, b, c] = ["ASN", "LocalData1", "LocalData2"].map(|field| number(&value, field));
                    learned.large.push(format!("{a}:{b}:{c}"));
                }
            }
            _ => {}
        }
    }
    learned
}

fn config(site: &Site) -> String {
    let mut text = format!(
        "[global.config]\nas = {}\nrouter-id = \"{}\"\nport = 179\n",
        site.asn, site.addresses[0]
    );
    for neighbor in &site.neighbors {
        text += &session(site, neighbor);
    }
    text
}

fn session(site: &Site, neighbor: &Neighbor) -> String {
    let mut text = format!(
        "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{}\"\npeer-as = {}\n\
         [neighbors.timers.config]\nhold-time = {}\nkeepalive-interval = {}\nconnect-retry = 1\n\
         idle-hold-time-after-reset = 1\n",
        neighbor.remote,
        neighbor.asn,
        site.hold,
        site.hold / 3
    );
    if let Some(password) = &neighbor.password {
        let here = "[neighbors.timers.config]";
        text = text.replace(here, &format!("auth-password = \"{password}\"\n{here}"));
    }
    if neighbor.ttl_security {
        text += "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255\n";
    }
    if neighbor.client {
        text += &format!(
            "[neighbors.route-reflector.config]\nroute-reflector-client = true\n\
             route-reflector-cluster-id = \"{}\"\n",
            site.addresses[0]
        );
    }
    if neighbor.add_path {
        text += "[neighbors.add-paths.config]\nreceive = true\nsend-max = 8\n";
    }
    if site.graceful {
        text += "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 120\n";
    }
    for family in neighbor.families.clone() {
        text += &format!(
            "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{}-unicast\"\n",
            FAMILIES[family]
        );
        if site.graceful {
            text += "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n";
        }
    }
    text
}
