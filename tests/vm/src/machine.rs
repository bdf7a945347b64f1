//! The kinds of machine, and one run of one of them from its folder to its last process.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::error::Error;
use crate::job::{Job, Order};
use crate::kernel::Kernel;
use crate::modules::Index;
use crate::processes;
use crate::run::{self, Outcome, Running};
use crate::{qemu, uml};

/// Tells the machines of one process apart.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// How the folders of machines are called; the pid of their owner and a number follow.
const PREFIX: &str = "roadbed-vm-";

/// A kind of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    /// User-mode Linux: up in seconds, one CPU; no nftables for IPv4 or `inet`.
    Uml,
    /// QEMU in software emulation: a whole kernel of the distribution, slow.
    Qemu,
}

impl Machine {
    /// Its name in messages and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Machine::Uml => "uml",
            Machine::Qemu => "qemu",
        }
    }

    /// Boots, runs the program of the job, passes on what it prints, turns the machine off. Whatever happens, no process
    /// and no file of the machine is left.
    ///
    /// # Errors
    /// Where something is not installed, the machine does not come up or passes its deadline. A program that
    /// fails is no error but an [`Outcome`].
    pub fn run(self, job: &Job, output: &mut (dyn Write + Send)) -> Result<Outcome, Error> {
        let kernel = Kernel::find(self)?;
        let dir = folder()?;
        let guest = job.find_guest()?;
        for name in ["init", "modprobe"] {
            std::os::unix::fs::symlink(&guest, dir.path().join(name))
                .map_err(Error::system("prepare the machine's folder"))?;
        }
        let order = self.order(job, &kernel, dir.path())?;
        order.write(dir.path())?;
        let command = match self {
            Machine::Uml => uml::command(&kernel, dir.path())?,
            Machine::Qemu => qemu::command(&kernel, dir.path())?,
        };
        let running = Running::start(self, wrapped(command, dir.path())?, init_argument(dir.path()))?;
        run::follow(
            running,
            &order.mark,
            job.deadline,
            &dir.path().join("early.log"),
            output,
        )
    }

    fn order(self, job: &Job, kernel: &Kernel, dir: &Path) -> Result<Order, Error> {
        let program = job.program.canonicalize().map_err(Error::system(format!(
            "find the program {}",
            job.program.display()
        )))?;
        let folder = std::env::current_dir().map_err(Error::system("find the working folder"))?;
        // The guest needs a layer over its root before anything else.
        let names: Vec<&str> = std::iter::once("overlay")
            .chain(job.modules.iter().map(String::as_str))
            .collect();
        let modules = Index::read(&kernel.modules)?.files(&names)?;
        let unique = dir.file_name().unwrap_or_default().to_string_lossy();
        Ok(Order {
            program,
            args: job.args.clone(),
            env: job.env.clone(),
            folder,
            modules,
            modules_dir: kernel.modules.clone(),
            output: match self {
                Machine::Uml => uml::OUTPUT.into(),
                Machine::Qemu => qemu::OUTPUT.into(),
            },
            mark: format!("@{unique}"),
            seconds: job.deadline.as_secs().max(1),
        })
    }
}

/// A folder of the machine's own, readable from inside: its name makes the machine's command line unique.
fn folder() -> Result<TempDir, Error> {
    sweep(&std::env::temp_dir());
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-{number}-", std::process::id()))
        .tempdir()
        .map_err(Error::system("make a folder for the machine"))
}

/// Ends what owners that were killed have left: folders of processes that are gone, and machines of such folders.
fn sweep(temporary: &Path) {
    let Ok(entries) = std::fs::read_dir(temporary) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(owner) = owner.and_then(|pid| pid.parse::<u32>().ok()) else {
            continue;
        };
        if !Path::new("/proc").join(owner.to_string()).exists() {
            processes::end_all(&init_argument(&path));
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

/// The argument by which the machine's first process and all processes of the machine are found.
pub(crate) fn init_argument(dir: &Path) -> String {
    format!("init={}", dir.join("init").display())
}

/// The machine's command behind a shell that sorts its streams: what it prints itself goes to a file (user-mode Linux
/// writes some of it several times over), descriptor 3 carries the program, 4 the console. The machine
/// ends with the one who started it.
fn wrapped(mut command: Command, dir: &Path) -> Result<Command, Error> {
    let early = dir.join("early.log");
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .collect();
    let mut shell = Command::new("setpriv");
    shell
        .args(["--pdeathsig", "TERM", "--", "/bin/sh", "-c"])
        .arg("exec 3>&1 4>&2 >\"$0\" 2>&1; exec \"$@\"")
        .arg(early)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    command.stdin(Stdio::null());
    Ok(shell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_owner_left_is_swept_and_nothing_else() {
        let temporary = tempfile::tempdir().expect("a folder");
        let mut gone = Command::new("true").spawn().expect("true starts");
        gone.wait().expect("it ends");
        let dead = temporary.path().join(format!("{PREFIX}{}-0-a", gone.id()));
        let alive = temporary
            .path()
            .join(format!("{PREFIX}{}-0-a", std::process::id()));
        let strange = temporary.path().join(format!("{PREFIX}x"));
        for dir in [&dead, &alive, &strange] {
            std::fs::create_dir(dir).expect("a folder");
        }
        sweep(temporary.path());
        assert!(!dead.exists());
        assert!(alive.exists() && strange.exists());
    }
}
