//! FRR of the distribution.

use interop_table::{Feature, Make};
use lab::kernel::process::ProcessId;
use serde_json::Value;

use super::{
    COMMUNITY, EXTENDED, FAMILIES, HIDDEN, LARGE, Learned, NO_EXPORT, Neighbor, Router, Site, THEIRS,
    first_line,
};
use crate::support::{Builder, Fabric};

/// FRR of the distribution.
pub struct Frr;

impl Router for Frr {
    fn make(&self) -> Make {
        Make::Frr
    }

    fn version(&self, fabric: &Fabric, node: &str) -> String {
        // Behind it are the node and its kernel.
        let line = first_line(fabric, node, &["vtysh", "-c", "show version"]);
        line.split(" (").next().unwrap_or_default().to_owned()
    }

    fn lacks(&self, feature: Feature) -> Option<&'static str> {
        match feature {
            Feature::Malformed => Some("sends none"),
            _ => None,
        }
    }

    fn add(&self, builder: Builder, site: &Site, exec: &[&str]) -> Builder {
        builder.frr(&site.node, &config(site), exec)
    }

    fn announce(&self, fabric: &Fabric, site: &Site, on: bool) {
        let no = if on { "" } else { "no " };
        for family in site.neighbors[0].families.clone() {
            let name = FAMILIES[family];
            vtysh(
                fabric,
                &site.node,
                &[
                    "configure terminal",
                    &format!("router bgp {}", site.asn),
                    &format!("address-family {name} unicast"),
                    &format!("{no}network {} route-map TELL", THEIRS[family]),
                ],
            );
        }
    }

    fn paths(&self, fabric: &Fabric, node: &str, prefix: &str) -> Result<Vec<Learned>, String> {
        let family = FAMILIES[usize::from(prefix.contains(':'))];
        let text = vtysh(
            fabric,
            node,
            &[&format!("show bgp {family} unicast {prefix} json")],
        );
        let route: Value =
            serde_json::from_str(&text).map_err(|e| format!("FRR wrote no JSON: {e}: {text}"))?;
        let paths = route.pointer("/paths").and_then(Value::as_array);
        Ok(paths.into_iter().flatten().map(learned).collect())
    }

    fn ask_refresh(&self, fabric: &Fabric, site: &Site) {
        let Neighbor { remote, families, .. } = &site.neighbors[0];
        for family in families.clone() {
            let line = format!("clear bgp {} unicast {remote} soft in", FAMILIES[family]);
            vtysh(fabric, &site.node, &[&line]);
        }
    }

    fn shut_down(&self, fabric: &Fabric, site: &Site, words: &str) {
        let router = format!("router bgp {}", site.asn);
        let line = format!("neighbor {} shutdown message {words}", site.neighbors[0].remote);
        vtysh(fabric, &site.node, &["configure terminal", &router, &line]);
    }

    fn installs(&self) -> bool {
        true
    }

    fn process(&self) -> &'static str {
        "bgpd"
    }

    fn restart(&self, fabric: &Fabric, site: &Site) -> ProcessId {
        let folders = ["/usr/lib/frr/bgpd", "/usr/libexec/frr/bgpd"];
        let program = folders.iter().find(|p| std::path::Path::new(p).is_file());
        let program = program.expect("FRR is installed");
        fabric.start(
            &site.node,
            &format!("{program} -u frr -g frr -P 0 -f /etc/frr/frr.conf"),
        )
    }
}

/// Runs commands of FRR's shell, one after another.
fn vtysh(fabric: &Fabric, node: &str, commands: &[&str]) -> String {
    let words = commands.iter().flat_map(|command| ["-c", command]);
    let argv: Vec<&str> = std::iter::once("vtysh").chain(words).collect();
    fabric.exec_ok(node, &argv).unwrap_or_else(|e| panic!("{e}"))
}

fn learned(path: &Value) -> Learned {
    let words = |field: &str| {
        let text = path.pointer(field).and_then(Value::as_str).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let hops = path.pointer("/nexthops").and_then(Value::as_array);
    let hops = hops.into_iter().flatten().filter_map(|h| h.get("ip")?.as_str());
    let clusters = path.pointer("/clusterList/list").and_then(Value::as_array);
    let clusters = clusters.into_iter().flatten();
    let number = |word: String| {
        if word == "no-export" {
            NO_EXPORT.to_owned()
        } else {
            word
        }
    };
    Learned {
        // FRR writes "Local" for the empty path of iBGP.
        as_path: words("/aspath/string")
            .iter()
            .filter_map(|asn| asn.parse().ok())
            .collect(),
        next_hops: hops.map(str::to_owned).collect(),
        communities: words("/community/string").into_iter().map(number).collect(),
        large: words("/largeCommunity/string"),
        extended: words("/extendedCommunity/string")
            .iter()
            .map(|w| w.to_lowercase())
            .collect(),
        originator: words("/originatorId").pop(),
        clusters: clusters.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

fn config(site: &Site) -> String {
    let mut text = "frr defaults traditional\nlog stdout warnings\n!\n".to_owned();
    // Before the sessions that use them: what is bound to a route map that is yet to come is denied for 5 s.
    text += &route_maps(site);
    for [destination, gateway] in &site.fixed {
        text += &format!("ip route {destination} {gateway}\n");
    }
    text += &format!(
        "!\nrouter bgp {}\n bgp router-id {}\n no bgp default ipv4-unicast\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n timers bgp {} {}\n",
        site.asn,
        site.addresses[0],
        site.hold / 3,
        site.hold
    );
    if site.graceful {
        // Without the delay, it sends its End-of-RIB to the first peer before the last one is back.
        text += " bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n update-delay 8\n";
    }
    if site.neighbors.iter().any(|n| n.client) {
        text += &format!(" bgp cluster-id {}\n", site.addresses[0]);
    }
    for neighbor in &site.neighbors {
        text += &session(neighbor);
    }
    for (family, name) in FAMILIES.iter().enumerate() {
        text += &format!(" !\n address-family {name} unicast\n");
        if site.announces {
            text += &format!("  network {} route-map TELL\n", THEIRS[family]);
        }
        if site.announces && family == 0 {
            text += &format!("  network {HIDDEN}\n");
        }
        for neighbor in site.neighbors.iter().filter(|n| n.families.contains(&family)) {
            let remote = &neighbor.remote;
            let out = if neighbor.crosses(family) { "OUT6" } else { "OUT4" };
            text += &format!(
                "  neighbor {remote} activate\n  neighbor {remote} send-community all\n  \
                 neighbor {remote} route-map {out} out\n"
            );
            for (wanted, line) in [
                (neighbor.client, "route-reflector-client"),
                (neighbor.add_path, "addpath-tx-all-paths"),
            ] {
                if wanted {
                    text += &format!("  neighbor {remote} {line}\n");
                }
            }
        }
        text += " exit-address-family\n";
    }
    text + "exit\n"
}

fn session(neighbor: &Neighbor) -> String {
    let remote = &neighbor.remote;
    let mut text = format!(
        " neighbor {remote} remote-as {}\n neighbor {remote} timers connect 1\n \
         neighbor {remote} advertisement-interval 0\n",
        neighbor.asn
    );
    if neighbor.multihop {
        text += &format!(" neighbor {remote} disable-connected-check\n");
    }
    let mut line = |words: String| text += &format!(" neighbor {remote} {words}\n");
    if let Some(password) = &neighbor.password {
        line(format!("password {password}"));
    }
    if neighbor.ttl_security {
        line("ttl-security hops 1".to_owned());
    }
    if let Some(role) = neighbor.role {
        line(format!("local-role {role}"));
    }
    if let Some(interval) = neighbor.bfd {
        line(format!("bfd 3 {interval} {interval}"));
        line("bfd check-control-plane-failure".to_owned());
    }
    text
}

/// TELL marks what the router announces. On the way out, what must not leave the next AS is marked too: done earlier,
/// FRR itself would keep it. For IPv6 over a session of IPv4, FRR takes the interface's IPv6 address, but it announces
/// the unusable `::ffff:192.0.2.1` where the session is up before bgpd has learned that address. So it is told.
fn route_maps(site: &Site) -> String {
    let target = EXTENDED.trim_start_matches("rt:");
    let mut text = format!(
        "ip prefix-list HIDDEN permit {HIDDEN}\n\
         route-map TELL permit 10\n set community {COMMUNITY}\n set large-community {LARGE}\n \
         set extcommunity rt {target}\nexit\n\
         route-map OUT4 permit 10\n match ip address prefix-list HIDDEN\n set community no-export additive\nexit\n\
         route-map OUT4 permit 20\nexit\n"
    );
    if site.neighbors.iter().any(|n| n.families.contains(&1)) {
        text += &format!(
            "route-map OUT6 permit 10\n set ipv6 next-hop global {}\nexit\n",
            site.addresses[1]
        );
    }
    text
}
