//! One writer at a time: an advisory lock (`flock(2)`) on a hidden file beside the resources. It ends with its
//! holder, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Held until it is dropped.
pub(crate) struct Lock {
    _file: File,
}

/// The lock's file: in a folder of resources, or beside a file of them.
pub(crate) fn path_of(target: &Path) -> PathBuf {
    if target.is_dir() {
        return target.join(".roadbed.lock");
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.lock"))
}

impl Lock {
    /// Waits for the lock; blocks.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where another writer held it all the time; what the file system says else.
    pub(crate) fn take(target: &Path) -> io::Result<Lock> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path_of(target))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
    }
}
