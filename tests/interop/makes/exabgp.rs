//! ExaBGP of the distribution: it says whatever it is told to, malformed or not, and writes down what it hears.
//!
//! Its configuration starts a small shell script, through which it talks to us: lines written to `/run/feed` are its
//! commands, and every message that it hears is a line of JSON in `/run/heard`.

use std::collections::BTreeMap;

use interop_table::{Feature, Make};
use lab::kernel::process::ProcessId;
use serde_json::Value;

use super::{
    COMMUNITY, EXTENDED, FAMILIES, HIDDEN, LARGE, Learned, Neighbor, Router, Site, THEIRS, first_line,
};
use crate::support::{Builder, Fabric, require};

const SCRIPT: &str = "rm -f /run/feed /run/heard\nmkfifo /run/feed\nexec 3<>/run/feed 4<&0\n\
                      cat <&4 >/run/heard &\nwhile read -r line <&3; do echo \"$line\"; done\n";

/// ExaBGP of the distribution.
pub struct Exabgp;

impl Exabgp {
    /// The same with further routes, as its configuration writes them.
    pub fn add_with(&self, builder: Builder, site: &Site, exec: &[&str], routes: &str) -> Builder {
        require("exabgp", "exabgp");
        let files = [
            (format!("{}.conf", site.node), config(site, routes)),
            (format!("{}-feed.sh", site.node), SCRIPT.to_owned()),
        ];
        builder.program_with(&site.node, &files, &command(site), exec)
    }

    /// Has it carry out a command of its own language.
    pub fn tell(&self, fabric: &Fabric, node: &str, command: &str) {
        let line = format!("echo '{command}' > /run/feed");
        fabric
            .exec_ok(node, &["timeout", "5", "sh", "-c", &line])
            .unwrap_or_else(|e| panic!("{e}"));
    }
}

impl Router for Exabgp {
    fn make(&self) -> Make {
        Make::Exabgp
    }

    fn version(&self, fabric: &Fabric, node: &str) -> String {
        first_line(fabric, node, &["exabgp", "--version"])
    }

    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        match feature {
            Feature::ShutdownText => Some("sends none"),
            Feature::WeAskRefresh | Feature::TheyMark => {
                Some("passes our asking on to its processes, and does no more")
            }
            Feature::TheyReflect => Some("has no routes but its own"),
            Feature::ClusterLoop => Some("is in no cluster"),
            Feature::Roles => Some("has no roles"),
            Feature::Unnumbered => Some("has no peers by interface"),
            Feature::Bfd => Some("has no BFD"),
            Feature::WeRestart => Some("keeps no routes"),
            _ => None,
        }
    }

    fn add(&self, builder: Builder, site: &Site, exec: &[&str]) -> Builder {
        self.add_with(builder, site, exec, "")
    }

    fn announce(&self, fabric: &Fabric, site: &Site, on: bool) {
        for family in site.neighbors[0].families.clone() {
            let verb = if on { "announce" } else { "withdraw" };
            let command = format!("{verb} {}", route(site, family));
            self.tell(fabric, &site.node, &command);
        }
    }

    fn paths(&self, fabric: &Fabric, node: &str, prefix: &str) -> Result<Vec<Learned>, String> {
        let heard = fabric
            .exec_ok(node, &["cat", "/run/heard"])
            .map_err(|e| e.to_string())?;
        let family = format!("{} unicast", FAMILIES[usize::from(prefix.contains(':'))]);
        let mut known = BTreeMap::new();
        // Between its messages it says how our commands went.
        for line in heard.lines().filter(|line| line.starts_with('{')) {
            let message: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
            if message["type"] == "state" {
                known.clear();
            }
            follow(
                &message["neighbor"]["message"]["update"],
                &family,
                prefix,
                &mut known,
            );
        }
        Ok(known.into_values().collect())
    }

    fn ask_refresh(&self, fabric: &Fabric, site: &Site) {
        for family in site.neighbors[0].families.clone() {
            let command = format!("announce route-refresh {} unicast", FAMILIES[family]);
            self.tell(fabric, &site.node, &command);
        }
    }

    fn shut_down(&self, _: &Fabric, _: &Site, _: &str) {
        panic!("its NOTIFICATION carries no words");
    }

    fn installs(&self) -> bool {
        false
    }

    fn process(&self) -> &'static str {
        "cmd"
    }

    fn restart(&self, fabric: &Fabric, site: &Site) -> ProcessId {
        fabric.start(&site.node, &command(site))
    }
}

/// How it is started.
fn command(site: &Site) -> String {
    format!(
        "env exabgp.daemon.user=root exabgp.tcp.bind= exabgp.api.cli=false exabgp /etc/{}.conf",
        site.node
    )
}

/// What an UPDATE changes for the paths of a prefix, by their identifiers.
fn follow(update: &Value, family: &str, prefix: &str, known: &mut BTreeMap<String, Learned>) {
    let identifiers = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        let of_prefix = list.filter(|nlri| nlri["nlri"] == prefix);
        of_prefix
            .map(|nlri| nlri["path-information"].to_string())
            .collect()
    };
    for id in identifiers(&update["withdraw"][family]) {
        known.remove(&id);
    }
    for (next_hop, prefixes) in update["announce"][family].as_object().into_iter().flatten() {
        for id in identifiers(prefixes) {
            known.insert(id, learned(&update["attribute"], next_hop));
        }
    }
}

fn learned(attribute: &Value, next_hop: &str) -> Learned {
    let list = |name: &str| attribute[name].as_array().cloned().unwrap_or_default();
    let joined = |value: &Value| {
        let numbers = value.as_array().into_iter().flatten().map(Value::to_string);
        numbers.collect::<Vec<_>>().join(":")
    };
    // A route target is a "target" here.
    let extended = |value: &Value| {
        value["string"]
            .as_str()
            .map(|text| text.replacen("target", "rt", 1))
    };
    Learned {
        as_path: list("as-path")
            .iter()
            .filter_map(|n| u32::try_from(n.as_u64()?).ok())
            .collect(),
        next_hops: vec![next_hop.to_owned()],
        communities: list("community").iter().map(joined).collect(),
        large: list("large-community").iter().map(joined).collect(),
        extended: list("extended-community").iter().filter_map(extended).collect(),
        originator: attribute["originator-id"].as_str().map(str::to_owned),
        clusters: list("cluster-list")
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn route(site: &Site, family: usize) -> String {
    format!(
        "route {} next-hop {} community [ {COMMUNITY} ] large-community [ {LARGE} ] extended-community [ {} ]",
        THEIRS[family],
        site.addresses[family],
        EXTENDED.replacen("rt", "target", 1)
    )
}

fn config(site: &Site, routes: &str) -> String {
    let mut text = format!(
        "process feed {{\n  run /bin/sh /etc/{}-feed.sh;\n  encoder json;\n}}\n",
        site.node
    );
    for neighbor in &site.neighbors {
        text += &session(site, neighbor, routes);
    }
    text
}

fn session(site: &Site, neighbor: &Neighbor, routes: &str) -> String {
    let restart = if site.graceful {
        "graceful-restart 120; "
    } else {
        ""
    };
    let add_path = if neighbor.add_path {
        "add-path send/receive; "
    } else {
        ""
    };
    let mut text = format!(
        "neighbor {} {{\n  router-id {};\n  local-address {};\n  local-as {};\n  peer-as {};\n  hold-time {};\n  \
         group-updates false;\n  capability {{ asn4 enable; route-refresh enable; {restart}{add_path}}}\n  family {{\n",
        neighbor.remote, site.addresses[0], neighbor.local, site.asn, neighbor.asn, site.hold
    );
    for family in neighbor.families.clone() {
        text += &format!("    {} unicast;\n", FAMILIES[family]);
    }
    text += "  }\n";
    if let Some(password) = &neighbor.password {
        text += &format!("  md5-password \"{password}\";\n  md5-base64 false;\n");
    }
    if neighbor.ttl_security {
        text += "  incoming-ttl 255;\n  outgoing-ttl 255;\n";
    }
    text += "  static {\n";
    if site.announces {
        for family in neighbor.families.clone() {
            text += &format!("    {};\n", route(site, family));
        }
        if neighbor.families.contains(&0) {
            text += &format!(
                "    route {HIDDEN} next-hop {} community [ no-export ];\n",
                site.addresses[0]
            );
        }
    }
    text + routes + "  }\n  api { processes [ feed ]; neighbor-changes; receive { parsed; update; } }\n}\n"
}
