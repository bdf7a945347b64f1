//! What an interrupted run leaves behind: fabrics and folders whose names begin with the number of their process. A signal removes
//! the run's own before it ends; what a killed run could not remove, the next one does.

use std::path::Path;

use anyhow::Context;
use lab::Lab;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How the names of fabrics begin, before the number of the process.
const FABRIC: &str = "fo";

/// And those of folders.
const FOLDER: &str = "bench-failover-";

/// How the fabrics of this process are called.
pub fn fabric(number: u32, case: &str) -> String {
    format!("{FABRIC}{}-{number}-{case}", std::process::id())
}

/// How its folders are.
pub fn folder() -> String {
    format!("{FOLDER}{}-", std::process::id())
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
        .filter(|name| owner(name, FABRIC).is_some_and(&of))
    {
        let gone = Lab::find(name).and_then(|lab| lab.map(Lab::down).transpose());
        if let Err(error) = gone {
            eprintln!("fabric {name} is not removed: {error}");
        }
    }
    let folders = std::fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten();
    for folder in folders {
        let name = folder.file_name().to_string_lossy().into_owned();
        if owner(&name, FOLDER).is_some_and(&of)
            && let Err(error) = std::fs::remove_dir_all(folder.path())
        {
            eprintln!("{} is not removed: {error}", folder.path().display());
        }
    }
}

/// The process that a name belongs to.
fn owner(name: &str, prefix: &str) -> Option<u32> {
    name.strip_prefix(prefix)?.split_once('-')?.0.parse().ok()
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
    use super::{FABRIC, FOLDER, fabric, folder, owner, runs};

    #[test]
    fn names_tell_their_process() {
        let own = std::process::id();
        assert_eq!(owner(&fabric(3, "racks"), FABRIC), Some(own));
        assert_eq!(owner(&format!("{}abc", folder()), FOLDER), Some(own));
        assert_eq!(owner("t12-3-racks", FABRIC), None);
        assert_eq!(owner("four-3", FABRIC), None);
        assert!(runs(own) && !runs(1), "another program is not this one");
    }
}
