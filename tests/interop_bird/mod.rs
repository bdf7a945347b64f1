//! The agent and BIRD: routes of both families both ways, withdrawals, and every way to lose a session.

use crate::support::interop::{self, Learned, OUR_AS, ROUTER, Router, Session, THEIR_ADDRESS, THEIRS};
use crate::support::{Builder, Fabric, require};

/// How it is started, and where it listens.
const COMMAND: &str = "bird -f -c /etc/r1.conf -s /run/bird.ctl -P /run/bird.pid";

/// BIRD 2 of the distribution.
struct Bird;

impl Router for Bird {
    fn add(&self, builder: Builder, session: Session, exec: &[&str]) -> Builder {
        require("bird", "bird2");
        builder.program(ROUTER, &config(session), COMMAND, exec)
    }

    fn announce(&self, fabric: &Fabric, session: Session, on: bool) {
        for family in session.families() {
            let name = ["their4", "their6"][family];
            birdc(
                fabric,
                &format!("{} {name}", if on { "enable" } else { "disable" }),
            );
        }
    }

    fn learned(&self, fabric: &Fabric, prefix: &str) -> Result<Learned, String> {
        let done = fabric.exec(
            ROUTER,
            &["birdc", "-s", "/run/bird.ctl", "show", "route", prefix, "all"],
        );
        let done = done.map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let attribute = |name: &str| {
            let lines = text
                .lines()
                .filter_map(move |line| line.trim().strip_prefix(name));
            lines
                .flat_map(str::split_whitespace)
                .map(str::to_owned)
                .collect::<Vec<String>>()
        };
        let next_hops = attribute("BGP.next_hop:");
        if next_hops.is_empty() {
            return Err(format!("BIRD has no {prefix}: {text}"));
        }
        let as_path = attribute("BGP.as_path:")
            .iter()
            .filter_map(|asn| asn.parse().ok())
            .collect();
        Ok(Learned { as_path, next_hops })
    }

    fn process(&self) -> &'static str {
        "cmd"
    }

    fn restart(&self, fabric: &Fabric) {
        fabric.start(ROUTER, COMMAND);
    }
}

fn birdc(fabric: &Fabric, command: &str) -> String {
    fabric.run(ROUTER, &format!("birdc -s /run/bird.ctl {command}"))
}

fn config(session: Session) -> String {
    let (ours, theirs, asn) = (session.ours(), session.theirs(), session.their_as());
    let mut channels = String::new();
    let mut statics = String::new();
    for family in session.families() {
        let name = ["ipv4", "ipv6"][family];
        channels += &format!(
            "  {name} {{ import all; export where source = RTS_STATIC; next hop address {}; }};\n",
            THEIR_ADDRESS[family]
        );
        statics += &format!(
            "protocol static their{} {{ {name}; route {} blackhole; }}\n",
            ["4", "6"][family],
            THEIRS[family]
        );
    }
    format!(
        "router id 192.0.2.1;\nprotocol device {{ }}\n{statics}protocol bgp node {{\n  local {theirs} as {asn};\n  \
         neighbor {ours} as {OUR_AS};\n  hold time 9;\n  keepalive time 3;\n  connect delay time 1;\n  \
         error wait time 1, 5;\n{channels}}}\n"
    )
}

#[test]
fn ebgp_routes_both_ways() {
    interop::exchange(&Bird, Session::External);
}

#[test]
fn ibgp_routes_both_ways() {
    interop::exchange(&Bird, Session::Internal);
}

#[test]
fn ebgp_over_ipv6_routes_both_ways() {
    interop::exchange(&Bird, Session::ExternalV6);
}

#[test]
fn a_killed_router_and_its_return() {
    interop::killed(&Bird, Session::External);
}

#[test]
fn a_link_that_goes_down_and_its_return() {
    interop::link_down(&Bird, Session::External);
}

#[test]
fn a_hanging_router_ends_by_the_hold_timer() {
    interop::hold_timer(&Bird, Session::Internal);
}
