//! Reading and writing sysctls as files (`/proc/sys`).

use std::{fs, io, path::Path};

pub(crate) const ROOT: &str = "/proc/sys";

/// A sysctl could not be set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `/proc/sys` is read-only for this process.
    #[error(
        "{key} cannot be set from here ({source}): set it on the host, `sysctl -w {key}={value}`, or give the daemon write access to /proc/sys"
    )]
    ReadOnly {
        /// The sysctl.
        key: String,
        /// The value wanted.
        value: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot set {key} to {value}: {source}; does the kernel have this protocol?")]
    Write {
        /// The sysctl.
        key: String,
        /// The value wanted.
        value: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// The value without its line end, or `None` where there is none to be read.
pub(crate) fn read(root: &Path, key: &str) -> Option<String> {
    fs::read_to_string(root.join(key))
        .ok()
        .map(|text| text.trim().to_string())
}

/// Sets the value. Never creates a file.
pub(crate) fn write(root: &Path, key: &str, value: &'static str) -> Result<(), Error> {
    let path = root.join(key);
    let written = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| {
            use io::Write;
            file.write_all(value.as_bytes())
        });
    written.map_err(|source| {
        let key = key.to_string();
        if read_only(&source) {
            Error::ReadOnly { key, value, source }
        } else {
            Error::Write { key, value, source }
        }
    })
}

/// Whether an error means that nobody can write here, as in a container with a read-only `/proc/sys`.
fn read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}
