//! Whether this node is drained: kept on disk, so that a restart does not put it back into service.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use bgpd_proto::speaker::SpeakerConfig;
use config::api::drain::{Drain, DrainState};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

const FILE: &str = "drain.json";

/// Of what the file means; a newer one is refused.
const FORMAT: u32 = 1;

/// Longest message, in octets: what peers take that know RFC 8203 and not its successor.
const LONGEST: usize = 128;

#[derive(Serialize, Deserialize)]
struct Saved {
    format: u32,
    #[serde(flatten)]
    drain: Drain,
}

/// What was said last.
#[derive(Clone)]
pub struct Drainage {
    file: Arc<PathBuf>,
    said: Arc<watch::Sender<Drain>>,
}

impl Drainage {
    /// As it was left.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join(FILE);
        let left = match fs::read(&file) {
            Ok(bytes) => read(&bytes).with_context(|| {
                format!(
                    "cannot read {}; remove it if this node is to be in service",
                    file.display()
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Drain::default(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Drainage {
            file: Arc::new(file),
            said: Arc::new(watch::channel(left).0),
        })
    }

    /// What is in force, and its changes.
    pub fn watch(&self) -> watch::Receiver<Drain> {
        self.said.subscribe()
    }

    /// Takes up what is said, once it is on disk.
    ///
    /// # Errors
    /// In words for the operator; then all is as before.
    pub fn say(&self, drain: Drain) -> anyhow::Result<()> {
        short_enough(drain.message.as_deref())?;
        let saved = Saved {
            format: FORMAT,
            drain: drain.clone(),
        };
        let written = match drain.state {
            DrainState::InService => match fs::remove_file(&*self.file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            _ => store::disk::replace(&self.file, &serde_json::to_vec_pretty(&saved)?, 0o600),
        };
        written.with_context(|| format!("cannot write {}", self.file.display()))?;
        self.said.send_replace(drain);
        Ok(())
    }
}

/// Refuses a message that peers would not take.
///
/// # Errors
/// In words for the operator.
pub fn short_enough(message: Option<&str>) -> anyhow::Result<()> {
    match message.map_or(0, str::len) {
        length if length > LONGEST => {
            bail!("the message has {length} octets, peers take {LONGEST}: make it shorter")
        }
        _ => Ok(()),
    }
}

fn read(bytes: &[u8]) -> anyhow::Result<Drain> {
    let saved: Saved = serde_json::from_slice(bytes)?;
    if saved.format > FORMAT {
        bail!(
            "it has format {}, this version knows {FORMAT}: it was written by a newer agent",
            saved.format
        );
    }
    Ok(saved.drain)
}

/// What it means for the speaker.
pub fn apply(drain: &Drain, speaker: &mut SpeakerConfig) {
    speaker.draining = drain.state != DrainState::InService;
    if drain.state == DrainState::Shutdown {
        let why: Arc<str> = match &drain.message {
            Some(message) => Arc::from(message.as_str()),
            None => Arc::from("this node is drained"),
        };
        for peer in speaker.peers.values_mut() {
            peer.withheld = Some(why.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shutdown(message: &str) -> Drain {
        Drain {
            state: DrainState::Shutdown,
            message: Some(message.to_owned()),
        }
    }

    #[test]
    fn what_was_said_is_there_after_a_restart_and_gone_after_undrain() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Drainage::open(folder.path()).unwrap();
        assert_eq!(*open().watch().borrow(), Drain::default());
        open().say(shutdown("new disks")).unwrap();
        assert_eq!(*open().watch().borrow(), shutdown("new disks"));
        open().say(Drain::default()).unwrap();
        assert_eq!(*open().watch().borrow(), Drain::default());
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_message_that_is_too_long_changes_nothing_and_a_newer_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let drainage = Drainage::open(folder.path()).unwrap();
        assert!(drainage.say(shutdown(&"x".repeat(129))).is_err());
        assert_eq!(*drainage.watch().borrow(), Drain::default());
        fs::write(folder.path().join(FILE), r#"{"format": 2, "state": "draining"}"#).unwrap();
        let error = Drainage::open(folder.path()).err().unwrap();
        assert!(format!("{error:#}").contains("newer agent"), "{error:#}");
    }
}
