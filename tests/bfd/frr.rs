//! FRR's bfdd.

use std::time::Duration;

use serde_json::Value;

use super::router::{self, OUR_ADDRESS, OURS, ROUTER, Router, THEIR_ADDRESS, THEIRS};
use crate::support::{Builder, Fabric, check, eventually};

struct Frr;

impl Router for Frr {
    fn make(&self) -> &'static dyn crate::interop::makes::Router {
        &crate::interop::makes::Frr
    }

    fn add(&self, builder: Builder, family: usize, graceful: bool, exec: &[&str]) -> Builder {
        let (neighbor, own) = (OUR_ADDRESS[family], THEIR_ADDRESS[family]);
        let name = ["ipv4", "ipv6"][family];
        let config = format!(
            "frr defaults traditional\nlog stdout warnings\n!\nbfd\n profile fast\n  detect-multiplier {}\n  \
             receive-interval 100\n  transmit-interval 100\n exit\nexit\n!\nrouter bgp 65001\n bgp router-id 192.0.2.1\n \
             no bgp default ipv4-unicast\n no bgp ebgp-requires-policy\n no bgp network import-check\n \
             bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n timers bgp 80 240\n \
             neighbor {neighbor} remote-as 64512\n neighbor {neighbor} timers connect 1\n \
             neighbor {neighbor} update-source {own}\n !\n address-family {name} unicast\n  network {}\n  \
             neighbor {neighbor} activate\n exit-address-family\nexit\n",
            router::multiplier(graceful),
            THEIRS[family]
        );
        builder.frr_with_bfd(ROUTER, &config, exec)
    }

    /// bgpd forgets BFD of its neighbours if it reads of them before zebra knows of the addresses (FRR's pull request 17558):
    /// it is told when it has its session.
    fn start(&self, fabric: &Fabric, family: usize, graceful: bool) {
        let neighbor = OUR_ADDRESS[family];
        let bfd = format!("neighbor {neighbor} bfd");
        let profile = format!("neighbor {neighbor} bfd profile fast");
        let control_plane = format!("neighbor {neighbor} bfd check-control-plane-failure");
        let mut commands = vec!["configure terminal", "router bgp 65001"];
        let off = format!("no {bfd}");
        commands.extend([off.as_str(), &bfd, &profile]);
        if graceful {
            commands.push(&control_plane);
        }
        // And what bgpd says to a bfdd that does not listen yet is lost: it is told until bfdd knows.
        eventually("FRR's bfdd has heard of the neighbour", || {
            vtysh(fabric, &commands);
            let heard = lab::wait::until(Duration::from_secs(2), "the neighbour", || {
                let known = self.sessions(fabric);
                check(known.contains(&format!("peer {neighbor}")), || known.clone())
            });
            heard.map_err(|e| e.to_string())
        });
    }

    fn processes(&self) -> &'static [&'static str] {
        &["bgpd", "bfdd"]
    }

    fn has_ours(&self, fabric: &Fabric, family: usize) -> Result<(), String> {
        let name = ["ipv4", "ipv6"][family];
        let text = vtysh(
            fabric,
            &[&format!("show bgp {name} unicast {} json", OURS[family])],
        );
        let route: Value = serde_json::from_str(&text).map_err(|e| format!("no JSON: {e}: {text}"))?;
        let valid = route.pointer("/paths/0/valid").and_then(Value::as_bool);
        check(valid == Some(true), || text)
    }

    fn sessions(&self, fabric: &Fabric) -> String {
        vtysh(fabric, &["show bfd peers", "show interface eth1"])
    }

    fn blames_bfd(&self, fabric: &Fabric, family: usize) -> Result<(), String> {
        let neighbor = OUR_ADDRESS[family];
        let text = vtysh(fabric, &[&format!("show bgp neighbors {neighbor} json")]);
        let all: Value = serde_json::from_str(&text).map_err(|e| format!("no JSON: {e}: {text}"))?;
        let of = |field: &str| all[neighbor][field].as_str().unwrap_or_default().to_owned();
        let why = format!("{} {}", of("lastResetDueTo"), of("lastNotificationReason"));
        check(why.contains("BFD"), || why.clone())
    }

    fn switch_off(&self, fabric: &Fabric) -> bool {
        vtysh(fabric, &["configure terminal", "bfd", "profile fast", "shutdown"]);
        true
    }
}

fn vtysh(fabric: &Fabric, commands: &[&str]) -> String {
    let words = commands.iter().flat_map(|command| ["-c", command]);
    let argv: Vec<&str> = std::iter::once("vtysh").chain(words).collect();
    fabric.exec_ok(ROUTER, &argv).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_session_with_frr() {
    router::life(&Frr, 0);
}

#[test]
fn a_session_with_frr_over_ipv6() {
    router::life(&Frr, 1);
}

#[test]
fn frr_keeps_the_routes_of_an_agent_that_restarts() {
    router::restart(&Frr);
}
