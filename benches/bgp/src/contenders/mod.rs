//! Who is measured: each with its configuration for a scene, and how it is started. Settings are the same for all: nothing into a
//! kernel, no policy but what a case needs, hold time 90, keepalive 30, updates at once, every peer passive, no graceful restart, no BFD,
//! warnings into a file.

mod bird;
mod copy;
mod frr;
mod gobgp;
mod roadbed;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;
use bench_support::place::Program;

use crate::scene::{Place, Scene};

pub use copy::relay;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// The agent.
    Roadbed,
    /// BIRD.
    Bird,
    /// FRR: zebra and bgpd.
    Frr,
    /// GoBGP.
    Gobgp,
    /// A relay of bytes: what sockets and this program itself take.
    Copy,
}

/// What came of a start.
#[derive(Debug)]
pub enum Started {
    /// It runs.
    Running(Vec<Program>),
    /// It cannot do this; why.
    NotAble(String),
}

impl Contender {
    /// By its name.
    pub fn named(name: &str) -> anyhow::Result<Contender> {
        let all = [
            Contender::Roadbed,
            Contender::Bird,
            Contender::Frr,
            Contender::Gobgp,
            Contender::Copy,
        ];
        match all.into_iter().find(|contender| contender.name() == name) {
            Some(contender) => Ok(contender),
            None => bail!("there is no {name}: roadbed, bird, frr, gobgp, copy"),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Roadbed => "roadbed",
            Contender::Bird => "bird",
            Contender::Frr => "frr",
            Contender::Gobgp => "gobgp",
            Contender::Copy => "copy",
        }
    }

    /// Whether it is a router.
    pub fn routes(self) -> bool {
        self != Contender::Copy
    }

    /// Starts it for a scene.
    pub fn start(
        self,
        place: &Place,
        scene: &Scene,
        folder: &Path,
        agent: &Agent,
    ) -> anyhow::Result<Started> {
        let running = match self {
            Contender::Roadbed => return roadbed::start(place, scene, folder, agent),
            Contender::Bird => bird::start(place, scene, folder)?,
            Contender::Frr => frr::start(place, scene, folder)?,
            Contender::Gobgp => gobgp::start(place, scene, folder)?,
            Contender::Copy => copy::start(place, scene, folder)?,
        };
        Ok(Started::Running(running))
    }

    /// The version that it tells.
    pub fn version(self, agent: &Agent) -> String {
        let program = match self {
            Contender::Roadbed => agent.program.display().to_string(),
            Contender::Bird => "bird".to_owned(),
            Contender::Frr => match bench_support::frr::program("bgpd") {
                Ok(path) => path,
                Err(_) => return "FRR is missing".to_owned(),
            },
            Contender::Gobgp => "gobgpd".to_owned(),
            Contender::Copy => return "a relay of bytes".to_owned(),
        };
        let told = Command::new(&program).arg("--version").output();
        let told = told
            .map(|told| [told.stdout, told.stderr].concat())
            .unwrap_or_default();
        let first = String::from_utf8_lossy(&told);
        let first = first.lines().next().unwrap_or("no version");
        if self == Contender::Gobgp && !first.contains("obgp") {
            format!("gobgpd {first}")
        } else {
            first.to_owned()
        }
    }
}

/// How the agent is started.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The program.
    pub program: PathBuf,
    /// Further lines of its file.
    pub lines: Vec<String>,
}
