//! Records: one file for each cell, so that scenarios that run side by side need no lock.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Feature, Make};

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was seen working.
    Works,
    /// The make has no such thing; the reason in a few words.
    NotThere(String),
}

/// One cell of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Who.
    pub make: Make,
    /// What.
    pub feature: Feature,
    /// How it came out.
    pub outcome: Outcome,
    /// The version, as the program says it; empty where it was not asked.
    pub version: String,
    /// What was measured. It may differ from run to run and is never compared.
    pub detail: String,
}

/// Writes a record to its file in `folder`, whole or not at all.
pub fn write(folder: &Path, record: &Record) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let name = format!("{}-{}.json", record.make.key(), record.feature.key());
    // Scenarios that show the same cell may write at the same time.
    let unique = format!("{name}.{}.{:?}", std::process::id(), std::thread::current().id());
    let next = folder.join(unique);
    std::fs::write(&next, serde_json::to_vec_pretty(record)?)?;
    std::fs::rename(next, folder.join(name))
}

/// All records of `folder`, in the order of the table. A folder that is not there has none.
pub fn all(folder: &Path) -> io::Result<Vec<Record>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut records = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json") {
            let record: Record = serde_json::from_slice(&std::fs::read(&path)?).map_err(|e| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {e}", path.display()))
            })?;
            records.push(record);
        }
    }
    records.sort_by_key(|record| (record.feature, record.make));
    Ok(records)
}
