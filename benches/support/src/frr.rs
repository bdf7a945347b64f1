//! FRR's daemons in a folder of their own: zebra, and bgpd when zebra listens.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::place::{Namespace, Program, write};

/// Long enough for zebra to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts both, bgpd with this configuration file, which lies in the folder; the folder becomes FRR's.
pub fn start(
    namespace: &Namespace,
    folder: &Path,
    config: &str,
    bgpd: &[&str],
) -> anyhow::Result<Vec<Program>> {
    // It has nothing to set, and would complain about every line that is for bgpd.
    let plain = write(
        folder,
        "zebra.conf",
        "frr defaults traditional\nlog stdout warnings\n",
    )?;
    let owned = Command::new("chown").args(["-R", "frr:frr"]).arg(folder).status();
    ensure!(
        owned.is_ok_and(|status| status.success()),
        "there is no user frr: run scripts/install-deps bench"
    );
    let here = folder.display().to_string();
    let socket = folder.join("zserv.api");
    let zserv = socket.display().to_string();
    let start = |daemon: &str, config: &str, more: &[&str]| {
        let program = program(daemon)?;
        let pid = folder.join(format!("{daemon}.pid")).display().to_string();
        let words = [
            "-u",
            "frr",
            "-g",
            "frr",
            "--vty_socket",
            &here,
            "-z",
            &zserv,
            "-f",
            config,
            "-i",
            &pid,
            "-P",
            "0",
        ];
        let argv = [&[program.as_str()], &words[..], more].concat();
        namespace.start(&argv, &folder.join(format!("{daemon}.log")))
    };
    let zebra = start("zebra", &plain, &[])?;
    let began = Instant::now();
    while !socket.exists() {
        ensure!(began.elapsed() < PATIENCE, "zebra does not listen at {zserv}");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(vec![zebra, start("bgpd", config, bgpd)?])
}

/// Where the distribution has a daemon of FRR.
pub fn program(daemon: &str) -> anyhow::Result<String> {
    let paths = ["/usr/lib/frr", "/usr/libexec/frr"].map(|folder| format!("{folder}/{daemon}"));
    let found = paths.into_iter().find(|path| Path::new(path).is_file());
    found.with_context(|| format!("FRR's {daemon} is missing: run scripts/install-deps bench"))
}
