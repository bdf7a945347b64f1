//! The machine's first process: `roadbed-vm` as process 1, and as the kernel's `modprobe`.
//!
//! It finds its order by the `init=` argument of the kernel's command line, loads modules, puts a layer of changes over
//! the read-only root ([`mounts`]), runs the program on the terminal that leads outside, says on the
//! console how it ended, and turns the machine off. It must not fail: whatever goes wrong is said on the
//! console, and the machine is off.

mod load;
mod mounts;
mod program;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};

use crate::error::Error;
use crate::job::Order;
use crate::protocol::Word;

/// Longer than the one outside waits: the guest's own deadline is for the case that nobody is there any more.
const GRACE: Duration = Duration::from_secs(5);

/// Runs as process 1; does not return but through the end of the machine.
pub fn first_process() {
    let mut mark = String::from("@unknown");
    let word = match work(&mut mark) {
        Ok(word) => word,
        Err(error) => Word::Failed(error.to_string()),
    };
    say(&word.line(&mark));
    nix::unistd::sync();
    // Returns only where the kernel refuses; then process 1 ends, the kernel panics, and the machine is off too.
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

/// Runs as the kernel's `modprobe`: `modprobe -q -- NAME`. Whether something was loaded.
pub fn modprobe(arguments: &[String]) -> bool {
    let Ok(dir) = folder() else { return false };
    let names = arguments.iter().filter(|a| !a.starts_with('-'));
    Order::read(&dir).is_ok_and(|order| {
        let loaded = names.map(|name| load::asked(&order.modules_dir, name));
        loaded.fold(false, |any, one| any | one)
    })
}

fn work(mark: &mut String) -> Result<Word, Error> {
    mounts::proc()?;
    let dir = folder()?;
    let order = Order::read(&dir)?;
    mark.clone_from(&order.mark);
    let last_word = Word::Failed("nobody turned the machine off in time".into()).line(mark);
    let seconds = Duration::from_secs(order.seconds) + GRACE;
    std::thread::spawn(move || {
        std::thread::sleep(seconds);
        say(&last_word);
        let _ = reboot(RebootMode::RB_POWER_OFF);
    });
    // Modules ask for others as they start, such as a checksum's best implementation.
    let modprobe = dir.join("modprobe").display().to_string();
    std::fs::write("/proc/sys/kernel/modprobe", modprobe).map_err(Error::system("set kernel.modprobe"))?;
    load::files(&order.modules)?;
    mounts::root()?;
    settle()?;
    say(&Word::Up.line(mark));
    program::run(&order).map(Word::Ended)
}

/// The machine's folder, by `init=FOLDER/init` on the kernel's command line.
fn folder() -> Result<PathBuf, Error> {
    let line = std::fs::read_to_string("/proc/cmdline").map_err(Error::system("read /proc/cmdline"))?;
    let word = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("init="));
    word.and_then(|path| Path::new(path).parent())
        .map(Path::to_owned)
        .ok_or_else(|| Error::Request(format!("no init= on the kernel's command line: {line}")))
}

/// What a distribution's first process sets up and programs rely on.
fn settle() -> Result<(), Error> {
    nix::unistd::sethostname("roadbed-vm").map_err(Error::system("set the host name"))?;
    let up = std::process::Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .env("PATH", program::PATH)
        .status()
        .map_err(Error::system("run ip"))?;
    if up.success() {
        Ok(())
    } else {
        Err(Error::Request("ip cannot set the loopback up".into()))
    }
}

/// Says a line on the console.
fn say(line: &str) {
    if let Ok(mut console) = OpenOptions::new().write(true).open("/dev/console") {
        let _ = console.write_all(format!("\n{line}\n").as_bytes());
        let _ = nix::sys::termios::tcdrain(&console);
    }
}
