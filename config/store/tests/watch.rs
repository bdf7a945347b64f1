//! The file datastore on real folders: every way in which files change under a running agent.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use store::{FileStore, Handle, StoreState, Timing};
use tempfile::TempDir;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);

/// Polling is off: only events can be what is seen.
const EVENTS_ONLY: Timing = Timing {
    quiet: Duration::from_millis(50),
    patience: Duration::from_secs(10),
    poll: Duration::from_secs(3600),
};

fn node(name: &str, last_octet: u8) -> String {
    format!(
        "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: {name} }}\n\
         spec: {{ bgp: {{ ipv4Address: 192.0.2.{last_octet} }} }}\n"
    )
}

fn nodes(count: u8) -> String {
    (1..=count).map(|n| node(&format!("node-{n}"), n)).collect()
}

fn count(state: &StoreState) -> Option<usize> {
    state.intent.as_ref().map(|intent| intent.nodes.len())
}

/// Waits until the state is as wanted; says what it was if that does not come.
async fn until(handle: &Handle, what: &str, wanted: impl Fn(&StoreState) -> bool) -> Arc<StoreState> {
    let mut states = handle.state();
    let found = timeout(DEADLINE, states.wait_for(|state| wanted(state)))
        .await
        .map(|found| found.map(|s| Arc::clone(&s)));
    match found {
        Ok(Ok(state)) => state,
        other => panic!("{what}: {other:?}; the state is {:?}", handle.state().borrow()),
    }
}

async fn until_nodes(handle: &Handle, wanted: usize) -> Arc<StoreState> {
    until(handle, &format!("{wanted} nodes"), |state| {
        count(state) == Some(wanted) && !state.is_bad()
    })
    .await
}

fn in_folder(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("resources.yaml");
    fs::write(&path, text).expect("written");
    (folder, path)
}

fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("swp");
    fs::write(&beside, text).expect("written");
    fs::rename(&beside, path).expect("renamed");
}

#[tokio::test]
async fn the_first_state_is_there_at_once() {
    let (_folder, path) = in_folder(&nodes(2));
    let handle = FileStore::start_with(path, EVENTS_ONLY).expect("starts");
    let state = handle.state().borrow().clone();
    assert_eq!(
        (count(&state), state.revision, state.problems.len()),
        (Some(2), 1, 0)
    );
}

#[tokio::test]
async fn edits_in_place_and_by_renaming_are_seen_again_and_again() {
    let (_folder, path) = in_folder(&nodes(1));
    let handle = FileStore::start_with(&path, EVENTS_ONLY).expect("starts");
    for round in 0..3 {
        fs::write(&path, nodes(2 + round)).expect("written");
        until_nodes(&handle, usize::from(2 + round)).await;
        replace(&path, &nodes(12 + round));
        until_nodes(&handle, usize::from(12 + round)).await;
    }
}

#[tokio::test]
async fn a_bad_edit_keeps_the_last_good_state_and_says_so() {
    let (_folder, path) = in_folder(&nodes(2));
    let handle = FileStore::start_with(&path, EVENTS_ONLY).expect("starts");
    let good = until_nodes(&handle, 2).await;
    fs::write(&path, nodes(3) + "---\nkind: Nope\n").expect("written");
    let bad = until(&handle, "refused", StoreState::is_bad).await;
    assert_eq!(
        (count(&bad), bad.revision, bad.good_since),
        (Some(2), good.revision, good.good_since)
    );
    assert!(bad.since >= good.since);
    let text = bad.problems.first().map(ToString::to_string).unwrap_or_default();
    assert!(text.starts_with(&format!("{}:", path.display())), "{text}");
    fs::write(&path, nodes(3)).expect("written");
    assert_eq!(until_nodes(&handle, 3).await.revision, good.revision + 1);
}

#[tokio::test]
async fn a_file_that_goes_and_comes_back_is_followed() {
    let (_folder, path) = in_folder(&nodes(1));
    let handle = FileStore::start_with(&path, EVENTS_ONLY).expect("starts");
    fs::remove_file(&path).expect("removed");
    let gone = until(&handle, "unreadable", StoreState::is_bad).await;
    assert_eq!(count(&gone), Some(1), "the last good state stays");
    fs::write(&path, nodes(4)).expect("written");
    until_nodes(&handle, 4).await;
}

#[tokio::test]
async fn a_file_that_comes_later_is_found() {
    let folder = TempDir::new().expect("temporary folder");
    let path = folder.path().join("resources.yaml");
    let handle = FileStore::start_with(&path, EVENTS_ONLY).expect("starts");
    let state = handle.state().borrow().clone();
    assert_eq!((count(&state), state.is_bad(), state.revision), (None, true, 0));
    replace(&path, &nodes(1));
    until_nodes(&handle, 1).await;
}

#[tokio::test]
async fn a_slow_writer_is_never_taken_at_half() {
    let (_folder, path) = in_folder(&nodes(1));
    let handle = FileStore::start_with(&path, EVENTS_ONLY).expect("starts");
    let mut states = handle.state();
    states.mark_unchanged();
    let writer = tokio::task::spawn_blocking(move || {
        let mut file = File::create(&path).expect("truncated");
        for n in 1..=5 {
            // Each piece is a whole document: only patience tells half of the file from all of it.
            file.write_all(node(&format!("node-{n}"), n).as_bytes())
                .expect("written");
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let next = timeout(DEADLINE, states.changed()).await;
    assert!(next.is_ok_and(|changed| changed.is_ok()), "a new state");
    let state = states.borrow().clone();
    assert_eq!((count(&state), state.is_bad()), (Some(5), false), "{state:?}");
    writer.await.expect("the writer is done");
}

#[tokio::test]
async fn an_emptied_file_removes_nothing() {
    let (_folder, path) = in_folder(&nodes(2));
    let handle = FileStore::start_with(&path, EVENTS_ONLY).expect("starts");
    File::create(&path).expect("truncated");
    let state = until(&handle, "refused", StoreState::is_bad).await;
    assert_eq!(count(&state), Some(2));
}

#[tokio::test]
async fn a_config_map_swap_is_seen() {
    // What the kubelet does: resources.yaml -> ..data/resources.yaml, ..data -> ..1, then ..data -> ..2.
    let folder = TempDir::new().expect("temporary folder");
    let root = folder.path();
    let fill = |version: &str, count: u8| {
        fs::create_dir(root.join(version)).expect("folder");
        fs::write(root.join(version).join("resources.yaml"), nodes(count)).expect("written");
        symlink(version, root.join("..data_tmp")).expect("link");
        fs::rename(root.join("..data_tmp"), root.join("..data")).expect("swapped");
    };
    fill("..1", 1);
    symlink("..data/resources.yaml", root.join("resources.yaml")).expect("link");
    let file = FileStore::start_with(root.join("resources.yaml"), EVENTS_ONLY).expect("starts");
    let whole = FileStore::start_with(root, EVENTS_ONLY).expect("starts");
    for (version, count) in [("..2", 2), ("..3", 3)] {
        fill(version, count);
        until_nodes(&file, usize::from(count)).await;
        until_nodes(&whole, usize::from(count)).await;
    }
}

#[tokio::test]
async fn a_link_to_a_file_elsewhere_is_followed() {
    let (_folder, real) = in_folder(&nodes(1));
    let links = TempDir::new().expect("temporary folder");
    let link = links.path().join("linked.yaml");
    symlink(&real, &link).expect("link");
    let handle = FileStore::start_with(&link, EVENTS_ONLY).expect("starts");
    fs::write(&real, nodes(2)).expect("written");
    until_nodes(&handle, 2).await;
    replace(&real, &nodes(3));
    until_nodes(&handle, 3).await;
}

#[tokio::test]
async fn a_folder_is_one_source() {
    let folder = TempDir::new().expect("temporary folder");
    let root = folder.path().join("resources.d");
    fs::create_dir(&root).expect("folder");
    fs::write(root.join("a.yaml"), node("node-1", 1)).expect("written");
    fs::write(root.join("notes.txt"), "not: [read").expect("written");
    fs::write(root.join(".hidden.yaml"), "not: [read").expect("written");
    let handle = FileStore::start_with(&root, EVENTS_ONLY).expect("starts");
    until_nodes(&handle, 1).await;
    fs::write(root.join("b.yml"), node("node-2", 2)).expect("written");
    until_nodes(&handle, 2).await;
    fs::write(root.join("c.yaml"), node("node-1", 3)).expect("written");
    let bad = until(&handle, "a name twice", StoreState::is_bad).await;
    assert!(
        bad.problems
            .iter()
            .any(|p| p.file.ends_with("c.yaml") && p.message.contains("a.yaml:4")),
        "{bad:?}"
    );
    fs::remove_file(root.join("c.yaml")).expect("removed");
    until(&handle, "good again", |state| !state.is_bad()).await;
    fs::remove_dir_all(&root).expect("removed");
    until(&handle, "gone", StoreState::is_bad).await;
    fs::create_dir(&root).expect("folder");
    fs::write(root.join("z.yaml"), nodes(5)).expect("written");
    until_nodes(&handle, 5).await;
}

#[tokio::test]
async fn polling_alone_finds_changes() {
    // A file behind a link behind a folder link: events of the inner folder are not watched once it moves.
    let folder = TempDir::new().expect("temporary folder");
    let nested = folder.path().join("later");
    let path = nested.join("resources.yaml");
    let timing = Timing {
        poll: Duration::from_millis(100),
        ..EVENTS_ONLY
    };
    let handle = FileStore::start_with(&path, timing).expect("starts");
    fs::create_dir(&nested).expect("folder");
    fs::write(&path, nodes(1)).expect("written");
    until_nodes(&handle, 1).await;
}

#[tokio::test]
async fn a_touched_file_makes_no_new_state() {
    let (_folder, path) = in_folder(&nodes(1));
    let handle = FileStore::start_with(&path, EVENTS_ONLY).expect("starts");
    let before = until_nodes(&handle, 1).await;
    fs::write(&path, nodes(1)).expect("the same again");
    handle.reload();
    fs::write(&path, nodes(1) + "# a comment\n").expect("written");
    let after = timeout(DEADLINE, async {
        let mut states = handle.state();
        loop {
            if states.borrow_and_update().good_since > before.good_since {
                return states.borrow().clone();
            }
            states.changed().await.expect("the store runs");
        }
    });
    assert_eq!(after.await.expect("in time").revision, before.revision);
}

#[test]
fn a_path_without_a_name_is_refused() {
    assert!(FileStore::start("/").is_err());
    assert!(FileStore::start("").is_err());
}
