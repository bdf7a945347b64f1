//! Files that are there whole or not at all: written beside their place, brought to the disk, and renamed into it. A
//! program that runs from an old file goes on running from it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What became of a file that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// It was not there.
    Absent,
    /// It is not ours.
    NotOurs,
}

/// Where a file is written before it gets its place. Runtimes do not look at names that begin with a dot.
fn beside(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".{name}.new"))
}

/// Makes a folder where there is none, and keeps others who install or uninstall out of it while the file lives.
///
/// # Errors
/// Where the folder cannot be made or opened.
pub fn hold(folder: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let file = File::open(folder).with_context(|| format!("cannot open {}", folder.display()))?;
    file.lock()
        .with_context(|| format!("cannot lock {}", folder.display()))?;
    Ok(file)
}

/// Puts a file in its place; whether it was not like that before.
///
/// # Errors
/// Where it cannot be written; what was there before is there still.
pub fn put(folder: &Path, name: &str, contents: &[u8], mode: u32) -> anyhow::Result<bool> {
    let path = folder.join(name);
    if is(&path, contents, mode) {
        return Ok(false);
    }
    let new = beside(folder, name);
    write(&new, contents, mode).with_context(|| format!("cannot write {}", new.display()))?;
    std::fs::rename(&new, &path).with_context(|| format!("cannot rename {} to {name}", new.display()))?;
    settle(folder)?;
    Ok(true)
}

/// Removes a file if it is ours, and what an install that was cut short left beside it.
///
/// # Errors
/// Where it cannot be read or removed.
pub fn remove(folder: &Path, name: &str, ours: fn(&[u8]) -> bool) -> anyhow::Result<Removed> {
    let path = folder.join(name);
    let why = || format!("cannot remove {}", path.display());
    match std::fs::remove_file(beside(folder, name)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(why),
        _ => {}
    }
    match std::fs::read(&path) {
        Ok(contents) if !ours(&contents) => return Ok(Removed::NotOurs),
        Ok(_) => std::fs::remove_file(&path).with_context(why)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Removed::Absent),
        Err(error) => return Err(error).with_context(why),
    }
    settle(folder)?;
    Ok(Removed::Gone)
}

/// Whether a file is like this already. A link is not: it may lead to what others change.
fn is(path: &Path, contents: &[u8], mode: u32) -> bool {
    let fits = std::fs::symlink_metadata(path).is_ok_and(|found| {
        let same_size = u64::try_from(contents.len()).is_ok_and(|size| size == found.len());
        found.is_file() && found.permissions().mode() & 0o7777 == mode && same_size
    });
    fits && std::fs::read(path).is_ok_and(|there| there == contents)
}

fn write(path: &Path, contents: &[u8], mode: u32) -> std::io::Result<()> {
    // What an earlier one left; a link of that name would lead elsewhere.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(contents)?;
    // Past the umask, and executable only when it is whole.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Brings the names in a folder to the disk.
fn settle(folder: &Path) -> anyhow::Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync {}", folder.display()))
}
