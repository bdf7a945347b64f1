//! Hashes of texts, and replacing a file so that a crash at any moment leaves the old text or the new one, never a part.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The file beside `path` that the new text is written to: hidden, and of no kind that is read.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

/// The folder of a path.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes beside the file, to the disk, and renames over it. An existing file keeps its mode and owner, a new
/// one gets `mode`. Of two writers at once one has to wait: that is for the caller to see to.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = beside(path);
    match fs::remove_file(&temporary) {
        // Left by a writer that was killed.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let done = fill(&temporary, path, bytes, mode).and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        return done;
    }
    // The new name itself is only safe once the folder is on disk.
    File::open(folder(path))?.sync_all()
}

fn fill(temporary: &Path, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)?;
    file.write_all(bytes)?;
    match fs::metadata(path) {
        Ok(old) => {
            let new = file.metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        }
        Err(_) => file.set_permissions(Permissions::from_mode(mode))?,
    }
    file.sync_all()
}

/// SHA-256 in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_stays_and_nothing_is_left_beside() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.yaml");
        replace(&path, b"one", 0o640).expect("new");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o640);
        fs::set_permissions(&path, Permissions::from_mode(0o604)).expect("mode");
        fs::write(beside(&path), "left by a writer that was killed").expect("written");
        replace(&path, b"two", 0o600).expect("replaced");
        assert_eq!(fs::read_to_string(&path).expect("read"), "two");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o604);
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
    }
}
