//! User-mode Linux: the distribution's `linux.uml` as a process, the machine's root as its read-only root.
//!
//! Its memory is a file in `/dev/shm`. The second console carries what the program prints, the first one
//! the kernel's log and the guest's own words. On processors with a large state of extended registers (AMX) the
//! stock program panics: a small library (`uml/xstate.c`), compiled at run time, gives its ptrace calls the space
//! that they lack.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::kernel::Kernel;
use crate::machine::init_argument;
use crate::words::last_lines;

/// The terminal that leads to descriptor 3.
pub(crate) const OUTPUT: &str = "/dev/tty1";

/// Enough for a few agents and routers; only what is used is taken.
const MEMORY: &str = "mem=1G";

/// The library's source.
const XSTATE: &str = include_str!("uml/xstate.c");

/// The command line of a machine.
pub(crate) fn command(kernel: &Kernel, dir: &Path) -> Result<Command, Error> {
    let mut command = Command::new(&kernel.image);
    command
        .args([MEMORY, "rootfstype=hostfs", "root=/dev/root", "rootflags=/", "ro"])
        .arg(init_argument(dir))
        .args(["con=null", "con0=null,fd:4", "con1=null,fd:3", "quiet"])
        // The dynamic loader's and cargo's variables are none of its business; it takes unknown ones for the guest.
        .env("TMPDIR", "/dev/shm");
    if needs_xstate() {
        command.env("LD_PRELOAD", compile_xstate(dir)?);
    }
    Ok(command)
}

/// Whether the library is needed: as `ROADBED_VM_XSTATE` (`yes`, `no`) says, else where the processor has AMX.
fn needs_xstate() -> bool {
    match std::env::var("ROADBED_VM_XSTATE").as_deref() {
        Ok("yes") => true,
        Ok("no") => false,
        _ => std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| has_amx(&text)),
    }
}

fn has_amx(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|line| line.split_whitespace().any(|flag| flag.starts_with("amx_")))
}

fn compile_xstate(dir: &Path) -> Result<PathBuf, Error> {
    let (source, library) = (dir.join("xstate.c"), dir.join("xstate.so"));
    std::fs::write(&source, XSTATE).map_err(Error::system("write the source of the ptrace library"))?;
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output()
        .map_err(|_| Error::Missing {
            what: "the C compiler cc, which this processor's user-mode Linux needs a small library from,"
                .into(),
            remedy: "install it with `apt-get install gcc libc6-dev`".into(),
        })?;
    if output.status.success() {
        return Ok(library);
    }
    Err(Error::Request(format!(
        "cc cannot compile the ptrace library: {}",
        last_lines(&String::from_utf8_lossy(&output.stderr), 10)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amx_is_found_among_the_flags() {
        assert!(has_amx(
            "processor : 0\nflags\t\t: fpu amx_bf16 avx512f amx_tile\n"
        ));
        assert!(!has_amx(
            "processor : 0\nmodel name : amx_tile\nflags\t\t: fpu avx512f samx_\n"
        ));
    }

    #[test]
    fn the_library_compiles_without_a_warning() {
        let dir = tempfile::tempdir().expect("a folder");
        let library = compile_xstate(dir.path()).expect("it compiles");
        assert!(library.is_file());
    }
}
