//! Loading kernel modules inside the machine.

use std::ffi::CString;
use std::fs::File;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

use crate::error::Error;
use crate::modules::Index;

/// `MODULE_INIT_COMPRESSED_FILE` of finit_module(2): the kernel unpacks the file itself.
const COMPRESSED: i32 = 4;

/// Loads files in their order.
pub fn files(files: &[PathBuf]) -> Result<(), Error> {
    files.iter().try_for_each(|file| one(file))
}

/// Loads what serves a name by which the kernel asks. Whether that is anything.
pub fn asked(dir: &Path, name: &str) -> bool {
    let Ok(index) = Index::read(dir) else { return false };
    let files = index.files(&index.serving(name)).unwrap_or_default();
    files.iter().filter(|file| one(file).is_ok()).count() > 0
}

/// One file; it is no error that it is there already.
fn one(path: &Path) -> Result<(), Error> {
    let what = || format!("load the kernel module {}", path.display());
    let file = File::open(path).map_err(Error::system(what()))?;
    let flags = if path.extension().is_some_and(|e| e == "ko") {
        ModuleInitFlags::empty()
    } else {
        ModuleInitFlags::from_bits_retain(COMPRESSED as _)
    };
    match finit_module(&file, &CString::default(), flags) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(e) => Err(Error::system(what())(e)),
    }
}
