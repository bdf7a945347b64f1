//! The tables of the ledger file: how each change is written, and how all of it is read again.
//!
//! Records are JSON; keys are an address, a pair (container, interface) or a name. What is read is held against
//! itself: an address that two leases name, or a record that cannot be read, is damage.

use std::collections::BTreeMap;
use std::net::IpAddr;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::book::{Book, Op, Turn};
use crate::blocks::Family;
use crate::lease::{Lease, Owner};
use crate::local::OwnBlock;

pub(super) const LEASES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("leases");
pub(super) const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
/// Place in the order of taking to the block.
pub(super) const BLOCKS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("blocks");
/// The tables from an address to a record.
pub(super) const COOLING: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("cooling");
pub(super) const LENT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("lent");
pub(super) const BORROWED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("borrowed");
pub(super) const KEPT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("kept");

pub(super) const META_FORMAT: &str = "format";
pub(super) const META_DAMAGED: &str = "damaged";
const META_FRESH: &str = "fresh";

/// Makes the tables that format 2 has beside those of format 1.
pub(super) fn make_new(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(LEASES)?;
    transaction.open_table(META)?;
    transaction.open_table(BLOCKS)?;
    for table in [COOLING, LENT, BORROWED, KEPT] {
        transaction.open_table(table)?;
    }
    Ok(())
}

/// Writes one change into the transaction.
pub(super) fn write(transaction: &WriteTransaction, op: &Op) -> Result<(), redb::Error> {
    match op {
        Op::PutLease(lease) => {
            let key = (lease.owner.container_id.as_str(), lease.owner.ifname.as_str());
            let record = json(lease)?;
            transaction.open_table(LEASES)?.insert(key, record.as_slice())?;
        }
        Op::RemoveLease(owner) => {
            let key = (owner.container_id.as_str(), owner.ifname.as_str());
            transaction.open_table(LEASES)?.remove(key)?;
        }
        Op::Blocks(blocks) => {
            let mut table = transaction.open_table(BLOCKS)?;
            table.retain(|_, _| false)?;
            for (place, block) in (0u32..).zip(blocks) {
                table.insert(place, json(block)?.as_slice())?;
            }
        }
        Op::Node(family, address) => meta(transaction, &node_key(*family), address.map(|a| a.to_string()))?,
        Op::Turn(turn, address) => meta(transaction, &turn_key(turn), Some(address.to_string()))?,
        Op::Fresh(fresh) => meta(transaction, META_FRESH, fresh.then(|| "true".to_owned()))?,
        Op::Cool(address, cooling) => put(transaction, COOLING, *address, cooling)?,
        Op::Uncool(address) => remove(transaction, COOLING, *address)?,
        Op::Lend(address, lent) => put(transaction, LENT, *address, lent)?,
        Op::Unlend(address) => remove(transaction, LENT, *address)?,
        Op::Borrow(address, borrowed) => put(transaction, BORROWED, *address, borrowed)?,
        Op::Unborrow(address) => remove(transaction, BORROWED, *address)?,
        Op::Keep(address, workload) => put(transaction, KEPT, *address, workload)?,
        Op::Unkeep(address) => remove(transaction, KEPT, *address)?,
    }
    Ok(())
}

type ByAddress = TableDefinition<'static, &'static str, &'static [u8]>;

fn put(
    to: &WriteTransaction,
    table: ByAddress,
    key: IpAddr,
    record: &impl Serialize,
) -> Result<(), redb::Error> {
    to.open_table(table)?
        .insert(key.to_string().as_str(), json(record)?.as_slice())?;
    Ok(())
}

fn remove(from: &WriteTransaction, table: ByAddress, key: IpAddr) -> Result<(), redb::Error> {
    from.open_table(table)?.remove(key.to_string().as_str())?;
    Ok(())
}

fn meta(to: &WriteTransaction, key: &str, value: Option<String>) -> Result<(), redb::Error> {
    let mut table = to.open_table(META)?;
    match value {
        Some(value) => table.insert(key, value.as_str())?,
        None => table.remove(key)?,
    };
    Ok(())
}

fn json(record: &impl Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(record).map_err(|e| redb::Error::Io(e.into()))
}

fn node_key(family: Family) -> String {
    format!("node-{}", family_key(family))
}

fn turn_key(turn: &Turn) -> String {
    let family = family_key(turn.family);
    match &turn.pool {
        None => format!("last-{family}"),
        Some(pool) => format!("last-{family} {pool}"),
    }
}

fn family_key(family: Family) -> &'static str {
    match family {
        Family::V4 => "v4",
        Family::V6 => "v6",
    }
}

/// Why a ledger could not be read: the file, or what is in it.
pub(super) enum ReadError {
    Storage(redb::Error),
    Content(String),
}

impl<E: Into<redb::Error>> From<E> for ReadError {
    fn from(error: E) -> Self {
        ReadError::Storage(error.into())
    }
}

/// Reads all of it.
pub(super) fn read(database: &Database) -> Result<Book, ReadError> {
    let transaction = database.begin_read()?;
    let mut book = Book::default();
    for row in transaction.open_table(META)?.iter()? {
        let (key, value) = row?;
        read_meta(&mut book, key.value(), value.value())?;
    }
    for row in transaction.open_table(LEASES)?.iter()? {
        let (key, value) = row?;
        let (container_id, ifname) = key.value();
        enter(&mut book, Owner::new(container_id, ifname), value.value())?;
    }
    for row in transaction.open_table(BLOCKS)?.iter()? {
        let (_, value) = row?;
        let block: OwnBlock = record("a block", value.value())?;
        let other = book
            .blocks
            .iter()
            .find(|b| crate::blocks::overlap(b.cidr, block.cidr));
        if let Some(other) = other {
            let text = format!("the blocks {} and {} overlap", other.cidr, block.cidr);
            return Err(ReadError::Content(text));
        }
        book.blocks.push(block);
    }
    let by_address = |table: ByAddress| -> Result<Vec<(IpAddr, Vec<u8>)>, ReadError> {
        let mut rows = Vec::new();
        for row in transaction.open_table(table)?.iter()? {
            let (key, value) = row?;
            rows.push((address(key.value())?, value.value().to_owned()));
        }
        Ok(rows)
    };
    book.cooling = records(by_address(COOLING)?)?;
    book.lent = records(by_address(LENT)?)?;
    book.borrowed = records(by_address(BORROWED)?)?;
    book.kept = records(by_address(KEPT)?)?;
    Ok(book)
}

fn records<T: DeserializeOwned>(rows: Vec<(IpAddr, Vec<u8>)>) -> Result<BTreeMap<IpAddr, T>, ReadError> {
    rows.into_iter()
        .map(|(address, bytes)| Ok((address, record(&address.to_string(), &bytes)?)))
        .collect()
}

fn record<T: DeserializeOwned>(of: &str, bytes: &[u8]) -> Result<T, ReadError> {
    serde_json::from_slice(bytes)
        .map_err(|e| ReadError::Content(format!("the record of {of} cannot be read: {e}")))
}

fn address(text: &str) -> Result<IpAddr, ReadError> {
    text.parse()
        .map_err(|_| ReadError::Content(format!("{text:?} is no address")))
}

fn read_meta(book: &mut Book, key: &str, value: &str) -> Result<(), ReadError> {
    if key == META_DAMAGED {
        return Err(ReadError::Content(value.to_owned()));
    }
    if key == META_FRESH {
        book.fresh = true;
    }
    for family in Family::ALL {
        if key == node_key(family) {
            book.node.insert(family, address(value)?);
        }
        let shared = turn_key(&Turn { family, pool: None });
        if let Some(rest) = key.strip_prefix(&shared) {
            let pool = rest.strip_prefix(' ').map(str::to_owned);
            book.turns.insert(Turn { family, pool }, address(value)?);
        }
    }
    Ok(())
}

/// Adds one lease, and holds it against the others: no address twice.
fn enter(book: &mut Book, owner: Owner, bytes: &[u8]) -> Result<(), ReadError> {
    let lease: Lease = record(&owner.to_string(), bytes)?;
    if lease.owner != owner {
        let text = format!("the record of {owner} names {}", lease.owner);
        return Err(ReadError::Content(text));
    }
    for &address in &lease.addresses {
        if let Some(other) = book.taken.insert(address, owner.clone()) {
            let text = format!("{address} is given twice, to {other} and to {owner}");
            return Err(ReadError::Content(text));
        }
    }
    book.leases.insert(owner, lease);
    Ok(())
}
