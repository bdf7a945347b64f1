//! BIRD 2 of the distribution.

use interop_table::{Feature, Make};
use lab::kernel::process::ProcessId;

use super::{
    COMMUNITY, EXTENDED, FAMILIES, HIDDEN, LARGE, Learned, NO_EXPORT, Neighbor, Router, Site, THEIRS, ask,
    first_line,
};
use crate::support::{Builder, Fabric, require};

/// BIRD 2 of the distribution.
pub struct Bird;

impl Router for Bird {
    fn make(&self) -> Make {
        Make::Bird
    }

    fn version(&self, fabric: &Fabric, node: &str) -> String {
        first_line(fabric, node, &["bird", "--version"])
    }

    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        match feature {
            Feature::Malformed => Some("sends none"),
            Feature::Unnumbered => Some("peers at a link-local address have to be written down"),
            _ => None,
        }
    }

    fn add(&self, builder: Builder, site: &Site, exec: &[&str]) -> Builder {
        require("bird", "bird2");
        builder.program(&site.node, &config(site), &command(site), exec)
    }

    fn announce(&self, fabric: &Fabric, site: &Site, on: bool) {
        let verb = if on { "enable" } else { "disable" };
        for family in site.neighbors[0].families.clone() {
            birdc(fabric, &site.node, &[verb, ["their4", "their6"][family]]);
        }
    }

    fn paths(&self, fabric: &Fabric, node: &str, prefix: &str) -> Result<Vec<Learned>, String> {
        let text = ask(
            fabric,
            node,
            &["birdc", "-s", "/run/bird.ctl", "show", "route", prefix, "all"],
        )?;
        // What it says of BGP begins with the origin, for each path.
        Ok(text.split("BGP.origin:").filter_map(learned).collect())
    }

    fn ask_refresh(&self, fabric: &Fabric, site: &Site) {
        birdc(fabric, &site.node, &["reload", "in", &site.neighbors[0].name]);
    }

    fn shut_down(&self, fabric: &Fabric, site: &Site, words: &str) {
        let words = format!("\"{words}\"");
        birdc(fabric, &site.node, &["disable", &site.neighbors[0].name, &words]);
    }

    fn installs(&self) -> bool {
        true
    }

    fn process(&self) -> &'static str {
        "cmd"
    }

    fn restart(&self, fabric: &Fabric, site: &Site) -> ProcessId {
        let recovers = if site.graceful { " -R" } else { "" };
        fabric.start(&site.node, &format!("{}{recovers}", command(site)))
    }
}

/// How it is started, and where it listens.
fn command(site: &Site) -> String {
    format!(
        "bird -f -c /etc/{}.conf -s /run/bird.ctl -P /run/bird.pid",
        site.node
    )
}

fn birdc(fabric: &Fabric, node: &str, words: &[&str]) -> String {
    let argv = [&["birdc", "-s", "/run/bird.ctl"], words].concat();
    fabric.exec_ok(node, &argv).unwrap_or_else(|e| panic!("{e}"))
}

/// A route of `show route all`, if it has a next hop of BGP.
fn learned(text: &str) -> Option<Learned> {
    let attribute = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_default().to_owned()
    };
    let words = |name: &str| {
        let text = attribute(name);
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    // Written as `(65001,100) (65001, 1, 2)`.
    let tuples = |name: &str| {
        let text = attribute(name).replace(' ', "").replace(',', ":");
        let tuples = text.split(['(', ')']).filter(|t| !t.is_empty());
        tuples.map(str::to_owned).collect::<Vec<_>>()
    };
    let next_hops = words("BGP.next_hop:");
    (!next_hops.is_empty()).then(|| Learned {
        as_path: words("BGP.as_path:")
            .iter()
            .filter_map(|asn| asn.parse().ok())
            .collect(),
        next_hops,
        communities: tuples("BGP.community:"),
        large: tuples("BGP.large_community:"),
        extended: tuples("BGP.ext_community:"),
        originator: words("BGP.originator_id:").pop(),
        clusters: words("BGP.cluster_list:"),
    })
}

fn tuple(community: &str) -> String {
    format!("({})", community.replace(':', ","))
}

fn config(site: &Site) -> String {
    let mut text = format!(
        "router id {};\nprotocol device {{ scan time 1; }}\n",
        site.addresses[0]
    );
    if site.announces {
        for (family, name) in FAMILIES.iter().enumerate() {
            text += &format!(
                "protocol static their{} {{ {name}; route {} blackhole {{ bgp_community.add({}); \
                 bgp_large_community.add({}); bgp_ext_community.add({}); }}; }}\n",
                ["4", "6"][family],
                THEIRS[family],
                tuple(COMMUNITY),
                tuple(LARGE),
                tuple(EXTENDED)
            );
        }
        text += &format!("protocol static hidden4 {{ ipv4; route {HIDDEN} blackhole; }}\n");
    }
    if site.forwards {
        text += "protocol direct { ipv4; interface \"eth*\"; }\n\
                 protocol kernel { persist yes; graceful restart on; ipv4 { import none; export where source ~ [ RTS_BGP, RTS_STATIC ]; }; }\n";
    }
    for (number, [destination, gateway]) in site.fixed.iter().enumerate() {
        text += &format!("protocol static fixed{number} {{ ipv4; route {destination} via {gateway}; }}\n");
    }
    let own = if site.announces {
        "if source = RTS_STATIC then accept; "
    } else {
        ""
    };
    text += &format!(
        "filter onwards {{ if net = {HIDDEN} then bgp_community.add({}); {own}if source = RTS_BGP then accept; reject; }}\n",
        tuple(NO_EXPORT)
    );
    if let Some(interval) = site.neighbors.iter().find_map(|n| n.bfd) {
        let timers = format!("interval {interval} ms; idle tx interval 1 s; multiplier 3;");
        text += &format!("protocol bfd {{ interface \"*\" {{ {timers} }}; multihop {{ {timers} }}; }}\n");
    }
    for neighbor in &site.neighbors {
        text += &session(site, neighbor);
    }
    text
}

fn session(site: &Site, neighbor: &Neighbor) -> String {
    let mut text = format!(
        "protocol bgp {} {{\n  local {} as {};\n  neighbor {} as {};\n  hold time {};\n  keepalive time {};\n  \
         connect delay time 1;\n  connect retry time 1;\n  error wait time 1, 5;\n",
        neighbor.name,
        neighbor.local,
        site.asn,
        neighbor.remote,
        neighbor.asn,
        site.hold,
        site.hold / 3
    );
    if neighbor.multihop {
        text += "  multihop 2;\n";
    }
    if site.graceful {
        text += "  graceful restart on;\n";
    }
    if let Some(password) = &neighbor.password {
        text += &format!("  password \"{password}\";\n");
    }
    if let Some(role) = neighbor.role {
        text += &format!("  local role {role};\n");
    }
    for (wanted, line) in [
        (neighbor.ttl_security, "ttl security on;".to_owned()),
        (
            neighbor.client,
            format!("rr client; rr cluster id {};", site.addresses[0]),
        ),
        (neighbor.bfd.is_some(), "bfd graceful;".to_owned()),
    ] {
        if wanted {
            text += &format!("  {line}\n");
        }
    }
    for family in neighbor.families.clone() {
        let mut lines = "import all; export filter onwards;".to_owned();
        if neighbor.add_path {
            lines += " add paths on;";
        }
        if neighbor.crosses(family) {
            lines += &format!(" next hop address {};", site.addresses[family]);
        }
        if site.forwards {
            lines += " next hop self; gateway recursive;";
        }
        text += &format!("  {} {{ {lines} }};\n", FAMILIES[family]);
    }
    text + "}\n"
}
