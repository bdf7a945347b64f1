//! How each router is configured and started: one eBGP session with the feeder, no policy, everything into the kernel.

use std::path::Path;

use anyhow::{Context, ensure};
use bench_support::frr;
use bench_support::place::{Program, write};

use crate::bgp::{FEEDER_AS, ROUTER_AS};
use crate::place::{FEEDER, Place, ROUTER};

/// The agent, with the file datastore and one peer, and these lines in its file.
pub fn roadbed(
    place: &Place,
    folder: &Path,
    agent: &Path,
    settings: &[String],
) -> anyhow::Result<Vec<Program>> {
    ensure!(
        agent.exists(),
        "{} is missing: build it in the same profile, or say --roadbed",
        agent.display()
    );
    let here = folder.display();
    let resources = write(
        folder,
        "resources.yaml",
        &format!(
            "apiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: {{ name: default }}\n\
             spec: {{ asNumber: {ROUTER_AS}, nodeToNodeMeshEnabled: false }}\n---\n\
             apiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ cidr: 10.244.0.0/16 }}\n---\n\
             apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n1 }}\nspec: {{ bgp: {{ ipv4Address: {ROUTER}/24, \
             ipv6Address: 'fd00:b::11/64' }}, podCIDRs: [10.244.1.0/24] }}\n---\n\
             apiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: feeder }}\n\
             spec: {{ peerIP: {FEEDER}, asNumber: {FEEDER_AS} }}\n"
        ),
    )?;
    let config = write(
        folder,
        "agent.yaml",
        &format!(
            "nodeName: n1\ndatastore: {{ kind: file, path: {resources} }}\nstateDir: {here}/state\nsocket: {here}/agent.sock\n{}\n",
            settings.join("\n")
        ),
    )?;
    std::fs::create_dir_all(folder.join("state")).context("cannot make the agent's folder")?;
    let program = agent.display().to_string();
    let started = place.start(
        &[&program, "agent", "--config", &config],
        &folder.join("agent.log"),
    )?;
    Ok(vec![started])
}

/// BIRD with its kernel protocol.
pub fn bird(place: &Place, folder: &Path) -> anyhow::Result<Vec<Program>> {
    let config = write(
        folder,
        "bird.conf",
        &format!(
            "log stderr {{ warning, error, fatal, bug, auth }};\nrouter id {ROUTER};\nprotocol device {{ }}\nprotocol direct {{ ipv4; ipv6; }}\n\
             protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n\
             protocol kernel {{ ipv6 {{ import none; export where source = RTS_BGP; }}; }}\n\
             protocol bgp feeder {{\n  local {ROUTER} as {ROUTER_AS};\n  neighbor {FEEDER} as {FEEDER_AS};\n  hold time 240;\n  \
             connect delay time 1;\n  error wait time 1, 5;\n  ipv4 {{ import all; export none; }};\n  \
             ipv6 {{ import all; export none; }};\n}}\n"
        ),
    )?;
    let (control, pid) = (folder.join("bird.ctl"), folder.join("bird.pid"));
    let (control, pid) = (control.display().to_string(), pid.display().to_string());
    let argv = ["bird", "-f", "-c", &config, "-s", &control, "-P", &pid];
    Ok(vec![place.start(&argv, &folder.join("bird.log"))?])
}

/// FRR: zebra, and bgpd when zebra listens.
pub fn frr(place: &Place, folder: &Path) -> anyhow::Result<Vec<Program>> {
    let config = write(
        folder,
        "frr.conf",
        &format!(
            "frr defaults traditional\nlog stdout warnings\n!\nrouter bgp {ROUTER_AS}\n bgp router-id {ROUTER}\n \
             no bgp ebgp-requires-policy\n neighbor {FEEDER} remote-as {FEEDER_AS}\n neighbor {FEEDER} timers 80 240\n \
             neighbor {FEEDER} timers connect 1\n !\n address-family ipv6 unicast\n  neighbor {FEEDER} activate\n \
             exit-address-family\n!\n"
        ),
    )?;
    frr::start(&place.router, folder, &config, &[])
}
