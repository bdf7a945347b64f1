//! The file of the ledger: its name, how it is opened, and how its failures are told.

use std::fs;
use std::path::Path;

use redb::{Database, DatabaseError};

use crate::error::Error;

/// The name of the file in the agent's state folder.
pub(crate) const FILE: &str = "ipam.redb";

/// How the file is opened; tests put a failing disk under it.
pub(crate) type OpenFile = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send + Sync>;

/// The file as it is on every node.
pub(crate) fn plain_file() -> OpenFile {
    Box::new(|path| Database::builder().open(path))
}

pub(super) fn io_error(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Io {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

pub(super) fn damaged(path: &Path, detail: impl std::fmt::Display) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        detail: detail.to_string(),
    }
}

/// Copies a file whole, and syncs the copy.
pub(super) fn copy_synced(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::copy(from, to)?;
    fs::File::open(to)?.sync_all()
}
