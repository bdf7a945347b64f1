//! The program of the order: started on the terminal that leads outside, waited for, and everything that it
//! left behind ended.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;

use crate::error::Error;
use crate::job::Order;
use crate::run::Status;

/// Where programs are.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs it to its end.
pub fn run(order: &Order) -> Result<Status, Error> {
    let terminal = terminal(&order.output)?;
    let share = || terminal.try_clone().map_err(Error::system("share the terminal"));
    let variables = order
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let child = Command::new(&order.program)
        .args(&order.args)
        .env_clear()
        .envs([("PATH", PATH), ("HOME", "/root"), ("TERM", "dumb")])
        .envs(variables)
        .current_dir(&order.folder)
        .stdin(Stdio::null())
        .stdout(share()?)
        .stderr(share()?)
        .spawn()
        .map_err(Error::system(format!("start {}", order.program.display())))?;
    let pid =
        Pid::from_raw(i32::try_from(child.id()).map_err(|_| Error::Request("a pid beyond i32".into()))?);
    let status = reap(pid)?;
    // Whatever it left behind must not write after the last word.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    let _ = tcdrain(&terminal);
    Ok(status)
}

/// Opens the terminal and sets it to pass bytes as they are.
fn terminal(path: &Path) -> Result<File, Error> {
    let what = || format!("prepare the terminal {}", path.display());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::system(what()))?;
    let mut settings = tcgetattr(&file).map_err(Error::system(what()))?;
    cfmakeraw(&mut settings);
    tcsetattr(&file, SetArg::TCSANOW, &settings).map_err(Error::system(what()))?;
    Ok(file)
}

/// Waits for the program; process 1 is also the parent of all orphans, which end on the way.
fn reap(program: Pid) -> Result<Status, Error> {
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, code)) if pid == program => return Ok(Status::Exited(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => {
                return Ok(Status::Killed(signal as i32));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(Error::system("wait for the program")(e)),
        }
    }
}
