//! The agent: resources in a file, nothing into the kernel.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use bench_support::place::write;

use super::{Agent, Started};
use crate::scene::{Place, ROUTER, ROUTER_AS, Role, Scene};

/// Starts it, unless it says itself that it cannot do what the scene needs.
pub fn start(place: &Place, scene: &Scene, folder: &Path, agent: &Agent) -> anyhow::Result<Started> {
    ensure!(
        agent.program.exists(),
        "{} is missing: build it in the same profile, or say --roadbed",
        agent.program.display()
    );
    let program = agent.program.display().to_string();
    // Where the agent knows BFD, it is off: no peer here speaks it.
    let mut refused = String::new();
    let mut accepted = None;
    for settings in [", bfd: { mode: Off }", ""] {
        let file = write(folder, "resources.yaml", &resources(scene, settings))?;
        let told = Command::new(&program)
            .args(["validate", &file])
            .output()
            .context("cannot run the agent")?;
        if told.status.success() {
            accepted = Some(file);
            break;
        }
        let here = format!("{}/", folder.display());
        refused = String::from_utf8_lossy(&[told.stderr, told.stdout].concat()).replace(&here, "");
    }
    let Some(resources) = accepted else {
        let why = refused
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        return Ok(Started::NotAble(why.trim().to_owned()));
    };
    let here = folder.display();
    let config = write(
        folder,
        "agent.yaml",
        &format!(
            "nodeName: n1\ndatastore: {{ kind: file, path: {resources} }}\nstateDir: {here}/state\nsocket: {here}/agent.sock\n\
             metrics: off\n{}\n",
            agent.lines.join("\n")
        ),
    )?;
    std::fs::create_dir_all(folder.join("state")).context("cannot make the agent's folder")?;
    let argv = ["env", "RUST_LOG=warn", &program, "agent", "--config", &config];
    let started = place.router.start(&argv, &folder.join("agent.log"))?;
    Ok(Started::Running(vec![started]))
}

fn resources(scene: &Scene, settings: &str) -> String {
    let mut text = format!(
        "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
         spec: {{ asNumber: {ROUTER_AS}, nodeToNodeMeshEnabled: false, installRoutes: false{settings} }}\n"
    );
    if !scene.originate.is_empty() {
        text += "---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: { name: pods }\nspec: { cidr: 10.244.0.0/16 }\n";
    }
    let blocks: Vec<String> = scene.originate.iter().map(ToString::to_string).collect();
    let reflector = if scene.reflects() {
        format!(", routeReflectorClusterID: {}", ROUTER[0])
    } else {
        String::new()
    };
    let _ = write!(
        text,
        "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n1 }}\n\
         spec: {{ bgp: {{ ipv4Address: {}/16{reflector} }}, podCIDRs: [{}] }}\n",
        ROUTER[0],
        blocks.join(", ")
    );
    for peer in &scene.peers {
        let address = peer.address;
        let name = address.to_string().replace('.', "-");
        let transit = if peer.role == Role::Receiver {
            ", transit: true"
        } else {
            ""
        };
        let _ = write!(
            text,
            "---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: p-{name} }}\n\
             spec: {{ peerIP: {address}, asNumber: {}, passive: true, sourceAddress: None{transit} }}\n",
            peer.asn
        );
    }
    text
}
