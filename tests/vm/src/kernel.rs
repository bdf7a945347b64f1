//! Where the distribution's kernels for machines are: the image and the folder of its modules.
//!
//! User-mode Linux is a package like others. QEMU's kernel is not installed but unpacked into a folder of its own by
//! `scripts/install-deps`, so that the machine's own boot is not touched.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::machine::Machine;

/// Where `scripts/vm-kernel` unpacks QEMU's kernel; `ROADBED_VM_KERNEL` names another folder.
const CACHE: &str = "/var/cache/roadbed-vm";

/// A kernel that a machine can boot.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// The image; for user-mode Linux the program.
    pub image: PathBuf,
    /// The folder with `modules.dep`.
    pub modules: PathBuf,
}

impl Kernel {
    /// Finds the kernel for a kind of machine.
    pub fn find(machine: Machine) -> Result<Kernel, Error> {
        match machine {
            Machine::Uml => uml(),
            Machine::Qemu => qemu(),
        }
    }
}

fn uml() -> Result<Kernel, Error> {
    let missing = |what: String| Error::Missing {
        what,
        remedy: "install it with `apt-get install user-mode-linux`".into(),
    };
    let image = Path::new("/usr/bin/linux.uml");
    if !image.is_file() {
        return Err(missing(image.display().to_string()));
    }
    let root = Path::new("/usr/lib/uml/modules");
    let modules = newest(root).ok_or_else(|| missing(format!("a list of modules in {}", root.display())))?;
    Ok(Kernel {
        image: image.into(),
        modules,
    })
}

fn qemu() -> Result<Kernel, Error> {
    let cache = std::env::var_os("ROADBED_VM_KERNEL").map_or_else(|| PathBuf::from(CACHE), PathBuf::from);
    let missing = || Error::Missing {
        what: format!("a kernel with modules in {}", cache.display()),
        remedy: "fetch it with `scripts/install-deps test`".into(),
    };
    let modules = newest(&cache.join("lib/modules"))
        .or_else(|| newest(&cache.join("usr/lib/modules")))
        .ok_or_else(missing)?;
    let release = modules
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let image = cache.join("boot").join(format!("vmlinuz-{release}"));
    if !image.is_file() {
        return Err(missing());
    }
    Ok(Kernel { image, modules })
}

/// The folder of the newest release that has a list of modules.
fn newest(root: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(root).ok()?;
    let dirs = entries.filter_map(|entry| Some(entry.ok()?.path()));
    dirs.filter(|dir| dir.join("modules.dep").is_file())
        .max_by_key(|dir| numbers(&dir.display().to_string()))
}

/// The numbers of a release, so that 6.1.9 is older than 6.1.10.
fn numbers(release: &str) -> Vec<u64> {
    let words = release.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_with_modules_is_taken() {
        let root = tempfile::tempdir().expect("a folder");
        for (release, whole) in [("6.1.9-x", true), ("6.1.10-x", true), ("6.2.0-x", false)] {
            let dir = root.path().join(release);
            std::fs::create_dir(&dir).expect("a folder");
            if whole {
                std::fs::write(dir.join("modules.dep"), "").expect("a file");
            }
        }
        assert_eq!(newest(root.path()), Some(root.path().join("6.1.10-x")));
        assert_eq!(newest(Path::new("/nowhere")), None);
    }
}
