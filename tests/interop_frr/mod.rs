//! The agent and FRR: routes of both families both ways, withdrawals, and every way to lose a session.

use serde_json::Value;

use crate::support::interop::{self, Learned, ROUTER, Router, Session, THEIR_ADDRESS, THEIRS};
use crate::support::{Builder, Fabric};

/// FRR of the distribution.
struct Frr;

impl Router for Frr {
    fn add(&self, builder: Builder, session: Session, exec: &[&str]) -> Builder {
        builder.frr(ROUTER, &config(session), exec)
    }

    fn announce(&self, fabric: &Fabric, session: Session, on: bool) {
        let no = if on { "" } else { "no " };
        for family in session.families() {
            let name = ["ipv4", "ipv6"][family];
            vtysh(
                fabric,
                &[
                    "configure terminal",
                    &format!("router bgp {}", session.their_as()),
                    &format!("address-family {name} unicast"),
                    &format!("{no}network {}", THEIRS[family]),
                ],
            );
        }
    }

    fn learned(&self, fabric: &Fabric, prefix: &str) -> Result<Learned, String> {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        let text = vtysh(fabric, &[&format!("show bgp {family} unicast {prefix} json")]);
        let route: Value =
            serde_json::from_str(&text).map_err(|e| format!("FRR wrote no JSON: {e}: {text}"))?;
        let path = route
            .pointer("/paths/0")
            .ok_or_else(|| format!("FRR has no {prefix}"))?;
        let as_path = path
            .pointer("/aspath/string")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let hops = path.pointer("/nexthops").and_then(Value::as_array);
        let hops = hops.into_iter().flatten().filter_map(|h| h.get("ip")?.as_str());
        Ok(Learned {
            // FRR writes "Local" for the empty path of iBGP.
            as_path: as_path
                .split_whitespace()
                .filter_map(|asn| asn.parse().ok())
                .collect(),
            next_hops: hops.map(str::to_owned).collect(),
        })
    }

    fn process(&self) -> &'static str {
        "bgpd"
    }

    fn restart(&self, fabric: &Fabric) {
        let folders = ["/usr/lib/frr/bgpd", "/usr/libexec/frr/bgpd"];
        let program = folders
            .iter()
            .find(|p| std::path::Path::new(p).is_file())
            .expect("FRR is installed");
        fabric.start(
            ROUTER,
            &format!("{program} -u frr -g frr -P 0 -f /etc/frr/frr.conf"),
        );
    }
}

fn vtysh(fabric: &Fabric, commands: &[&str]) -> String {
    let words = commands.iter().flat_map(|command| ["-c", command]);
    let argv: Vec<&str> = std::iter::once("vtysh").chain(words).collect();
    fabric.exec_ok(ROUTER, &argv).unwrap_or_else(|e| panic!("{e}"))
}

fn config(session: Session) -> String {
    let (neighbor, asn) = (session.ours(), session.their_as());
    let mut text = format!(
        "frr defaults traditional\nlog stdout warnings\n!\nrouter bgp {asn}\n bgp router-id 192.0.2.1\n \
         no bgp default ipv4-unicast\n no bgp ebgp-requires-policy\n no bgp network import-check\n \
         timers bgp 3 9\n neighbor {neighbor} remote-as 64512\n neighbor {neighbor} timers connect 1\n"
    );
    for family in session.families() {
        let name = ["ipv4", "ipv6"][family];
        text += &format!(
            " !\n address-family {name} unicast\n  network {}\n  neighbor {neighbor} activate\n{} exit-address-family\n",
            THEIRS[family],
            next_hop(session, family)
        );
    }
    text += "exit\n!\nroute-map NEXT-HOP permit 10\n";
    text + &format!(" set ipv6 next-hop global {}\nexit\n", THEIR_ADDRESS[1])
}

/// For IPv6 over a session of IPv4, FRR takes the interface's IPv6 address, but it announces the unusable
/// `::ffff:192.0.2.1` where the session is up before bgpd has learned that address. So it is told.
fn next_hop(session: Session, family: usize) -> String {
    match (session.theirs().contains(':'), family) {
        (false, 1) => format!("  neighbor {} route-map NEXT-HOP out\n", session.ours()),
        _ => String::new(),
    }
}

#[test]
fn ebgp_routes_both_ways() {
    interop::exchange(&Frr, Session::External);
}

#[test]
fn ibgp_routes_both_ways() {
    interop::exchange(&Frr, Session::Internal);
}

#[test]
fn ebgp_over_ipv6_routes_both_ways() {
    interop::exchange(&Frr, Session::ExternalV6);
}

#[test]
fn a_killed_router_and_its_return() {
    interop::killed(&Frr, Session::External);
}

#[test]
fn a_link_that_goes_down_and_its_return() {
    interop::link_down(&Frr, Session::External);
}

#[test]
fn a_hanging_router_ends_by_the_hold_timer() {
    interop::hold_timer(&Frr, Session::Internal);
}
