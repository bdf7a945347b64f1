//! The file as a datastore, on real folders.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::fields::ResourceKind;
use config::{Source, documents, load};
use datastore::conformance::{self, Capabilities};
use datastore::{Datastore, Error, Expect, Key, Outcome, Space, Write};
use proptest::prelude::*;
use store::{FileStore, Timing};
use tempfile::TempDir;

const QUICK: Timing = Timing {
    quiet: Duration::from_millis(20),
    patience: Duration::from_secs(5),
    poll: Duration::from_millis(500),
};

fn at(path: &Path) -> FileStore {
    FileStore::with_timing(path, QUICK).expect("a path")
}

fn capabilities() -> Capabilities {
    Capabilities {
        many: 60,
        ..Capabilities::resources_only(|time| Box::pin(tokio::time::sleep(time)))
    }
}

#[tokio::test]
async fn a_file_keeps_the_contract() {
    let folder = TempDir::new().expect("folder");
    conformance::check(&at(&folder.path().join("resources.yaml")), &capabilities()).await;
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = TempDir::new().expect("folder");
    conformance::check(&at(folder.path()), &capabilities()).await;
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .filter(|name| !name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
