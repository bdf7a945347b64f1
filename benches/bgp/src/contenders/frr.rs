//! FRR: bgpd with peer groups, which tells zebra nothing (`-n`), and zebra for what it knows of next hops. `coalesce-time 0`, as FRR
//! otherwise holds updates for seconds where it has many peers, and nobody else does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bench_support::frr;
use bench_support::place::{Program, write};

use crate::scene::{Peer, Place, ROUTER, ROUTER_AS, Role, Scene};

/// A thousand peers are set up after a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts both, and waits until bgpd waits for its peers.
pub fn start(place: &Place, scene: &Scene, folder: &Path) -> anyhow::Result<Vec<Program>> {
    let config = write(folder, "frr.conf", &config(scene))?;
    let programs = frr::start(&place.router, folder, &config, &["-n"])?;
    let began = Instant::now();
    while waiting(folder)? < scene.peers.len() {
        ensure!(
            began.elapsed() < PATIENCE,
            "bgpd's peers do not wait for connections"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(programs)
}

/// How many peers are set up. For a second or two after its start bgpd takes connections whose sessions it ends again.
fn waiting(folder: &Path) -> anyhow::Result<usize> {
    let told = Command::new("vtysh")
        .arg("--vty_socket")
        .arg(folder)
        .args(["-d", "bgpd", "-c", "show bgp summary"])
        .output()
        .context("cannot run vtysh")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    Ok(told
        .lines()
        .filter(|line| line.split_whitespace().any(|word| word == "Active"))
        .count())
}

fn group(role: Role) -> &'static str {
    match role {
        Role::Feeder => "feeders",
        Role::Receiver => "receivers",
        Role::Client => "clients",
        Role::Member => "members",
    }
}

fn config(scene: &Scene) -> String {
    let mut text = format!(
        "frr defaults traditional\nlog stdout warnings\n!\nrouter bgp {ROUTER_AS}\n bgp router-id {}\n \
         no bgp ebgp-requires-policy\n no bgp network import-check\n timers bgp 30 90\n coalesce-time 0\n",
        ROUTER[0]
    );
    if scene.reflects() {
        let _ = writeln!(text, " bgp cluster-id {}", ROUTER[0]);
    }
    let groups: BTreeMap<&str, &Peer> = scene.peers.iter().map(|peer| (group(peer.role), peer)).collect();
    for (name, peer) in &groups {
        let _ = writeln!(text, " neighbor {name} peer-group");
        let _ = writeln!(
            text,
            " neighbor {name} passive\n neighbor {name} advertisement-interval 0"
        );
        if !peer.external() {
            let _ = writeln!(text, " neighbor {name} remote-as {ROUTER_AS}");
        }
    }
    for peer in &scene.peers {
        if peer.external() {
            let _ = writeln!(text, " neighbor {} remote-as {}", peer.address, peer.asn);
        }
        let _ = writeln!(text, " neighbor {} peer-group {}", peer.address, group(peer.role));
    }
    text += " !\n address-family ipv4 unicast\n";
    for block in &scene.originate {
        let _ = writeln!(text, "  network {block}");
    }
    for (name, peer) in &groups {
        let _ = writeln!(text, "  neighbor {name} send-community all");
        if peer.role == Role::Client {
            let _ = writeln!(text, "  neighbor {name} route-reflector-client");
        }
        if peer.role == Role::Feeder && scene.keeps_feeders_apart() {
            let _ = writeln!(text, "  neighbor {name} route-map nothing out");
        }
    }
    text + " exit-address-family\n!\nroute-map nothing deny 10\n!\n"
}
