//! Which programs play in a lab, and where they are.

use std::path::PathBuf;

use crate::error::Error;

/// What the caller of [`Lab::up`](super::Lab::up) may choose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The lab's name; default: the topology's. Labs of different names do not see each other.
    pub name: Option<String>,
    /// The `roadbed` program; default: `ROADBED_BIN`, else beside the running program.
    pub roadbed_bin: Option<PathBuf>,
    /// The `roadbed-cni` program; default: `ROADBED_CNI_BIN`, else beside the running program.
    pub cni_bin: Option<PathBuf>,
    /// Start no agents and plug in no pods: for tests that start them themselves, in an order of their own.
    pub without_agents: bool,
}

impl Options {
    /// Options with a name, the rest by default.
    pub fn named(name: impl Into<String>) -> Options {
        Options {
            name: Some(name.into()),
            ..Options::default()
        }
    }

    /// Where `roadbed` is.
    pub fn roadbed(&self) -> Result<PathBuf, Error> {
        find(self.roadbed_bin.as_ref(), "ROADBED_BIN", "roadbed")
    }

    /// Where `roadbed-cni` is.
    pub fn cni(&self) -> Result<PathBuf, Error> {
        find(self.cni_bin.as_ref(), "ROADBED_CNI_BIN", "roadbed-cni")
    }
}

fn find(chosen: Option<&PathBuf>, variable: &str, name: &str) -> Result<PathBuf, Error> {
    let chosen = chosen
        .cloned()
        .or_else(|| std::env::var_os(variable).map(PathBuf::from));
    if let Some(path) = chosen {
        return path
            .canonicalize()
            .map_err(Error::system(format!("find the program {}", path.display())));
    }
    let own = std::env::current_exe().map_err(Error::system("find the running program"))?;
    // Test programs lie in `deps` or `examples`, one folder below the others.
    let beside = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file());
    beside.ok_or_else(|| Error::Missing {
        what: format!("the program {name}"),
        remedy: format!(
            "build it with `cargo build -p {}`, or set {variable} to its path",
            package(name)
        ),
    })
}

fn package(program: &str) -> &str {
    if program == "roadbed-cni" { "cni" } else { program }
}
