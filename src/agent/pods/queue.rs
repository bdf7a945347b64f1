//! DELs that plugins left on disk while no agent ran (`config::api::queue`).
//!
//! They are carried out at the start, before the first ADD is answered, and once a second while some are there; a folder
//! without any is looked at now and then, for a plugin that got no answer while the agent was busy. One of an attachment
//! that is added again is carried out before that ADD. A file that cannot be read is set aside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::api::cni::CniDel;
use config::api::{ApiError, queue};
use ipam::Owner;

use super::Pods;
use super::answer::try_later;

/// How often the folder is looked at while there are some.
const LOOK: Duration = Duration::from_secs(1);
/// How often while there are none: an agent with nothing to do is to be quiet.
const GLANCE: Duration = Duration::from_secs(5);
/// How long an ADD waits for the first look at the queue.
const PATIENCE: Duration = Duration::from_secs(30);

impl Pods {
    /// Carries out what is queued, for ever.
    pub async fn attend_queue(&self) {
        // What was said of a file is not said again every second.
        let mut said: BTreeMap<PathBuf, String> = BTreeMap::new();
        loop {
            let some = self.carry_out_queue(&mut said).await;
            self.queue_read.send_replace(true);
            tokio::time::sleep(if some { LOOK } else { GLANCE }).await;
        }
    }

    /// The queue was looked at since the start: no DEL from before waits unseen.
    pub(super) async fn queue_was_read(&self) -> Result<(), ApiError> {
        let mut read = self.queue_read.subscribe();
        match tokio::time::timeout(PATIENCE, read.wait_for(|read| *read)).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(try_later(
                "the agent still carries out DELs from before its start",
                "",
            )),
        }
    }

    /// Carries out the queued DEL of one attachment; whose turn it is calls it.
    pub(super) async fn del_queued_of(&self, owner: &Owner) -> Result<(), ApiError> {
        let path = self.queued(owner);
        if path.exists() {
            self.unplug(owner).await?;
            finish(&path);
        }
        Ok(())
    }

    /// A DEL of this attachment was carried out otherwise.
    pub(super) fn forget_queued(&self, owner: &Owner) {
        let path = self.queued(owner);
        if path.exists() {
            finish(&path);
        }
    }

    fn queued(&self, owner: &Owner) -> PathBuf {
        queue::file(&self.queue, &owner.container_id, &owner.ifname)
    }

    /// Whether there were some, or the folder cannot be read.
    async fn carry_out_queue(&self, said: &mut BTreeMap<PathBuf, String>) -> bool {
        let waiting = match queue::pending(&self.queue) {
            Ok(waiting) => waiting,
            Err(error) => {
                say(
                    said,
                    &self.queue,
                    format!("the queue of DELs cannot be read: {error}"),
                );
                return true;
            }
        };
        said.retain(|path, _| waiting.iter().any(|pending| pending.path == *path));
        let some = !waiting.is_empty();
        for pending in waiting {
            match pending.del {
                Ok(del) => {
                    if let Err(error) = self.del_waiting(&pending.path, del).await {
                        say(
                            said,
                            &pending.path,
                            format!("a queued DEL does not succeed yet: {error}"),
                        );
                    }
                }
                Err(why) => set_aside(&pending.path, &why),
            }
        }
        some
    }

    /// Carries one out, if it still waits when its turn has come: an ADD of the same attachment may have done so, and
    /// what that made must stay.
    async fn del_waiting(&self, path: &Path, del: CniDel) -> Result<(), ApiError> {
        let owner = Owner::new(del.container_id, del.ifname);
        let _held = self
            .turns
            .take(&attach::host_ifname(&owner.container_id, &owner.ifname))
            .await;
        if path.exists() {
            self.unplug(&owner).await?;
            finish(path);
            // A file under another name than its content's would otherwise be honoured for ever by every ADD.
            self.forget_queued(&owner);
            tracing::info!(%owner, "a DEL from while the agent was away is carried out");
        }
        Ok(())
    }
}

fn finish(path: &Path) {
    if let Err(error) = queue::done(path) {
        tracing::error!(%error, "a DEL that was carried out cannot be taken from the queue");
    }
}

fn set_aside(path: &Path, why: &str) {
    match queue::set_aside(path) {
        Ok(kept) => tracing::error!(
            kept = %kept.display(),
            why,
            "a queued DEL cannot be read and is set aside: its pod may have left an address behind; see `roadbed ipam check`"
        ),
        Err(error) => tracing::error!(%error, why, "a queued DEL cannot be read, nor set aside"),
    }
}

fn say(said: &mut BTreeMap<PathBuf, String>, path: &Path, text: String) {
    if said.get(path) != Some(&text) {
        tracing::error!(path = %path.display(), "{text}");
        said.insert(path.to_owned(), text);
    }
}
