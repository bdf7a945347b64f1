//! BIRD: no kernel protocol, one table, a protocol for each peer.

use std::fmt::Write as _;
use std::path::Path;

use bench_support::place::{Program, write};

use crate::scene::{Peer, Place, ROUTER, ROUTER_AS, Role, Scene};

/// Starts it.
pub fn start(place: &Place, scene: &Scene, folder: &Path) -> anyhow::Result<Vec<Program>> {
    let config = write(folder, "bird.conf", &config(scene))?;
    let (control, pid) = (folder.join("bird.ctl"), folder.join("bird.pid"));
    let (control, pid) = (control.display().to_string(), pid.display().to_string());
    let argv = ["bird", "-f", "-c", &config, "-s", &control, "-P", &pid];
    Ok(vec![place.router.start(&argv, &folder.join("bird.log"))?])
}

fn config(scene: &Scene) -> String {
    let mut text = format!(
        "log stderr {{ warning, error, fatal, bug, auth }};\nrouter id {};\nprotocol device {{ }}\n",
        ROUTER[0]
    );
    if !scene.originate.is_empty() {
        text += "protocol static {\n  ipv4;\n";
        for block in &scene.originate {
            let _ = writeln!(text, "  route {block} blackhole;");
        }
        text += "}\n";
    }
    text += "template bgp common {\n  passive yes;\n  hold time 90;\n  keepalive time 30;\n  graceful restart off;\n}\n";
    for (number, peer) in (1..).zip(&scene.peers) {
        text += &protocol(number, peer, scene.keeps_feeders_apart());
    }
    text
}

fn protocol(number: u32, peer: &Peer, apart: bool) -> String {
    let (role, channel) = match peer.role {
        Role::Feeder if apart => ("", "import all; export none;".to_owned()),
        Role::Feeder | Role::Receiver => ("", "import all; export all; next hop self;".to_owned()),
        // Its next hop is on a link: internal sessions would look for it in a table otherwise.
        Role::Client => (
            "direct; rr client; rr cluster id ",
            "import all; export all;".to_owned(),
        ),
        Role::Member => ("direct;", "import all; export all;".to_owned()),
    };
    let cluster = if peer.role == Role::Client {
        format!("{};", ROUTER[0])
    } else {
        String::new()
    };
    format!(
        "protocol bgp p{number} from common {{\n  local {} as {ROUTER_AS};\n  neighbor {} as {};\n  {role}{cluster}\n  \
         ipv4 {{ {channel} }};\n}}\n",
        peer.router(),
        peer.address,
        peer.asn
    )
}
