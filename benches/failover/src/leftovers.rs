//! What an interrupted run leaves behind: fabrics and folders whose names begin with the number of their process. A signal removes
//! the run's own before it ends; what a killed run could not remove, the next one does.

use std::path::Path;

use anyhow::Context;
use bench_support::leftovers::Mark;
use lab::Lab;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How the names of fabrics begin.
const FABRIC: Mark = Mark("fo");

/// And those of folders.
pub const FOLDER: Mark = Mark("bench-failover-");

/// How the fabrics of this process are called.
pub fn fabric(number: u32, case: &str) -> String {
    FABRIC.name(&format!("{number}-{case}"))
}

/// Removes what earlier runs have left, and from now on what this one has when a signal ends it.
pub fn watch() -> anyhow::Result<()> {
    sweep(|owner| owner != std::process::id() && !runs(owner));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            eprintln!("interrupted: fabrics are removed");
            sweep(|owner| owner == std::process::id());
            // What shells give a program that was interrupted.
            std::process::exit(130);
        }
    });
    Ok(())
}

/// Removes fabrics and folders of some processes.
fn sweep(of: impl Fn(u32) -> bool) {
    for name in Lab::names()
        .iter()
        .filter(|name| FABRIC.owner(name).is_some_and(&of))
    {
        let gone = Lab::find(name).and_then(|lab| lab.map(Lab::down).transpose());
        if let Err(error) = gone {
            eprintln!("fabric {name} is not removed: {error}");
        }
    }
    FOLDER.sweep_folders(of);
}

/// Whether a process is there, and one of this program. One that has ended, and that nobody has waited for, has no program any more.
fn runs(process: u32) -> bool {
    let dir = |process: &str| Path::new("/proc").join(process);
    let name = |process: &str| std::fs::read_to_string(dir(process).join("comm")).ok();
    let process = process.to_string();
    dir(&process).join("exe").read_link().is_ok() && name(&process) == name("self")
}

#[cfg(test)]
mod tests {
    use super::{FABRIC, fabric, runs};

    #[test]
    fn names_tell_their_process() {
        let own = std::process::id();
        assert_eq!(FABRIC.owner(&fabric(3, "racks")), Some(own));
        assert_eq!(FABRIC.owner("t12-3-racks"), None);
        assert_eq!(FABRIC.owner("four-3"), None);
        assert!(runs(own) && !runs(1), "another program is not this one");
    }
}
