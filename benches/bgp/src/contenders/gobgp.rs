//! GoBGP, without zebra.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bench_support::place::{Program, write};

use crate::route::Prefix;
use crate::scene::{Peer, Place, ROUTER, ROUTER_AS, Role, Scene};

/// Its command line is needed to make it announce something by itself; it may take so long to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts it, and has it announce what the scene wants of it.
pub fn start(place: &Place, scene: &Scene, folder: &Path) -> anyhow::Result<Vec<Program>> {
    let config = write(folder, "gobgp.toml", &config(scene))?;
    let argv = [
        "gobgpd",
        "-f",
        &config,
        "-l",
        "warn",
        "--api-hosts",
        "127.0.0.1:50051",
    ];
    let program = place.router.start(&argv, &folder.join("gobgpd.log"))?;
    for block in &scene.originate {
        announce(place, *block)?;
    }
    Ok(vec![program])
}

fn announce(place: &Place, block: Prefix) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let told = Command::new("ip")
            .args([
                "netns",
                "exec",
                place.router.name(),
                "gobgp",
                "global",
                "rib",
                "add",
            ])
            .args([&block.to_string(), "origin", "igp", "-a", "ipv4"])
            .output()
            .context("cannot run gobgp")?;
        if told.status.success() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!(
                "gobgp: {}",
                String::from_utf8_lossy(&[told.stdout, told.stderr].concat())
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn config(scene: &Scene) -> String {
    let mut text = format!(
        "[global.config]\n  as = {ROUTER_AS}\n  router-id = \"{}\"\n",
        ROUTER[0]
    );
    if scene.keeps_feeders_apart() {
        let feeders = scene.peers.iter().filter(|peer| peer.role == Role::Feeder);
        let feeders: Vec<String> = feeders.map(|peer| format!("\"{}/32\"", peer.address)).collect();
        let _ = write!(
            text,
            "[global.apply-policy.config]\n  export-policy-list = [\"apart\"]\n  default-export-policy = \"accept-route\"\n\
             [[defined-sets.neighbor-sets]]\n  neighbor-set-name = \"feeders\"\n  neighbor-info-list = [{}]\n\
             [[policy-definitions]]\n  name = \"apart\"\n  [[policy-definitions.statements]]\n    name = \"nothing\"\n    \
             [policy-definitions.statements.conditions.match-neighbor-set]\n      neighbor-set = \"feeders\"\n      \
             match-set-options = \"any\"\n    [policy-definitions.statements.actions]\n      route-disposition = \"reject-route\"\n",
            feeders.join(", ")
        );
    }
    for peer in &scene.peers {
        text += &neighbor(peer);
    }
    text
}

fn neighbor(peer: &Peer) -> String {
    let mut text = format!(
        "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{}\"\n    peer-as = {}\n  [neighbors.transport.config]\n    \
         passive-mode = true\n    local-address = \"{}\"\n  [neighbors.timers.config]\n    hold-time = 90\n    keepalive-interval = 30\n",
        peer.address,
        peer.asn,
        peer.router()
    );
    if peer.role == Role::Client {
        let _ = write!(
            text,
            "  [neighbors.route-reflector.config]\n    route-reflector-client = true\n    route-reflector-cluster-id = \"{}\"\n",
            ROUTER[0]
        );
    }
    text
}
