//! OpenBGPD of the distribution. Outside OpenBSD it has no hand in the kernel.

use interop_table::{Feature, Make};
use lab::kernel::process::ProcessId;
use serde_json::Value;

use super::{
    COMMUNITY, EXTENDED, HIDDEN, LARGE, Learned, NO_EXPORT, Neighbor, Router, Site, THEIRS, ask, first_line,
};
use crate::support::{Builder, Fabric, require};

/// Its configuration must be read by nobody else, so it is a copy of the node's own.
const CONFIG: &str = "/run/openbgpd/bgpd.conf";
const SOCKET: &str = "/run/openbgpd/ctl";

/// By its path: FRR calls a program of its own the same.
const PROGRAM: &str = "/usr/sbin/bgpd";

/// OpenBGPD of the distribution.
pub struct Openbgpd;

impl Router for Openbgpd {
    fn make(&self) -> Make {
        Make::Openbgpd
    }

    fn version(&self, fabric: &Fabric, node: &str) -> String {
        first_line(fabric, node, &[PROGRAM, "-V"])
    }

    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        match feature {
            Feature::Bfd => Some("has no BFD"),
            Feature::WeAskRefresh | Feature::TheyMark => {
                Some("takes the request and sends nothing, to BIRD neither")
            }
            Feature::Malformed => Some("sends none"),
            Feature::Unnumbered => Some("has no peers by interface"),
            Feature::TheyRestart => Some("announces the End-of-RIB marker only"),
            _ => None,
        }
    }

    fn add(&self, builder: Builder, site: &Site, exec: &[&str]) -> Builder {
        require("bgpctl", "openbgpd");
        let copy = format!("install -D -m 600 /etc/{}.conf {CONFIG}", site.node);
        let exec = [exec, &[copy.as_str()]].concat();
        builder.program(&site.node, &config(site), &command(), &exec)
    }

    fn announce(&self, fabric: &Fabric, site: &Site, on: bool) {
        let target = EXTENDED.replacen(':', " ", 1);
        for family in site.neighbors[0].families.clone() {
            let mut line = format!("network {} {}", if on { "add" } else { "delete" }, THEIRS[family]);
            if on {
                line += &format!(" community {COMMUNITY} large-community {LARGE} ext-community {target}");
            }
            if on && site.neighbors[0].crosses(family) {
                line += &format!(" nexthop {}", site.addresses[family]);
            }
            bgpctl(fabric, &site.node, &line);
        }
    }

    fn paths(&self, fabric: &Fabric, node: &str, prefix: &str) -> Result<Vec<Learned>, String> {
        shown(fabric, node, &["show", "rib", "detail", prefix])
    }

    fn learned(&self, fabric: &Fabric, node: &str, prefix: &str) -> Result<Learned, String> {
        // What it refuses for a loop is in its table too.
        let best = shown(fabric, node, &["show", "rib", "selected", "detail", prefix])?;
        let best = best.into_iter().next();
        best.ok_or_else(|| format!("OpenBGPD has no {prefix}"))
    }

    fn ask_refresh(&self, fabric: &Fabric, site: &Site) {
        let line = format!("neighbor {} refresh", site.neighbors[0].remote);
        bgpctl(fabric, &site.node, &line);
    }

    fn shut_down(&self, fabric: &Fabric, site: &Site, words: &str) {
        let remote = &site.neighbors[0].remote;
        let argv = ["bgpctl", "-s", SOCKET, "neighbor", remote, "down", words];
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
        fabric.start(&site.node, &command())
    }
}

fn command() -> String {
    format!("{PROGRAM} -d -f {CONFIG}")
}

fn bgpctl(fabric: &Fabric, node: &str, line: &str) -> String {
    fabric.run(node, &format!("bgpctl -s {SOCKET} {line}"))
}

fn shown(fabric: &Fabric, node: &str, show: &[&str]) -> Result<Vec<Learned>, String> {
    let words = [&["bgpctl", "-s", SOCKET, "-j"], show].concat();
    let text = ask(fabric, node, &words)?;
    let table: Value =
        serde_json::from_str(&text).map_err(|e| format!("OpenBGPD wrote no JSON: {e}: {text}"))?;
    let paths = table.pointer("/rib").and_then(Value::as_array);
    Ok(paths.into_iter().flatten().map(learned).collect())
}

fn learned(path: &Value) -> Learned {
    let words = |field: &str| {
        let list = path.get(field).and_then(Value::as_array);
        let list = list.into_iter().flatten().filter_map(Value::as_str);
        list.map(str::to_owned).collect::<Vec<_>>()
    };
    let text = |field: &str| path[field].as_str().unwrap_or_default();
    // What it has no place of its own for is in a list of attributes.
    let attributes = path.get("attributes").and_then(Value::as_array);
    let attribute = |name: &str| attributes.into_iter().flatten().find_map(|a| a.get(name));
    let clusters = attribute("cluster_list").and_then(Value::as_array);
    let clusters = clusters.into_iter().flatten();
    let number = |word: String| {
        if word == "NO_EXPORT" {
            NO_EXPORT.to_owned()
        } else {
            word
        }
    };
    Learned {
        as_path: text("aspath")
            .split_whitespace()
            .filter_map(|asn| asn.parse().ok())
            .collect(),
        next_hops: vec![text("exit_nexthop").to_owned()],
        communities: words("communities").into_iter().map(number).collect(),
        large: words("large_communities"),
        extended: words("extended_communities")
            .iter()
            .map(|w| w.replacen(' ', ":", 1))
            .collect(),
        originator: attribute("originator").and_then(|v| v.as_str().map(str::to_owned)),
        clusters: clusters.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

fn config(site: &Site) -> String {
    let mut text = format!(
        "AS {}\nrouter-id {}\nfib-update no\nholdtime {}\nsocket \"{SOCKET}\"\n",
        site.asn, site.addresses[0], site.hold
    );
    let marks = format!(
        "community {COMMUNITY} large-community {LARGE} ext-community {}",
        EXTENDED.replacen(':', " ", 1)
    );
    if site.announces {
        for family in site.neighbors[0].families.clone() {
            let crosses = site.neighbors[0].crosses(family);
            let next_hop = if crosses {
                format!(" nexthop {}", site.addresses[family])
            } else {
                String::new()
            };
            text += &format!("network {} set {{ {marks}{next_hop} }}\n", THEIRS[family]);
        }
        text += &format!("network {HIDDEN}\n");
    }
    for neighbor in &site.neighbors {
        text += &session(site, neighbor);
    }
    text += "allow from any\nallow to any\n";
    if site.announces {
        // It takes the loopback's address as its own of IPv6 where the session is of IPv4: so it is told.
        text += &format!(
            "match to any prefix {} set nexthop no-modify\nmatch to any prefix {HIDDEN} set community NO_EXPORT\n",
            THEIRS[1]
        );
    }
    text
}

fn session(site: &Site, neighbor: &Neighbor) -> String {
    let mut text = format!("neighbor {} {{\n\tremote-as {}\n", neighbor.remote, neighbor.asn);
    for (family, name) in ["IPv4", "IPv6"].iter().enumerate() {
        let word = if neighbor.families.contains(&family) {
            "unicast"
        } else {
            "none"
        };
        text += &format!("\tannounce {name} {word}\n");
    }
    // Only then does it leave a next hop of external sessions alone.
    if neighbor.asn != site.asn
        && (neighbor.multihop || neighbor.families.contains(&1) && neighbor.crosses(1))
    {
        text += "\tmultihop 2\n";
    }
    if let Some(password) = &neighbor.password {
        text += &format!("\ttcp md5sig password {password}\n");
    }
    if let Some(role) = neighbor.role {
        text += &format!("\tannounce policy {role}\n");
    }
    for (wanted, line) in [
        (neighbor.ttl_security, "ttl-security yes".to_owned()),
        (neighbor.client, format!("route-reflector {}", site.addresses[0])),
        (
            neighbor.add_path,
            "announce add-path recv yes\n\tannounce add-path send all".to_owned(),
        ),
    ] {
        if wanted {
            text += &format!("\t{line}\n");
        }
    }
    text += "\tannounce enhanced refresh yes\n";
    let restart = if site.graceful { "yes" } else { "no" };
    text + &format!("\tannounce restart {restart}\n}}\n")
}
