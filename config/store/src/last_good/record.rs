//! The form of the last good resources on disk. Pure.
//!
//! Two lines of JSON: a head with the format number, the SHA-256 of the rest and its length; then the body. The
//! number is read first, so that a newer file is told from a damaged one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use datastore::{Incarnation, Item, Key, Revision, SpaceView, Version};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::disk::digest;

/// The format that is written, and the newest that is read.
pub const FORMAT: u64 = 1;

/// The resources as they were when they were last good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// When, to the millisecond.
    pub saved: SystemTime,
    /// The kind of the store that gave them.
    pub kind: String,
    /// Where it was.
    pub location: String,
    /// The raw items.
    pub view: SpaceView,
}

/// Why a file is not started from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// The disk does not give it.
    #[error("cannot be read: {0}; ignored")]
    Io(String),
    /// Cut, changed, or not ours.
    #[error("is damaged ({0}); ignored")]
    Damaged(&'static str),
    /// Of a later version.
    #[error("has format {0}, this version reads up to {FORMAT}; ignored")]
    Newer(u64),
    /// Kept from a store of another kind.
    #[error("was kept from {kind} {location}, and datastore.kind is another now; ignored")]
    OtherStore {
        /// Its kind.
        kind: String,
        /// Where it was.
        location: String,
    },
    /// Its resources are not taken by this version.
    #[error("has resources that this version refuses ({0}); ignored")]
    Refused(String),
}

impl Unreadable {
    /// What to do, or what will happen.
    pub fn fix(&self) -> &'static str {
        match self {
            Unreadable::Io(_) => "let the agent's user read and write it",
            Unreadable::Newer(_) => "run the version that wrote it, or let the store give good resources",
            _ => "it is written anew with the next good resources",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u64,
    sha256: String,
    length: usize,
}

/// Only the number: heads of later formats may have nothing else in common.
#[derive(Deserialize)]
struct Number {
    format: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    saved_at_millis: u64,
    kind: String,
    location: String,
    revision: String,
    items: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    group: String,
    name: String,
    version: String,
    incarnation: String,
    value: String,
}

impl Saved {
    /// The bytes of the file.
    ///
    /// # Errors
    /// None that plain texts can cause; the JSON writer's own is passed on.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let since = self.saved.duration_since(UNIX_EPOCH).unwrap_or_default();
        let entry = |(key, item): (&Key, &Item)| Entry {
            group: key.group().to_owned(),
            name: key.name(),
            version: item.version.to_string(),
            incarnation: item.incarnation.to_string(),
            value: item.value.to_string(),
        };
        let body = serde_json::to_vec(&Body {
            saved_at_millis: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            kind: self.kind.clone(),
            location: self.location.clone(),
            revision: self.view.revision.to_string(),
            items: self.view.items.iter().map(entry).collect(),
        })?;
        let mut bytes = serde_json::to_vec(&Head {
            format: FORMAT,
            sha256: digest(&body),
            length: body.len(),
        })?;
        bytes.push(b'\n');
        bytes.extend(body);
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// What the bytes of a file say.
    pub fn decode(bytes: &[u8]) -> Result<Saved, Unreadable> {
        let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
        let (head, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Number { format } =
            serde_json::from_slice(head).map_err(|_| Unreadable::Damaged("its first line is not ours"))?;
        if format > FORMAT {
            return Err(Unreadable::Newer(format));
        }
        let head: Head =
            serde_json::from_slice(head).map_err(|_| Unreadable::Damaged("its first line is not whole"))?;
        let body = rest
            .get(..head.length)
            .ok_or(Unreadable::Damaged("it is cut short"))?;
        if digest(body) != head.sha256 {
            return Err(Unreadable::Damaged("its checksum is another"));
        }
        let body: Body = serde_json::from_slice(body)
            .map_err(|_| Unreadable::Damaged("its body is not of this format"))?;
        body.into_saved()
    }
}

impl Body {
    fn into_saved(self) -> Result<Saved, Unreadable> {
        let item = |entry: Entry| {
            let key = Key::parse(&entry.group, &entry.name)
                .map_err(|_| Unreadable::Damaged("it holds what is no resource"))?;
            let item = Item {
                key: key.clone(),
                value: Arc::from(entry.value),
                version: Version::new(entry.version),
                incarnation: Incarnation::new(entry.incarnation),
            };
            Ok((key, item))
        };
        Ok(Saved {
            saved: UNIX_EPOCH
                .checked_add(Duration::from_millis(self.saved_at_millis))
                .ok_or(Unreadable::Damaged("its date is beyond time"))?,
            kind: self.kind,
            location: self.location,
            view: SpaceView {
                items: self.items.into_iter().map(item).collect::<Result<_, _>>()?,
                revision: Revision::new(self.revision),
            },
        })
    }
}
