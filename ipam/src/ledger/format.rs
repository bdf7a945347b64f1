//! The format of the ledger file: making a new one, checking an old one, bringing it forward.
//!
//! Format 1 had the tables `leases` and `meta` (the format number, the node's own addresses, the turn of each
//! family). Format 2 adds blocks, cool-down, loans, kept addresses, and the mark of a new file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use redb::{Database, DatabaseError, ReadableDatabase, StorageError, TableError};

use super::book::Op;
use super::file::{FILE, OpenFile, copy_synced, damaged, io_error};
use super::tables::{self, META, META_DAMAGED, META_FORMAT};
use crate::error::Error;

/// The format that this version writes.
pub(super) const FORMAT: u32 = 2;

/// Makes a new ledger beside its place and moves it there when it is whole, so that a file which is there and
/// cannot be read is always damage, never a start that was cut short. It is marked: what was given out before
/// it was made is not in it.
pub(super) fn create(folder: &Path, path: &Path) -> Result<(), Error> {
    let fail = |e: &dyn std::fmt::Display| io_error(path, e);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| io_error(folder, e))?;
    let fresh = folder.join(format!("{FILE}.new"));
    match fs::remove_file(&fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(&e)),
        _ => {}
    }
    let made: Result<(), redb::Error> = (|| {
        let database = Database::create(&fresh)?;
        let transaction = database.begin_write()?;
        tables::make_new(&transaction)?;
        tables::write(&transaction, &Op::Fresh(true))?;
        set_format(&transaction)?;
        transaction.commit()?;
        Ok(())
    })();
    made.map_err(|e| fail(&e))?;
    fs::rename(&fresh, path).map_err(|e| fail(&e))?;
    sync_folder(folder).map_err(|e| fail(&e))
}

/// Opens the file, verifies its checksums and brings it to the current format.
pub(super) fn open_checked(path: &Path, open_file: &OpenFile) -> Result<Database, Error> {
    let mut database = open_file(path).map_err(|e| open_error(path, e))?;
    if !database.check_integrity().map_err(|e| open_error(path, e))? {
        // The check has repaired what it could, perhaps by going back to an older state: the mark keeps the
        // next start from taking that for the truth.
        let detail = "its checksums do not hold; an older state may have been brought back";
        let marked: Result<(), redb::Error> = (|| {
            let transaction = database.begin_write()?;
            transaction.open_table(META)?.insert(META_DAMAGED, detail)?;
            transaction.commit()?;
            Ok(())
        })();
        drop(marked);
        return Err(damaged(path, detail));
    }
    let found = format_of(&database).map_err(|e| damaged(path, e))?;
    let found = found.ok_or_else(|| damaged(path, "it has no format number"))?;
    if found > FORMAT {
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    migrate(&database, path, found)?;
    Ok(database)
}

fn format_of(database: &Database) -> Result<Option<u32>, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let number = meta.get(META_FORMAT)?;
    Ok(number.and_then(|n| n.value().parse().ok()))
}

/// Brings an older format forward, number by number, in one transaction. The file as it was is kept beside it.
fn migrate(database: &Database, path: &Path, found: u32) -> Result<(), Error> {
    match found {
        FORMAT => Ok(()),
        1 => {
            keep_old(path, found).map_err(|e| io_error(path, format!("cannot keep a copy: {e}")))?;
            from_1(database).map_err(|e| io_error(path, e))
        }
        _ => Err(damaged(path, format!("format {found} never existed"))),
    }
}

/// Format 1 to 2: the records stay as they are, the new tables are empty. Nothing is unknown: it is not new.
fn from_1(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    tables::make_new(&transaction)?;
    set_format(&transaction)?;
    transaction.commit()?;
    Ok(())
}

fn set_format(transaction: &redb::WriteTransaction) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(META_FORMAT, FORMAT.to_string().as_str())?;
    Ok(())
}

/// A copy for those who go back a version. A copy that is there is from a migration that was cut short, or
/// older than the file; it is replaced.
fn keep_old(path: &Path, found: u32) -> io::Result<()> {
    let Some(folder) = path.parent() else {
        return Err(io::Error::other("the ledger is in no folder"));
    };
    let part = folder.join(format!("{FILE}.copy"));
    copy_synced(path, &part)?;
    fs::rename(&part, folder.join(format!("{FILE}.format-{found}")))?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn open_error(path: &Path, error: DatabaseError) -> Error {
    match error {
        DatabaseError::DatabaseAlreadyOpen => Error::InUse {
            path: path.to_owned(),
        },
        DatabaseError::Storage(StorageError::Io(e)) if e.kind() != io::ErrorKind::InvalidData => {
            io_error(path, e)
        }
        other => damaged(path, other),
    }
}
