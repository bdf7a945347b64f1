//! The ledger: leases on disk, each change durable before it is answered.
//!
//! A redb database (copy-on-write B-trees, checksums, fsync at each commit) in the agent's state folder. Two
//! tables: `leases`, (container id, interface) to the record as JSON, and `meta`: the format number, the
//! node's own addresses and the turn of each family. One change of the [`Book`] is one transaction. A file
//! of a newer format is refused, an older one is migrated when it is opened; a damaged file is an error and
//! stays so until the operator acts: a ledger that forgot a lease would give an address twice.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError,
};

use crate::blocks::Family;
use crate::error::Error;
use crate::lease::{Lease, Owner};

/// The format that this version writes.
const FORMAT: u32 = 1;
const FILE: &str = "ipam.redb";
const LEASES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("leases");
const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_DAMAGED: &str = "damaged";

/// What the ledger holds, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Book {
    pub leases: BTreeMap<Owner, Lease>,
    pub taken: BTreeMap<IpAddr, Owner>,
    pub node: BTreeMap<Family, IpAddr>,
    pub last: BTreeMap<Family, IpAddr>,
}

/// One change: either all of it is on disk or nothing.
#[derive(Debug, Default)]
pub(crate) struct Change<'a> {
    pub put: Option<&'a Lease>,
    pub remove: Option<&'a Owner>,
    /// New values; a family that is not named keeps its own.
    pub last: BTreeMap<Family, IpAddr>,
    /// `None` takes the node's address of that family away.
    pub node: BTreeMap<Family, Option<IpAddr>>,
}

/// The open file.
pub(crate) struct Ledger {
    database: Database,
    path: PathBuf,
}

impl Ledger {
    /// Opens the ledger in the folder, or makes a new one, and reads all of it.
    pub(crate) fn open(folder: &Path) -> Result<(Ledger, Book), Error> {
        let path = folder.join(FILE);
        if !path.try_exists().map_err(|e| io_error(&path, e))? {
            create(folder, &path)?;
        }
        let opened = catch_unwind(AssertUnwindSafe(|| open_checked(&path)));
        let database = opened.unwrap_or_else(|_| Err(damaged(&path, "its structure is broken")))?;
        let ledger = Ledger { database, path };
        let book = catch_unwind(AssertUnwindSafe(|| ledger.read()));
        let book = book.unwrap_or_else(|_| Err(damaged(&ledger.path, "its tables are broken")))?;
        Ok((ledger, book))
    }

    /// Writes one change; it is on disk when this returns.
    ///
    /// After an error it is not known whether the change is on disk: the ledger has to be opened again.
    pub(crate) fn commit(&self, change: &Change<'_>) -> Result<(), Error> {
        let result: Result<(), redb::Error> = (|| {
            let transaction = self.database.begin_write()?;
            {
                let mut leases = transaction.open_table(LEASES)?;
                if let Some(owner) = change.remove {
                    leases.remove((owner.container_id.as_str(), owner.ifname.as_str()))?;
                }
                if let Some(lease) = change.put {
                    let record = serde_json::to_vec(lease).map_err(|e| redb::Error::Io(e.into()))?;
                    let key = (lease.owner.container_id.as_str(), lease.owner.ifname.as_str());
                    leases.insert(key, record.as_slice())?;
                }
                let mut meta = transaction.open_table(META)?;
                for (family, address) in &change.last {
                    meta.insert(key_of("last", *family).as_str(), address.to_string().as_str())?;
                }
                for (family, address) in &change.node {
                    let key = key_of("node", *family);
                    match address {
                        Some(address) => meta.insert(key.as_str(), address.to_string().as_str())?,
                        None => meta.remove(key.as_str())?,
                    };
                }
            }
            transaction.commit()?;
            Ok(())
        })();
        result.map_err(|e| io_error(&self.path, e))
    }

    fn read(&self) -> Result<Book, Error> {
        let tables = (|| -> Result<_, redb::Error> {
            let transaction = self.database.begin_read()?;
            let mut meta: BTreeMap<String, String> = BTreeMap::new();
            for row in transaction.open_table(META)?.iter()? {
                let (key, value) = row?;
                meta.insert(key.value().to_owned(), value.value().to_owned());
            }
            let mut leases = Vec::new();
            for row in transaction.open_table(LEASES)?.iter()? {
                let (key, value) = row?;
                let (container_id, ifname) = key.value();
                leases.push((Owner::new(container_id, ifname), value.value().to_owned()));
            }
            Ok((meta, leases))
        })();
        let (meta, rows) = tables.map_err(|e| damaged(&self.path, e))?;
        if let Some(detail) = meta.get(META_DAMAGED) {
            return Err(damaged(&self.path, detail));
        }
        let mut book = Book::default();
        for family in Family::ALL {
            for (what, into) in [("last", &mut book.last), ("node", &mut book.node)] {
                if let Some(text) = meta.get(&key_of(what, family)) {
                    let address: IpAddr = text
                        .parse()
                        .map_err(|_| damaged(&self.path, format!("{text:?} is no address")))?;
                    into.insert(family, address);
                }
            }
        }
        for (owner, record) in rows {
            self.enter(&mut book, owner, &record)?;
        }
        Ok(book)
    }

    /// Adds one record, and holds it against the others: no address twice.
    fn enter(&self, book: &mut Book, owner: Owner, record: &[u8]) -> Result<(), Error> {
        let lease: Lease = serde_json::from_slice(record)
            .map_err(|e| damaged(&self.path, format!("the record of {owner} cannot be read: {e}")))?;
        if lease.owner != owner {
            return Err(damaged(
                &self.path,
                format!("the record of {owner} names {}", lease.owner),
            ));
        }
        for &address in &lease.addresses {
            if let Some(other) = book.taken.insert(address, owner.clone()) {
                let detail = format!("{address} is given twice, to {other} and to {owner}");
                return Err(damaged(&self.path, detail));
            }
        }
        book.leases.insert(owner, lease);
        Ok(())
    }
}

fn key_of(what: &str, family: Family) -> String {
    match family {
        Family::V4 => format!("{what}-v4"),
        Family::V6 => format!("{what}-v6"),
    }
}

/// Makes a new ledger beside its place and moves it there when it is whole, so that a file which is there and
/// cannot be read is always damage, never a start that was cut short.
fn create(folder: &Path, path: &Path) -> Result<(), Error> {
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
        transaction.open_table(LEASES)?;
        transaction
            .open_table(META)?
            .insert(META_FORMAT, FORMAT.to_string().as_str())?;
        transaction.commit()?;
        Ok(())
    })();
    made.map_err(|e| fail(&e))?;
    fs::rename(&fresh, path).map_err(|e| fail(&e))?;
    File::open(folder)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| fail(&e))
}

/// Opens the file, verifies its checksums and brings it to the current format.
fn open_checked(path: &Path) -> Result<Database, Error> {
    let mut database = Database::builder().open(path).map_err(|e| open_error(path, e))?;
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
    migrate(path, found)?;
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

/// Brings an older format forward, number by number. There was none before format 1.
fn migrate(path: &Path, found: u32) -> Result<(), Error> {
    match found {
        FORMAT => Ok(()),
        _ => Err(damaged(path, format!("format {found} never existed"))),
    }
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

fn io_error(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Io {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}

fn damaged(path: &Path, detail: impl std::fmt::Display) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        detail: detail.to_string(),
    }
}
