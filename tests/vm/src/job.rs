//! What a machine is to do: one program with its arguments, the kernel modules that it needs, and a deadline.
//!
//! [`Job`] is what a test says. [`Order`] is what travels: the same with what the guest must know about its
//! machine, as JSON in the machine's own folder, which the guest reads through its root file system.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The order's file in the machine's folder.
const FILE: &str = "order.json";

/// One program to run inside a machine.
#[derive(Debug, Clone)]
pub struct Job {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) modules: Vec<String>,
    pub(crate) deadline: Duration,
    pub(crate) guest: Option<PathBuf>,
}

impl Job {
    /// The program, by a path of this machine, with a deadline for boot, program and end.
    pub fn new(program: impl Into<PathBuf>, deadline: Duration) -> Job {
        Job {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            modules: Vec::new(),
            deadline,
            guest: None,
        }
    }

    /// Its arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Job {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable of its environment, which otherwise holds `PATH`, `HOME` and `TERM` only.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Job {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Kernel modules to load before the program starts, with all that they rest on.
    #[must_use]
    pub fn modules<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Job {
        self.modules.extend(names.into_iter().map(Into::into));
        self
    }

    /// The machine's first process (`roadbed-vm`), where it does not lie beside the running program.
    #[must_use]
    pub fn guest(mut self, program: impl Into<PathBuf>) -> Job {
        self.guest = Some(program.into());
        self
    }

    /// Where `roadbed-vm` is: as chosen, else `ROADBED_VM_BIN`, else beside the running program.
    pub(crate) fn find_guest(&self) -> Result<PathBuf, Error> {
        let chosen = self
            .guest
            .clone()
            .or_else(|| std::env::var_os("ROADBED_VM_BIN").map(PathBuf::from));
        if let Some(path) = chosen {
            return path
                .canonicalize()
                .map_err(Error::system(format!("find the program {}", path.display())));
        }
        let own = std::env::current_exe().map_err(Error::system("find the running program"))?;
        if own.file_name().is_some_and(|name| name == "roadbed-vm") {
            return Ok(own);
        }
        // Test programs lie in `deps`, one folder below the others.
        let mut beside = own.ancestors().skip(1).take(2).map(|dir| dir.join("roadbed-vm"));
        beside.find(|path| path.is_file()).ok_or_else(|| Error::Missing {
            what: "the program roadbed-vm".into(),
            remedy: "build it with `cargo build -p vm`, or set ROADBED_VM_BIN to its path".into(),
        })
    }
}

/// What the guest reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// The working folder, the same as that of the one who asks.
    pub folder: PathBuf,
    /// Files of kernel modules, in the order to load them: an emulated processor is not to read long lists.
    pub modules: Vec<PathBuf>,
    /// The folder with `modules.dep` of the machine's kernel.
    pub modules_dir: PathBuf,
    /// The terminal that carries what the program prints.
    pub output: PathBuf,
    /// Marks lines of the guest on the console, so that nothing else is taken for one.
    pub mark: String,
    /// Whoever waits outside gives up after this; the guest turns the machine off a little later by itself.
    pub seconds: u64,
}

impl Order {
    /// Reads the order of a machine.
    pub fn read(dir: &Path) -> Result<Order, Error> {
        let path = dir.join(FILE);
        let what = format!("read {}", path.display());
        let text = std::fs::read(&path).map_err(Error::system(what.clone()))?;
        serde_json::from_slice(&text).map_err(Error::system(what))
    }

    /// Writes it.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let what = format!("write {}", path.display());
        let text = serde_json::to_vec_pretty(self).map_err(Error::system(what.clone()))?;
        std::fs::write(&path, text).map_err(Error::system(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let order = Order {
            program: "/bin/true".into(),
            args: vec!["a b".into(), "\"c\"\n".into()],
            env: vec![("A".into(), "b=c".into())],
            folder: "/".into(),
            modules: vec!["ipip".into()],
            modules_dir: "/m".into(),
            output: "/dev/tty1".into(),
            mark: "@x".into(),
            seconds: 3,
        };
        order.write(dir.path()).expect("it is written");
        assert_eq!(Order::read(dir.path()).expect("it is read"), order);
    }

    #[test]
    fn a_missing_order_is_named() {
        let error = Order::read(Path::new("/nowhere")).expect_err("there is none");
        assert!(error.to_string().contains("/nowhere/order.json"), "{error}");
    }
}
