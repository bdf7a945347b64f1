//! The ledger: leases, blocks and loans on disk, each change durable before it is answered.
//!
//! A redb database (copy-on-write B-trees, checksums, fsync at each commit) in the agent's state folder. What
//! it holds is a [`Book`]; a list of [`Op`]s is one transaction: all of it is on disk or nothing. A file of a
//! newer format is refused, an older one is copied aside and migrated when it is opened; a damaged file is an
//! error and stays so until the operator acts: a ledger that forgot a lease would give an address twice.

mod book;
mod file;
mod format;
mod tables;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::Database;

pub(crate) use self::book::{Book, Cooling, Holder, Op, Turn};
pub(crate) use self::file::{FILE, OpenFile, plain_file};
use self::file::{damaged, io_error};
use self::tables::ReadError;
use crate::error::Error;

/// The open file.
pub(crate) struct Ledger {
    database: Database,
    path: PathBuf,
}

impl Ledger {
    /// Opens the ledger in the folder, or makes a new one, and reads all of it.
    pub(crate) fn open(folder: &Path, open_file: &OpenFile) -> Result<(Ledger, Book), Error> {
        let path = folder.join(FILE);
        if !path.try_exists().map_err(|e| io_error(&path, e))? {
            format::create(folder, &path)?;
        }
        let opened = catch_unwind(AssertUnwindSafe(|| format::open_checked(&path, open_file)));
        let database = opened.unwrap_or_else(|_| Err(damaged(&path, "its structure is broken")))?;
        let ledger = Ledger { database, path };
        let book = catch_unwind(AssertUnwindSafe(|| tables::read(&ledger.database)));
        let book = book.unwrap_or_else(|_| Err(ReadError::Content("its tables are broken".into())));
        match book {
            Ok(book) => Ok((ledger, book)),
            Err(ReadError::Content(detail)) => Err(damaged(&ledger.path, detail)),
            Err(ReadError::Storage(error)) => Err(storage_error(&ledger.path, error)),
        }
    }

    /// Writes changes, all or none; they are on disk when this returns.
    ///
    /// After an error it is not known whether they are on disk: the ledger has to be opened again.
    pub(crate) fn commit(&self, ops: &[Op]) -> Result<(), Error> {
        let write = || -> Result<(), redb::Error> {
            // redb syncs the file before `commit` returns (`Durability::Immediate` is its default).
            let transaction = self.database.begin_write()?;
            for op in ops {
                tables::write(&transaction, op)?;
            }
            transaction.commit()?;
            Ok(())
        };
        match catch_unwind(AssertUnwindSafe(write)) {
            Ok(result) => result.map_err(|e| io_error(&self.path, e)),
            Err(_) => Err(io_error(&self.path, "the write broke off inside")),
        }
    }
}

fn storage_error(path: &Path, error: redb::Error) -> Error {
    match error {
        redb::Error::Io(e) if e.kind() != std::io::ErrorKind::InvalidData => io_error(path, e),
        other => damaged(path, other),
    }
}
